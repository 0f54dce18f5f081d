import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import { type Entry, mergeEntries, NO_PAYLOAD, NO_TAGS, tombstone, type WriteMode } from '../core/entry.js';
import { decodeEntry, encodeEntry } from '../core/entry-format.js';
import { HLC_ZERO, type Hlc } from '../core/hlc.js';
import { bucketOf, hashKey } from '../core/key.js';
import { VERSION_ZERO } from '../core/version.js';
import { costBytes } from './slab-entries.js';
import { SlabPeerStore } from './slab-store.js';

const MIB = 1_048_576;
let clock: VirtualClock;
let store: SlabPeerStore;

beforeEach(() => {
  clock = new VirtualClock();
  store = new SlabPeerStore(clock, MIB);
});

function value(atMs: number, change: Partial<Entry> = {}): Entry {
  return {
    kind: 'value',
    payload: new TextEncoder().encode(`at ${atMs}`),
    version: { eventTimeMs: atMs, hlc: { ms: atMs, counter: 0 }, origin: 1 },
    fillStart: { ms: atMs, counter: 0 },
    fence: HLC_ZERO,
    createdAtMs: clock.wallMs(),
    freshUntilMs: clock.wallMs() + 60_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags: NO_TAGS,
    ...change,
  };
}

function deletion(atMs: number, keptMs = 600_000): Entry {
  return tombstone({ ms: atMs, counter: 0 }, VERSION_ZERO, clock.wallMs(), keptMs);
}

function write(key: string, entry: Entry, mode: WriteMode = 'set', into = store): string {
  return into.write(key, encodeEntry(entry), mode).kind;
}

function read(key: string, from = store): Entry | undefined {
  const bytes = from.read(key);
  return bytes === undefined ? undefined : decodeEntry(bytes);
}

function textOf(key: string, from = store): string | undefined {
  const entry = read(key, from);
  return entry?.kind === 'value' ? new TextDecoder().decode(entry.payload) : entry?.kind;
}

/** What another store has of the bucket of `key`, but for the key itself. */
const nothing = { has: () => false };

describe('a bucket of the store', () => {
  const bucket = bucketOf('k');

  it('lists its keys', () => {
    write('k', value(5));
    write('other', value(5));
    expect([...store.keysOf(bucket)]).toEqual(['k']);
    write('k', value(6));
    expect([...store.keysOf(bucket)]).toEqual(['k']);
    expect([...store.keysOf((bucket + 1) % 4_096)]).toEqual([]);
  });

  it('gives up what another store has evicted, and lets it in no more', () => {
    const marks = { fence: { ms: 4, counter: 0 }, fillStart: { ms: 6, counter: 0 } };
    write('k', value(5));
    store.adoptMarks(bucket, marks, nothing);
    expect(read('k')).toBeUndefined();
    expect(write('k', value(6), 'fill')).toBe('superseded');
    expect(write('k', value(7), 'fill')).toBe('stored');
    expect(store.marksOf(bucket)).toEqual(marks);
  });

  it('keeps what the other store has too, what is newer, and what was deleted', () => {
    const marks = { fence: HLC_ZERO, fillStart: { ms: 6, counter: 0 } };
    write('k', value(5));
    store.adoptMarks(bucket, marks, { has: (key: string) => key === 'k' });
    expect(textOf('k')).toBe('at 5');
    write('k', value(7));
    store.adoptMarks(bucket, marks, nothing);
    expect(textOf('k')).toBe('at 7');
    write('k', deletion(8));
    store.adoptMarks(bucket, { fence: HLC_ZERO, fillStart: { ms: 9, counter: 0 } }, nothing);
    expect(textOf('k')).toBe('tombstone');
  });

  it('is evicted as a whole, and remembered', () => {
    write('k', value(5));
    store.evict(bucket);
    expect(store.entries).toBe(0);
    expect(write('k', value(5), 'fill')).toBe('superseded');
  });

  it('is forgotten as a whole: what others keep comes back', () => {
    write('k', value(5));
    store.evict(bucket);
    store.forget(bucket);
    expect(write('k', value(5), 'fill')).toBe('stored');
  });
});

/** A store that holds `count` entries as `value` makes them, and no more. */
function smallStore(count: number): SlabPeerStore {
  return new SlabPeerStore(clock, count * costBytes('key:1', encodeEntry(value(1))));
}

/** Two keys of `length` characters in one bucket, found by trying. */
function sameBucketKeys(): [string, string] {
  const seen = new Map<number, string>();
  for (let i = 10_000; ; i++) {
    const key = `k${i}`;
    const other = seen.get(bucketOf(key));
    if (other !== undefined) return [other, key];
    seen.set(bucketOf(key), key);
  }
}

describe('the store of a peer', () => {
  it('gives back the bytes that it was given', () => {
    const bytes = encodeEntry(value(5));
    expect(store.write('k', bytes, 'set').kind).toBe('stored');
    expect(Buffer.from(store.read('k') ?? [])).toEqual(Buffer.from(bytes));
    expect(store.read('other')).toBeUndefined();
  });

  it('keeps a copy of its own, not a view of the message that the entry came in', () => {
    const message = Buffer.alloc(4_096);
    const bytes = encodeEntry(value(5));
    message.set(bytes, 100);
    store.write('k', message.subarray(100, 100 + bytes.length), 'set');
    message.fill(0);
    expect(textOf('k')).toBe('at 5');
  });

  it('answers with a copy, which stays as it is when its room is used anew', () => {
    write('k', value(5));
    const answer = store.read('k') ?? new Uint8Array(0);
    write('k', value(6));
    store.forget(bucketOf('k'));
    write('other', value(7));
    expect(answer).toEqual(Buffer.from(encodeEntry(value(5))));
  });

  it('keeps the newer, and says which version that is', () => {
    write('k', value(9));
    expect(store.write('k', encodeEntry(value(8)), 'set')).toEqual({ kind: 'superseded', by: value(9).version });
    expect(textOf('k')).toBe('at 9');
    expect(write('k', value(10))).toBe('stored');
    expect(textOf('k')).toBe('at 10');
  });

  it('keeps a tombstone, and the fence of it in what comes after', () => {
    write('k', value(5));
    expect(write('k', deletion(7))).toBe('stored');
    expect(textOf('k')).toBe('tombstone');
    expect(write('k', value(6))).toBe('superseded');
    expect(write('k', value(8))).toBe('stored');
    expect(read('k')?.fence).toEqual({ ms: 7, counter: 0 });
  });

  it('misses what is dead, and gives its room back', () => {
    write('k', value(5, { freshUntilMs: clock.wallMs() + 100, staleIfErrorMs: 50 }));
    clock.advance(149);
    expect(textOf('k')).toBe('at 5');
    clock.advance(1);
    expect(store.read('k')).toBeUndefined();
    expect([store.entries, store.sizeBytes]).toEqual([0, 0]);
  });

  it('gives up the older entry for a newer one that is dead already', () => {
    write('k', value(5));
    expect(write('k', value(6, { freshUntilMs: clock.wallMs() }))).toBe('stored');
    expect(store.read('k')).toBeUndefined();
    expect(store.entries).toBe(0);
  });

  it('refuses what is no entry, and keeps what it has', () => {
    write('k', value(5));
    expect(store.write('k', Uint8Array.of(1, 2, 3), 'set').kind).toBe('failed');
    expect(textOf('k')).toBe('at 5');
  });

  it('refuses what is larger than all of it, and gives up the older entry of the key', () => {
    const small = smallStore(2);
    write('key:1', value(5), 'set', small);
    const outcome = small.write('key:1', encodeEntry(value(6, { payload: new Uint8Array(10_000) })), 'set');
    expect(outcome.kind === 'failed' && outcome.error.message).toMatch(/peers\.maxBytes/);
    expect(small.read('key:1')).toBeUndefined();
    expect([small.entries, small.sizeBytes]).toEqual([0, 0]);
  });

  it('evicts when it is full, but not what was read since it looked last', () => {
    const small = smallStore(4);
    for (let i = 1; i <= 4; i++) write(`key:${i}`, value(i), 'set', small);
    small.read('key:1');
    small.read('key:3');
    write('key:5', value(5), 'set', small);
    write('key:6', value(6), 'set', small);
    expect(['key:1', 'key:2', 'key:3', 'key:4'].map((key) => small.read(key) !== undefined)).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(small.entries).toBe(4);
  });

  it('evicts what is dead before what lives, though it was read', () => {
    const small = smallStore(3);
    write('key:1', value(1), 'set', small);
    write('key:2', value(2, { freshUntilMs: clock.wallMs() + 10 }), 'set', small);
    write('key:3', value(3), 'set', small);
    for (const key of ['key:1', 'key:2', 'key:3']) small.read(key);
    // It is found by the second in which it died.
    clock.advance(1_010);
    write('key:4', value(4), 'set', small);
    expect(['key:1', 'key:3', 'key:4'].map((key) => textOf(key, small))).toEqual(['at 1', 'at 3', 'at 4']);
  });

  it('gives the room of what died back as others come, though nobody asks for it', () => {
    for (let i = 0; i < 200; i++) write(`key:${i}`, value(i, { freshUntilMs: clock.wallMs() + 10 }));
    clock.advance(2_000);
    for (let i = 0; i < 300; i++) write('other', value(1_000 + i));
    expect(store.entries).toBe(1);
  });

  it('makes room although everything is in use', () => {
    const small = smallStore(500);
    for (let i = 0; i < 500; i++) write(`k:${i}`, value(1), 'set', small);
    for (let i = 0; i < 500; i++) small.read(`k:${i}`);
    expect(write('new', value(2), 'set', small)).toBe('stored');
    expect(textOf('new', small)).toBe('at 2');
  });

  it('does not let a fill that was asked for before an evicted delete bring the value back', () => {
    const small = smallStore(2);
    write('key:1', deletion(7), 'set', small);
    for (let i = 2; i <= 9; i++) write(`key:${i}`, value(100 + i), 'set', small);
    expect(small.read('key:1')).toBeUndefined();
    expect(write('key:1', value(6), 'fill', small)).toBe('superseded');
    expect(write('key:1', value(7), 'set', small)).toBe('superseded');
    expect(small.read('key:1')).toBeUndefined();
    expect(write('key:1', value(8), 'fill', small)).toBe('stored');
    expect(read('key:1', small)?.fence).toEqual({ ms: 7, counter: 0 });
  });

  it('does not let a fill that was asked for before an evicted set be served', () => {
    const small = smallStore(2);
    write('key:1', value(50), 'set', small);
    for (let i = 2; i <= 9; i++) write(`key:${i}`, value(100 + i), 'set', small);
    expect(write('key:1', value(49), 'fill', small)).toBe('superseded');
    expect(write('key:1', value(51), 'fill', small)).toBe('stored');
  });

  it('remembers the fence of what died', () => {
    write('k', value(8, { fence: { ms: 7, counter: 0 }, freshUntilMs: clock.wallMs() + 10 }));
    clock.advance(10);
    expect(store.read('k')).toBeUndefined();
    expect(write('k', value(6), 'fill')).toBe('superseded');
    expect(write('k', value(9), 'fill')).toBe('stored');
  });

  it('refuses old writes to a neighbour of an evicted key only while it knows nothing of the neighbour', () => {
    const [evicted, neighbour] = sameBucketKeys();
    const small = smallStore(3);
    write(neighbour, value(5), 'set', small);
    write(evicted, deletion(7), 'set', small);
    for (let i = 1; i <= 3; i++) {
      small.read(neighbour);
      write(`key:${i}`, value(100), 'set', small);
    }
    expect(small.read(evicted)).toBeUndefined();
    expect(write(neighbour, value(6), 'set', small)).toBe('stored');
  });

  it('ends in the state of mergeEntries, whatever is written, as long as there is room', () => {
    const reading: fc.Arbitrary<Hlc> = fc.record({ ms: fc.integer({ min: 1, max: 5 }), counter: fc.constant(0) });
    const drawn = fc.record({
      mode: fc.constantFrom('set' as const, 'fill' as const),
      kind: fc.constantFrom('value' as const, 'absent' as const, 'tombstone' as const),
      eventTimeMs: fc.integer({ min: 1, max: 4 }),
      fillStart: reading,
      fence: fc.oneof(fc.constant(HLC_ZERO), reading),
    });
    fc.assert(
      fc.property(fc.array(drawn, { maxLength: 10 }), (writes) => {
        const fresh = new SlabPeerStore(clock, MIB);
        let model: Entry | undefined;
        for (const { mode, kind, eventTimeMs, fillStart, fence } of writes) {
          const entry = value(eventTimeMs, {
            kind,
            fillStart,
            fence,
            ...(kind === 'value' ? {} : { payload: NO_PAYLOAD }),
          });
          const merged = mergeEntries(model, entry, mode);
          model = merged.entry;
          expect(write('k', entry, mode, fresh)).toBe(merged.accepted ? 'stored' : 'superseded');
          expect(Buffer.from(fresh.read('k') ?? [])).toEqual(Buffer.from(encodeEntry(model)));
        }
      }),
    );
  });

  it('knows its size exactly, and never exceeds its budget, whatever happens', () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 30 }).map((i) => `k${i}`),
      atMs: fc.integer({ min: 1, max: 50 }),
      payloadBytes: fc.integer({ min: 0, max: 300 }),
      livesMs: fc.integer({ min: 0, max: 40 }),
      does: fc.constantFrom('write' as const, 'write' as const, 'read' as const, 'wait' as const),
    });
    const budget = 6_000;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const small = new SlabPeerStore(clock, budget);
        for (const { key, atMs, payloadBytes, livesMs, does } of steps) {
          if (does === 'wait') clock.advance(livesMs);
          if (does === 'read') small.read(key);
          const payload = new Uint8Array(payloadBytes);
          if (does === 'write')
            write(key, value(atMs, { payload, freshUntilMs: clock.wallMs() + livesMs }), 'set', small);
          expect(small.sizeBytes).toBeLessThanOrEqual(budget);
        }
        clock.advance(0);
        let heldBytes = 0;
        let held = 0;
        for (let i = 0; i <= 30; i++) {
          const bytes = small.read(`k${i}`);
          if (bytes === undefined) continue;
          held += 1;
          heldBytes += costBytes(`k${i}`, bytes);
        }
        // Every key was read: what was dead is gone.
        expect([small.entries, small.sizeBytes]).toEqual([held, heldBytes]);
      }),
    );
  });

  it('keeps any key apart from any other: long ones, and such as are not ASCII', () => {
    const keys = ['k', 'k\u0000', 'ç', '車', '🚚', 'x'.repeat(1_024), `${'x'.repeat(1_023)}y`, '🚚'.repeat(256)];
    keys.forEach((key, i) => {
      write(key, value(i + 1));
    });
    expect(keys.map((key) => textOf(key))).toEqual(keys.map((_, i) => `at ${i + 1}`));
    for (const key of keys) expect([...store.keysOf(bucketOf(key))]).toContain(key);
    expect(() => store.read('x'.repeat(1_025))).toThrow(/1025 bytes/);
  });

  it('gives up one of those whose hashes fall together rather than look through more and more of them', () => {
    // A table of two places.
    const tiny = new SlabPeerStore(clock, 1_000 * costBytes('key:1', encodeEntry(value(1))));
    const collided = Array.from({ length: 200_000 }, (_, i) => `c${i}`).filter((key) => placeOf(key, 9) === 0);
    for (const key of collided.slice(0, 200)) write(key, value(1), 'set', tiny);
    expect(tiny.entries).toBe(64);
    expect(textOf(collided[199] as string, tiny)).toBe('at 1');
  });
});

/** As the table spreads hashes over `2 ** bits` places. */
function placeOf(key: string, bits: number): number {
  return Math.imul(hashKey(key), 0x9e3779b1) >>> (32 - bits);
}
