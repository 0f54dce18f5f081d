/** Fills the store of a peer beyond its budget, in a process of its own, and prints what that takes. */
import { NO_TAGS } from '../../src/core/entry.js';
import { encodeEntry } from '../../src/core/entry-format.js';
import { HLC_ZERO } from '../../src/core/hlc.js';
import { SlabPeerStore } from '../../src/peer/slab-store.js';

const clock = { wallMs: () => Date.now() };
const at = { ms: clock.wallMs(), counter: 0 };

function encoded(payloadBytes: number): Uint8Array {
  return encodeEntry({
    kind: 'value',
    payload: new Uint8Array(payloadBytes).fill(1),
    version: { eventTimeMs: at.ms, hlc: at, origin: 1 },
    fillStart: at,
    fence: HLC_ZERO,
    createdAtMs: at.ms,
    freshUntilMs: at.ms + 3_600_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags: NO_TAGS,
  });
}

const SIZES = Array.from({ length: 100 }, (_, i) => encoded(100 + 17 * i));

/** Until so many bytes have gone through it, which is more than it holds. */
function fill(store: SlabPeerStore, bytes: number): void {
  let given = 0;
  for (let i = 0; given < bytes; i++) {
    const entry = SIZES[(i * 61) % SIZES.length] as Uint8Array;
    store.write(`vehicle:location:${i}`, entry, 'set');
    given += entry.length;
  }
}

const maxBytes = Number(process.argv[2]);
// The code, and what it takes to run it, is there before.
fill(new SlabPeerStore(clock, maxBytes / 100), maxBytes / 20);
globalThis.gc?.();
const before = process.memoryUsage.rss();
const store = new SlabPeerStore(clock, maxBytes);
fill(store, maxBytes * 1.5);
globalThis.gc?.();
const residentBytes = process.memoryUsage.rss() - before;
process.stdout.write(JSON.stringify({ residentBytes, sizeBytes: store.sizeBytes }));
