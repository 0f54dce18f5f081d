import { PARTITIONS, partitionOf } from '../core/key.js';
import type { KeyLayout, PartitionKeys } from './key-layout.js';

/** The keys of one request: their places among all that were asked for. */
export interface Batch {
  readonly partition: PartitionKeys;
  readonly at: number[];
}

/** Keys of entries that one run of a script may hold up its shard for. */
export const SCRIPT_KEYS_MAX = 128;

/**
 * The keys by partition, because a partition is what lies in one slot.
 * @param anywhere slots do not matter: as few batches as possible
 */
export function batchByPartition(layout: KeyLayout, keys: readonly string[], size: number, anywhere = false): Batch[] {
  const open = new Array<Batch | undefined>(PARTITIONS);
  const batches: Batch[] = [];
  for (let at = 0; at < keys.length; at++) {
    const partition = partitionOf(keys[at] as string);
    const place = anywhere ? 0 : partition;
    let batch = open[place];
    if (batch === undefined || batch.at.length === size) {
      batch = { partition: layout.partitions[partition] as PartitionKeys, at: [] };
      open[place] = batch;
      batches.push(batch);
    }
    batch.at.push(at);
  }
  return batches;
}
