/** What a cache takes, in a process of its own that can be asked to collect its garbage. */
import { type BenchLocation, keyOf, makeKeys, makeLocation } from '../data/locations.js';
import { type LocalSettings, type LocalSubject, type LocalSubjectName, localSubjects } from '../subjects/local.js';

export interface MemoryUseOptions extends LocalSettings {
  /** `data alone`: the keys and the values in two arrays. */
  readonly subject: LocalSubjectName | 'data alone';
}

const SETTLE_MS = 50;
const COLLECTIONS = 4;

async function usedBytes(): Promise<number> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('the process needs --expose-gc');
  for (let i = 0; i < COLLECTIONS; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const SMALL: LocalSettings = { maxEntries: 10, maxBytes: 1_048_576 };

async function tryOut({ set, get, peek, close }: LocalSubject): Promise<void> {
  await set('key', makeLocation(0));
  peek?.('key');
  await get?.('key');
  await close?.();
}

export async function open(options: MemoryUseOptions) {
  const data: [string[], BenchLocation[]] = [[], []];
  let cache: LocalSubject | undefined;
  let filled = 0;
  let before = 0;
  const keyFor = (vehicle: number): string => makeKeys(1, () => keyOf(vehicle))[0] as string;
  return {
    /** Fills it with locations that nobody else holds. @returns bytes per entry, before any is read */
    async runFill(count: number): Promise<number> {
      // What the library itself takes, its code above all, is there already.
      if (options.subject !== 'data alone') await tryOut(await localSubjects[options.subject](SMALL));
      before = await usedBytes();
      if (options.subject !== 'data alone') cache = await localSubjects[options.subject](options);
      for (filled = 0; filled < count; filled++) {
        const [key, value] = [keyFor(filled), makeLocation(filled)];
        if (cache === undefined) {
          data[0].push(key);
          data[1].push(value);
          continue;
        }
        const done = cache.set(key, value);
        if (done instanceof Promise) await done;
      }
      return ((await usedBytes()) - before) / count;
    },
    /** Reads each twice. @returns bytes per entry after that */
    async runReadAll(): Promise<number> {
      for (let n = 0; n < 2 * filled; n++) {
        const vehicle = n % filled;
        const key = keyFor(vehicle);
        const found =
          cache === undefined ? data[1][vehicle] : cache.peek === undefined ? await cache.get?.(key) : cache.peek(key);
        if ((found as BenchLocation | undefined)?.odometerKm !== vehicle)
          throw new Error(`vehicle ${vehicle} is not there`);
      }
      return ((await usedBytes()) - before) / filled;
    },
    close: async () => cache?.close?.(),
  };
}
