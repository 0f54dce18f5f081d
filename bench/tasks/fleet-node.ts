/** A node of ours in a process of its own, as an application has it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type CacheConfig, createCache } from '../../src/index.js';
import { keyOf, makeLocation } from '../data/locations.js';

export interface FleetNodeOptions {
  readonly config: CacheConfig;
}

const BATCH = 500;

export interface Invalidation {
  readonly deleteMs: number;
  /** Of the first reads after it, on average. */
  readonly readMs: number;
}

export async function open({ config }: FleetNodeOptions) {
  const cache = await createCache(config);
  return {
    /** Stores that many locations under one tag. */
    async fillTagged(from: number, count: number, tag: string): Promise<void> {
      for (let first = from; first < from + count; first += BATCH) {
        const length = Math.min(BATCH, from + count - first);
        const entries = Array.from({ length }, (_, i) => first + i);
        const results = await cache.setMany(
          entries.map((vehicle) => [keyOf(vehicle), makeLocation(vehicle), { tags: [tag] }]),
        );
        const lost = results.find(({ distributed }) => distributed !== 'stored');
        if (lost !== undefined) throw new Error(`a write is ${lost.distributed}`);
      }
    },

    /** Invalidates a tag, and reads some of what had it. */
    async invalidate(tag: string, vehicles: readonly number[]): Promise<Invalidation> {
      const startedMs = performance.now();
      const { distributed } = await cache.deleteByTag(tag);
      if (distributed !== 'stored') throw new Error(`the invalidation is ${distributed}`);
      const deletedMs = performance.now();
      for (const vehicle of vehicles) {
        if ((await cache.get(keyOf(vehicle))) !== undefined) throw new Error('what was invalidated is still served');
      }
      return { deleteMs: deletedMs - startedMs, readMs: (performance.now() - deletedMs) / vehicles.length };
    },

    /** So many callers ask for one key that nobody has. @returns how often it was loaded here */
    async load(key: string, callers: number, loadMs: number): Promise<number> {
      let loads = 0;
      const load = async (): Promise<string> => {
        loads += 1;
        await sleep(loadMs);
        return key;
      };
      const values = await Promise.all(Array.from({ length: callers }, () => cache.getOrLoad(key, load)));
      if (values.some((value) => value !== key)) throw new Error(`a caller of ${key} got something else`);
      return loads;
    },

    close: () => cache.close(),
  };
}
