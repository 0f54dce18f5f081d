/** One cache in memory, in a process of its own: filled, then read in loops that check every value. */
import { type BenchLocation, keyOf, makeKeys, makeLocation } from '../data/locations.js';
import { zipfOrder } from '../data/zipf.js';
import { type OpenLoopResult, openLoop } from '../harness/load.js';
import { type LocalSubjectName, localSubjects } from '../subjects/local.js';

export interface LocalCacheOptions {
  readonly subject: LocalSubjectName;
  /** Different keys that are asked for. */
  readonly keys: number;
  /** How many of them fit. */
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly seed: number;
  /** Few different orders of keys: sooner there, and less like life. */
  readonly quick: boolean;
}

export interface MixRun {
  readonly nsPerOp: number;
  readonly hitRatio: number;
}

/** Powers of two: the order is gone through again and again. */
const ORDER_LENGTH = 1 << 20;
const QUICK_ORDER_LENGTH = 1 << 16;
/** Between two looks at the clock. */
const CHUNK = 4_096;
const SET_EVERY = 10;

export async function open(options: LocalCacheOptions) {
  const { keys: count, seed, quick } = options;
  const cache = await localSubjects[options.subject](options);
  const keys = makeKeys(count);
  const absentKeys = makeKeys(count, (vehicle) => keyOf(vehicle).replace('location', 'nowhere!'));
  const order = zipfOrder(count, quick ? QUICK_ORDER_LENGTH : ORDER_LENGTH, seed);
  let at = 0;
  let values: BenchLocation[] | undefined;

  const next = (): number => {
    at = (at + 1) & (order.length - 1);
    return order[at] as number;
  };
  const check = (got: number, expected: number): void => {
    if (got !== expected) throw new Error(`the values add up to ${got} instead of ${expected}`);
  };

  return {
    /** Everything is set, and read twice: whatever is done at the first reads is done. */
    async fill(): Promise<void> {
      for (let vehicle = 0; vehicle < count; vehicle++) {
        const done = cache.set(keys[vehicle] as string, makeLocation(vehicle));
        if (done instanceof Promise) await done;
      }
      for (let vehicle = 0; vehicle < 2 * count; vehicle++) {
        const key = keys[vehicle % count] as string;
        if (cache.peek === undefined) await cache.get?.(key);
        else cache.peek(key);
      }
    },

    /** ns per synchronous hit. */
    runPeek(ms: number): number {
      const { peek } = cache;
      if (peek === undefined) throw new Error('it cannot be read synchronously');
      return timed(ms, () => {
        let got = 0;
        let expected = 0;
        for (let i = 0; i < CHUNK; i++) {
          const vehicle = next();
          got += (peek(keys[vehicle] as string) as BenchLocation | undefined)?.odometerKm ?? Number.NaN;
          expected += vehicle;
        }
        check(got, expected);
      });
    },

    /** ns per synchronous miss. */
    runMiss(ms: number): number {
      const { peek } = cache;
      if (peek === undefined) throw new Error('it cannot be read synchronously');
      return timed(ms, () => {
        let found = 0;
        for (let i = 0; i < CHUNK; i++) if (peek(absentKeys[next()] as string) !== undefined) found += 1;
        check(found, 0);
      });
    },

    /** ns per awaited hit, one after the other. */
    runGet(ms: number): Promise<number> {
      const get = cache.get ?? (async (key: string) => cache.peek?.(key));
      return timedAsync(ms, async () => {
        let got = 0;
        let expected = 0;
        for (let i = 0; i < CHUNK; i++) {
          const vehicle = next();
          got += ((await get(keys[vehicle] as string)) as BenchLocation | undefined)?.odometerKm ?? Number.NaN;
          expected += vehicle;
        }
        check(got, expected);
      });
    },

    /** ns per operation of 9 reads to 1 write, of more keys than fit. A write that is a promise is awaited. */
    async runMix(ms: number): Promise<MixRun> {
      const { peek, get } = cache;
      // Made beforehand: making them costs as much as keeping them.
      values ??= Array.from({ length: count }, (_, vehicle) => makeLocation(vehicle));
      const given = values;
      let hits = 0;
      let reads = 0;
      const nsPerOp = await timedAsync(ms, async () => {
        for (let i = 0; i < CHUNK; i++) {
          const vehicle = next();
          const key = keys[vehicle] as string;
          if (i % SET_EVERY === 0) {
            const done = cache.set(key, given[vehicle] as BenchLocation);
            if (done instanceof Promise) await done;
            continue;
          }
          const found = (peek === undefined ? await get?.(key) : peek(key)) as BenchLocation | undefined;
          reads += 1;
          if (found === undefined) continue;
          hits += 1;
          if (found.odometerKm !== vehicle) throw new Error(`${key} has the value of another key`);
        }
      });
      return { nsPerOp, hitRatio: hits / reads };
    },

    /** Hits by the clock. */
    runOpenGet(perSecond: number, ms: number): Promise<OpenLoopResult> {
      const get = cache.get ?? (async (key: string) => cache.peek?.(key));
      return openLoop(perSecond, ms, async () => {
        const vehicle = next();
        check(((await get(keys[vehicle] as string)) as BenchLocation | undefined)?.odometerKm ?? Number.NaN, vehicle);
      });
    },

    async close(): Promise<void> {
      await cache.close?.();
    },
  };
}

/** ns per operation of chunks that are repeated for so long. */
function timed(ms: number, chunk: () => void): number {
  const startedMs = performance.now();
  let chunks = 0;
  let spentMs = 0;
  while (spentMs < ms) {
    chunk();
    chunks += 1;
    spentMs = performance.now() - startedMs;
  }
  return (spentMs * 1e6) / (chunks * CHUNK);
}

async function timedAsync(ms: number, chunk: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  let chunks = 0;
  let spentMs = 0;
  while (spentMs < ms) {
    await chunk();
    chunks += 1;
    spentMs = performance.now() - startedMs;
  }
  return (spentMs * 1e6) / (chunks * CHUNK);
}
