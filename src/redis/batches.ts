import { partitionOf } from '../core/key.js';
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
  const open = new Map<number, Batch>();
  const batches: Batch[] = [];
  for (const [at, key] of keys.entries()) {
    const partition = partitionOf(key);
    const place = anywhere ? 0 : partition;
    let batch = open.get(place);
    if (batch === undefined || batch.at.length === size) {
      batch = { partition: layout.partitions[partition] as PartitionKeys, at: [] };
      open.set(place, batch);
      batches.push(batch);
    }
    batch.at.push(at);
  }
  return batches;
}
