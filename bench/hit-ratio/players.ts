import { LRUCache } from 'lru-cache';
import { hashKey } from '../../src/core/key.js';
import { AdaptiveEviction } from '../../src/memory/adaptive-eviction.js';
import type { EvictionPolicy } from '../../src/memory/eviction.js';
import { OURS } from '../row.js';
import { ClockEviction } from './clock-eviction.js';
import type { Workload } from './workloads.js';

/** Plays a workload with a cache of so many entries. @returns hits in per cent of the uses */
export type Player = (workload: Workload, size: number, seed: number) => number;

export const LRU = 'lru-cache';
export const CLOCK = 'CLOCK';

export const players: ReadonlyMap<string, Player> = new Map<string, Player>([
  [OURS, (workload, size, seed) => playSlots(workload, size, new AdaptiveEviction(seed, size))],
  [LRU, playLru],
  [CLOCK, (workload, size) => playSlots(workload, size, new ClockEviction())],
]);

function playLru({ uses }: Workload, size: number): number {
  const cache = new LRUCache<number, true>({ max: size });
  let hits = 0;
  for (const key of uses) {
    if (cache.get(key) === true) hits += 1;
    else cache.set(key, true);
  }
  return (100 * hits) / uses.length;
}

type SlotPolicy = Pick<EvictionPolicy, 'onInsert' | 'onHit' | 'onRemove' | 'victim'>;

/** Drives a policy as the tier does, with entries of one weight. */
function playSlots({ uses, keys }: Workload, size: number, policy: SlotPolicy): number {
  const slots = new Int32Array(keys).fill(-1);
  const hashes = Int32Array.from({ length: keys }, (_, key) => hashKey(String(key)));
  const held = new Int32Array(size);
  let used = 0;
  let hits = 0;
  for (const key of uses) {
    let slot = slots[key] as number;
    if (slot >= 0) {
      hits += 1;
      policy.onHit(slot);
      continue;
    }
    if (used < size) slot = used++;
    else {
      slot = policy.victim();
      slots[held[slot] as number] = -1;
      policy.onRemove(slot);
    }
    held[slot] = key;
    slots[key] = slot;
    policy.onInsert(slot, hashes[key] as number, 1);
  }
  return (100 * hits) / uses.length;
}
