/** The store of a peer, full, and what that does to its process. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { NO_TAGS } from '../../src/core/entry.js';
import { encodeEntry } from '../../src/core/entry-format.js';
import { HLC_ZERO } from '../../src/core/hlc.js';
import { SlabPeerStore } from '../../src/peer/slab-store.js';

export interface PeerStoreOptions {
  readonly budgetMiB: number;
  readonly opsPerSecond: number;
}

const MIB = 1_048_576;
const NS_PER_MS = 1e6;
const WORST = 99.9;
const SET_EVERY = 10;
const PAYLOADS_BYTES = [150, 180, 210, 240];
const FILLED_AT_ONCE = 500;

export async function open({ budgetMiB, opsPerSecond }: PeerStoreOptions) {
  const clock = { wallMs: () => Date.now() };
  let counter = 0;
  const entryOf = (vehicle: number): Uint8Array => {
    const ms = clock.wallMs();
    const hlc = { ms, counter: counter++ & 0xffff };
    return encodeEntry({
      kind: 'value',
      payload: new Uint8Array(PAYLOADS_BYTES[vehicle % PAYLOADS_BYTES.length] as number).fill(vehicle),
      version: { eventTimeMs: ms, hlc, origin: 1 },
      fillStart: hlc,
      fence: HLC_ZERO,
      createdAtMs: ms,
      freshUntilMs: ms + 3_600_000,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      tags: NO_TAGS,
    });
  };
  const keyOf = (vehicle: number): string => `vehicle:location:${vehicle}`;
  globalThis.gc?.();
  const emptyBytes = process.memoryUsage.rss();
  const store = new SlabPeerStore(clock, budgetMiB * MIB);
  let vehicles = 100;
  let asked = 0;
  const step = (): void => {
    asked += 1;
    const vehicle = (asked * 7_919) % vehicles;
    if (asked % SET_EVERY === 0) store.write(keyOf(vehicle), entryOf(vehicle), 'set');
    else store.read(keyOf(vehicle));
  };
  return {
    /** The delay of the event loop that only one turn in a thousand exceeds, under 9 reads to 1 write, in ms. */
    async runLoad(ms: number): Promise<number> {
      const delays = monitorEventLoopDelay({ resolution: 1 });
      delays.enable();
      const startedMs = performance.now();
      let done = 0;
      for (let spentMs = 0; spentMs < ms; spentMs = performance.now() - startedMs) {
        for (const due = (spentMs * opsPerSecond) / 1_000; done < due; done++) step();
        await sleep(1);
      }
      delays.disable();
      return delays.percentile(WORST) / NS_PER_MS;
    },
    /** Until it has evicted as many as it keeps. */
    async fill(): Promise<void> {
      for (vehicles = 0; vehicles < 2 * store.entries || store.sizeBytes < budgetMiB * MIB * 0.99; vehicles++) {
        store.write(keyOf(vehicles), entryOf(vehicles), 'set');
        if (vehicles % FILLED_AT_ONCE === 0) await sleep(0);
      }
    },
    residence(): { readonly residentMiB: number; readonly entries: number } {
      globalThis.gc?.();
      return { residentMiB: (process.memoryUsage.rss() - emptyBytes) / MIB, entries: store.entries };
    },
    close: async () => {},
  };
}
