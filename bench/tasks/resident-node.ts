/** A cache in memory that is as full as its budget lets it be, and what that does to its process. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCache, MiB } from '../../src/index.js';
import { type BenchLocation, makeKeys, makeLocation } from '../data/locations.js';
import { zipfOrder } from '../data/zipf.js';

export interface ResidentNodeOptions {
  readonly budgetMiB: number;
  /** More than fit. */
  readonly vehicles: number;
  readonly opsPerSecond: number;
  readonly seed: number;
}

export interface Residence {
  /** Above the process without the cache, when its garbage is collected and given back. */
  readonly residentMiB: number;
  /** The same as it was before, with garbage. */
  readonly uncollectedMiB: number;
  readonly entries: number;
  readonly sizeMiB: number;
  /** Of what is resident: objects that are alive, those of the measuring process among them. */
  readonly heapMiB: number;
}

const DELAY_RESOLUTION_MS = 1;
const SET_EVERY = 10;
const NS_PER_MS = 1e6;
const WORST = 99.9;
/** More than one, with time after each: what is free is given back by threads of their own. */
const COLLECTIONS = 3;
const GIVE_BACK_MS = 1_000;

async function worstDelayMs(ms: number, work: () => Promise<void>): Promise<number> {
  const delays = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delays.enable();
  await Promise.all([sleep(ms), work()]);
  delays.disable();
  return delays.percentile(WORST) / NS_PER_MS;
}

async function collect(): Promise<void> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('the process needs --expose-gc');
  for (let i = 0; i < COLLECTIONS; i++) {
    gc();
    await sleep(GIVE_BACK_MS / COLLECTIONS);
  }
}

export async function open(options: ResidentNodeOptions) {
  const { budgetMiB, vehicles, opsPerSecond, seed } = options;
  const keys = makeKeys(vehicles);
  const order = zipfOrder(vehicles, 1 << 18, seed);
  await collect();
  const emptyBytes = process.memoryUsage.rss();
  const cache = await createCache({ local: { maxBytes: budgetMiB * MiB, maxEntries: vehicles, ttl: '1h' } });
  let asked = 0;

  const step = async (): Promise<void> => {
    const vehicle = order[asked++ & (order.length - 1)] as number;
    const key = keys[vehicle] as string;
    const found = asked % SET_EVERY === 0 ? undefined : cache.peek<BenchLocation>(key);
    if (found === undefined) await cache.set(key, makeLocation(vehicle));
    else if (found.odometerKm !== vehicle) throw new Error(`${key} has the value of another key`);
  };
  /** Operations by the clock, as they are due each time the loop comes by; what is not there is set. */
  const load = async (ms: number): Promise<void> => {
    const startedMs = performance.now();
    let done = 0;
    for (let spentMs = 0; spentMs < ms; spentMs = performance.now() - startedMs) {
      for (const due = (spentMs * opsPerSecond) / 1_000; done < due; done++) await step();
      await sleep(1);
    }
  };

  return {
    /** Of this process before it keeps anything. */
    runIdle: (ms: number): Promise<number> => worstDelayMs(ms, async () => {}),
    async fill(): Promise<void> {
      for (let vehicle = 0; vehicle < vehicles; vehicle++)
        await cache.set(keys[vehicle] as string, makeLocation(vehicle));
    },
    /** The delay of the event loop that only one turn in a thousand exceeds, under 9 reads to 1 write, in ms. */
    runLoad: (ms: number): Promise<number> => worstDelayMs(ms, () => load(ms)),
    async residence(): Promise<Residence> {
      const { sizeBytes = 0, entries = 0 } = cache.stats().levels.local ?? {};
      const uncollectedMiB = (process.memoryUsage.rss() - emptyBytes) / MiB;
      await collect();
      const { rss, heapUsed } = process.memoryUsage();
      const residentMiB = (rss - emptyBytes) / MiB;
      return { residentMiB, uncollectedMiB, entries, sizeMiB: sizeBytes / MiB, heapMiB: heapUsed / MiB };
    },
    close: () => cache.close(),
  };
}
