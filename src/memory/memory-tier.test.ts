import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { Codec, Readers } from '../core/codec.js';
import { type Entry, NO_PAYLOAD, NO_TAGS, tombstone } from '../core/entry.js';
import { CacheError } from '../core/errors.js';
import { FEED_LEASE_MS, FeedLeases } from '../core/feed-lease.js';
import { Floors } from '../core/floors.js';
import { HLC_ZERO, type Hlc } from '../core/hlc.js';
import { partitionOf } from '../core/key.js';
import { NOT_HERE } from '../core/local.js';
import { ClockEviction } from './clock-eviction.js';
import { ENTRY_OVERHEAD_BYTES, MemoryTier, type MemoryTierParts } from './memory-tier.js';

/** JSON, and a count of decodings. Text that starts with `dear ` is frozen for many readers only, `bytes ` never. */
class TextCodec implements Codec {
  decodings = 0;

  encode(value: unknown): Uint8Array {
    return new TextEncoder().encode(JSON.stringify(value));
  }

  decode(bytes: Uint8Array, readers: Readers = 'many') {
    this.decodings += 1;
    const text = new TextDecoder().decode(bytes);
    if (text === 'broken') throw new CacheError('corrupt-entry', 'broken');
    const frozen = !text.startsWith('"bytes ') && !(text.startsWith('"dear ') && readers === 'one');
    return { value: { text: JSON.parse(text) as unknown }, frozen };
  }
}

function harness(parts: Partial<MemoryTierParts> = {}) {
  const clock = new VirtualClock();
  const codec = new TextCodec();
  const floors = new Floors();
  const tier = new MemoryTier({
    clock,
    codec,
    floors,
    eviction: new ClockEviction(),
    maxBytes: 1_000_000,
    maxEntries: 1_000,
    leases: new FeedLeases(false),
    ...parts,
  });
  const at = (ms: number): Hlc => ({ ms, counter: 0 });
  const entry = (text: string, ms = 1_000, more: Partial<Entry> = {}): Entry => ({
    kind: 'value',
    payload: codec.encode(text),
    version: { eventTimeMs: ms, hlc: at(ms), origin: 7 },
    fillStart: at(ms),
    fence: HLC_ZERO,
    createdAtMs: clock.wallMs(),
    freshUntilMs: clock.wallMs() + 60_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags: NO_TAGS,
    ...more,
  });
  const absent = (ms = 1_000): Entry => entry('', ms, { kind: 'absent', payload: NO_PAYLOAD });
  const deleted = (ms: number): Entry =>
    tombstone(at(ms), { eventTimeMs: 1, hlc: at(1), origin: 1 }, clock.wallMs(), 60_000);
  return { clock, codec, floors, tier, at, entry, absent, deleted };
}

describe('read', () => {
  it('gives the value while it is fresh, and not a moment longer', () => {
    const { tier, clock, entry } = harness();
    tier.put('k', entry('v'), 'set');
    clock.advance(59_999);
    expect(tier.read('k')).toEqual({ text: 'v' });
    clock.advance(1);
    expect(tier.read('k')).toBe(NOT_HERE);
    expect(tier.find('k')).toBeUndefined();
    expect(tier.entries).toBe(0);
  });

  it('does not give a stale value, but find does until it is dead', () => {
    const { tier, clock, entry } = harness();
    tier.put('k', entry('v', 1_000, { staleWhileRevalidateMs: 10, staleIfErrorMs: 5_000 }), 'set');
    clock.advance(64_999);
    expect(tier.read('k')).toBe(NOT_HERE);
    expect(tier.find('k')?.value).toEqual({ text: 'v' });
    clock.advance(1);
    expect(tier.find('k')).toBeUndefined();
  });

  it('tells an absent entry from none', () => {
    const { tier, absent } = harness();
    tier.put('k', absent(), 'fill');
    expect(tier.read('k')).toBeUndefined();
    expect(tier.read('other')).toBe(NOT_HERE);
  });

  it('decodes once, and gives everybody the same object', () => {
    const { tier, codec, entry } = harness();
    tier.put('k', entry('v'), 'set');
    expect(codec.decodings).toBe(0);
    const first = tier.read('k');
    expect(tier.read('k')).toBe(first);
    expect(codec.decodings).toBe(1);
  });

  it('gives the first reader a value of its own when protecting it is dear, and the same one to all after it', () => {
    const { tier, entry } = harness();
    tier.put('k', entry('dear v'), 'set');
    const first = tier.read('k');
    const second = tier.read('k');
    expect(second).toEqual(first);
    expect(second).not.toBe(first);
    expect(tier.read('k')).toBe(second);
  });

  it('gives every reader a copy of what cannot be frozen', () => {
    const { tier, entry } = harness();
    tier.put('k', entry('bytes v'), 'set');
    const values = [1, 2, 3, 4].map(() => tier.read('k'));
    expect(new Set(values).size).toBe(4);
    expect(values[3]).toEqual({ text: 'bytes v' });
  });

  it('forgets bytes that cannot be read', () => {
    const { tier, entry } = harness();
    const broken = entry('', 1_000, { payload: new TextEncoder().encode('broken') });
    tier.put('k', broken, 'set');
    expect(tier.find('k')?.value).toBeUndefined();
    expect(tier.read('k')).toBe(NOT_HERE);
    expect(tier.entries).toBe(0);
    expect(tier.sizeBytes).toBe(0);
  });

  it('is not changed by a wall clock that is set', () => {
    const { tier, clock, entry } = harness();
    tier.put('k', entry('v'), 'set');
    clock.jumpWall(3_600_000);
    expect(tier.read('k')).toEqual({ text: 'v' });
    expect(tier.find('k')?.entry.freshUntilMs).toBe(clock.wallMs() + 60_000);
    clock.jumpWall(-7_200_000);
    clock.advance(60_000);
    expect(tier.read('k')).toBe(NOT_HERE);
  });
});

describe('find', () => {
  it('gives the entry as it was put, without payload, and what is known of its use', () => {
    const { tier, clock, entry } = harness();
    const put = entry('v', 1_234.5, {
      version: { eventTimeMs: 2 ** 47, hlc: { ms: 2 ** 47 - 1, counter: 65_535 }, origin: 2 ** 48 - 1 },
      fillStart: { ms: 2 ** 47, counter: 65_535 },
      fence: { ms: 3, counter: 4 },
      staleWhileRevalidateMs: 5,
      staleIfErrorMs: 400 * 86_400_000,
      tags: ['a', 'b'],
    });
    const startMs = clock.wallMs();
    tier.put('k', put, 'set');
    clock.advance(10);
    tier.read('k');
    clock.advance(10);
    tier.read('k');
    clock.advance(10);
    expect(tier.find('k')).toEqual({
      entry: { ...put, payload: NO_PAYLOAD },
      value: { text: 'v' },
      lastAccessedMs: startMs + 20,
      accessCount: 2,
      heldSinceMs: startMs,
    });
  });

  it('neither counts as a use nor decodes what nobody wants', () => {
    const { tier, codec, entry } = harness();
    tier.put('k', entry('v'), 'set');
    const found = tier.find('k');
    expect(codec.decodings).toBe(0);
    expect(found?.value).toEqual({ text: 'v' });
    expect(tier.find('k')?.accessCount).toBe(0);
  });

  it('finds tombstones, which read does not', () => {
    const { tier, deleted } = harness();
    tier.put('k', deleted(5_000), 'set');
    expect(tier.read('k')).toBe(NOT_HERE);
    expect(tier.find('k')).toMatchObject({ entry: { kind: 'tombstone', fence: { ms: 5_000 } }, accessCount: 0 });
    expect(tier.find('k')?.value).toBeUndefined();
  });

  it('keeps the count of uses over a newer value, and dates when that came', () => {
    const { tier, clock, entry } = harness();
    tier.put('k', entry('old', 1), 'set');
    tier.read('k');
    clock.advance(500);
    tier.put('k', entry('new', 2), 'set');
    expect(tier.find('k')).toMatchObject({ accessCount: 1, heldSinceMs: clock.wallMs() });
    clock.advance(500);
    tier.put('k', entry('older', 1), 'set');
    expect(tier.find('k')).toMatchObject({ accessCount: 1, heldSinceMs: clock.wallMs() - 500 });
  });
});

describe('put', () => {
  it('keeps the newer, and says what it keeps', () => {
    const { tier, entry } = harness();
    tier.put('k', entry('oldest', 500), 'set');
    expect([tier.read('k'), tier.read('k')]).toEqual([{ text: 'oldest' }, { text: 'oldest' }]);
    expect(tier.put('k', entry('new', 2_000), 'set')).toEqual({ kind: 'stored' });
    expect(tier.read('k')).toEqual({ text: 'new' });
    const newer = entry('new', 2_000).version;
    expect(tier.put('k', entry('old', 1_000), 'set')).toEqual({ kind: 'superseded', by: newer });
    expect(tier.read('k')).toEqual({ text: 'new' });
  });

  it('takes the value away when the newer one is dead already', () => {
    const { tier, clock, entry } = harness();
    tier.put('k', entry('v', 1), 'set');
    tier.put('k', entry('newer', 2, { freshUntilMs: clock.wallMs() }), 'set');
    expect([tier.read('k'), tier.entries, tier.sizeBytes]).toEqual([NOT_HERE, 0, 0]);
  });

  it('lets nothing past a tombstone that was issued or asked for before it', () => {
    const { tier, entry, deleted } = harness();
    tier.put('k', deleted(5_000), 'set');
    tier.put('k', entry('delayed set', 4_000), 'set');
    tier.put('k', entry('delayed fill', 5_000), 'fill');
    expect(tier.find('k')?.entry.kind).toBe('tombstone');
    tier.put('k', entry('later', 5_001), 'set');
    expect(tier.read('k')).toEqual({ text: 'later' });
    expect(tier.find('k')?.entry.fence).toEqual({ ms: 5_000, counter: 0 });
  });

  it('keeps the value that is here, decoded or not, when only its fence moves', () => {
    const { tier, codec, entry, deleted } = harness();
    tier.put('unread', entry('a', 5_000), 'set');
    tier.put('read', entry('b', 5_000), 'set');
    const value = tier.read('read');
    const sizeBytes = tier.sizeBytes;
    for (const key of ['unread', 'read']) tier.put(key, deleted(4_000), 'set');
    expect(codec.decodings).toBe(1);
    expect(tier.sizeBytes).toBe(sizeBytes);
    expect(tier.read('read')).toBe(value);
    expect(tier.read('unread')).toEqual({ text: 'a' });
    for (const key of ['unread', 'read']) expect(tier.find(key)?.entry.fence.ms).toBe(4_000);
  });

  it('does not take what lies below a floor, and keeps what it has', () => {
    const { tier, floors, at, entry } = harness();
    floors.raise({ scope: 'all', subject: '', hlc: at(2_000) });
    expect(tier.put('k', entry('v', 2_000), 'fill').kind).toBe('superseded');
    expect(tier.find('k')).toBeUndefined();
    tier.put('k', entry('v', 2_001), 'fill');
    tier.put('k', entry('w', 2_000), 'fill');
    expect(tier.read('k')).toEqual({ text: 'v' });
  });

  it('does not keep a larger buffer alive', () => {
    const kept: Uint8Array[] = [];
    const codec = new (class extends TextCodec {
      override decode(bytes: Uint8Array, readers?: Readers) {
        kept.push(bytes);
        return super.decode(bytes, readers);
      }
    })();
    const { tier, entry } = harness({ codec });
    const chunk = new Uint8Array(65_536);
    chunk.set(codec.encode('part'), 100);
    tier.put('k', entry('', 1, { payload: chunk.subarray(100, 106) }), 'fill');
    expect(tier.read('k')).toEqual({ text: 'part' });
    expect(kept[0]?.buffer.byteLength).toBe(6);
  });
});

describe('floors', () => {
  it('hide what was filled at or before them, by tag, pattern, partition or all', () => {
    const { tier, floors, at, entry } = harness();
    const kinds = [
      { scope: 'tag', subject: 'region:north' },
      { scope: 'pattern', subject: 'vehicle:*' },
      { scope: 'partition', subject: String(partitionOf('vehicle:1')) },
      { scope: 'all', subject: '' },
    ] as const;
    kinds.forEach((kind, i) => {
      const ms = 1_000 * (i + 1);
      tier.put('vehicle:1', entry('v', ms, { tags: ['region:north'] }), 'set');
      expect(tier.read('vehicle:1')).toEqual({ text: 'v' });
      floors.raise({ ...kind, hlc: at(ms - 1) });
      expect(tier.read('vehicle:1')).toEqual({ text: 'v' });
      floors.raise({ ...kind, hlc: at(ms) });
      expect(tier.find('vehicle:1')).toBeUndefined();
      expect(tier.read('vehicle:1')).toBe(NOT_HERE);
      expect(tier.entries).toBe(0);
    });
  });

  it('hide an absent entry as well', () => {
    const { tier, floors, at, absent } = harness();
    tier.put('k', absent(1_000), 'fill');
    expect(tier.read('k')).toBeUndefined();
    floors.raise({ scope: 'all', subject: '', hlc: at(1_000) });
    expect(tier.read('k')).toBe(NOT_HERE);
  });

  it('are asked once per state of the world, not at every hit', () => {
    const { tier, floors, at, entry } = harness();
    let asked = 0;
    const passes = floors.passes.bind(floors);
    floors.passes = (key, filled) => {
      asked += 1;
      return passes(key, filled);
    };
    tier.put('k', entry('v', 5_000), 'set');
    tier.read('k');
    asked = 0;
    for (let i = 0; i < 10; i++) tier.read('k');
    expect(asked).toBe(0);
    floors.raise({ scope: 'tag', subject: 'other', hlc: at(9_000) });
    for (let i = 0; i < 10; i++) tier.read('k');
    expect(asked).toBe(1);
  });

  it('leave a tombstone whose delete came after them', () => {
    const { tier, floors, at, entry, deleted } = harness();
    tier.put('k', deleted(5_000), 'set');
    floors.raise({ scope: 'all', subject: '', hlc: at(4_000) });
    tier.put('k', entry('delayed', 4_500), 'set');
    expect(tier.find('k')?.entry.kind).toBe('tombstone');
  });
});

describe('drop', () => {
  it('forgets the copy and its versions', () => {
    const { tier, entry } = harness();
    tier.put('k', entry('new', 2_000), 'set');
    tier.drop('k');
    tier.drop('k');
    expect([tier.read('k'), tier.entries, tier.sizeBytes]).toEqual([NOT_HERE, 0, 0]);
    tier.put('k', entry('old', 1_000), 'set');
    expect(tier.read('k')).toEqual({ text: 'old' });
  });

  it('of a partition hides what came before it, and only of this partition', () => {
    const { tier, entry } = harness();
    const keys = Array.from({ length: 600 }, (_, i) => `key:${i}`);
    for (const key of keys) tier.put(key, entry(key), 'set');
    for (const key of keys.slice(0, 300)) tier.read(key);
    const partition = partitionOf('key:7');
    tier.dropAll(partition);
    for (const key of keys) {
      expect(tier.read(key) === NOT_HERE).toBe(partitionOf(key) === partition);
    }
    tier.put('key:7', entry('again'), 'set');
    expect(tier.read('key:7')).toEqual({ text: 'again' });
  });

  it('of everything gives all back at once', () => {
    const { tier, entry } = harness();
    for (let i = 0; i < 900; i++) tier.put(`key:${i}`, entry('v'), 'set');
    const found = tier.find('key:5');
    tier.dropAll();
    expect([tier.entries, tier.sizeBytes, tier.read('key:5')]).toEqual([0, 0, NOT_HERE]);
    expect(found?.value).toEqual({ text: 'v' });
    for (let i = 0; i < 900; i++) tier.put(`key:${i}`, entry('w'), 'set');
    expect(tier.entries).toBe(900);
    expect(tier.read('key:5')).toEqual({ text: 'w' });
  });
});

describe('the budget', () => {
  const size = (key: string, text: string) => ENTRY_OVERHEAD_BYTES + key.length + text.length + 2;

  it('counts keys in UTF-8, payloads, tags and an overhead each', () => {
    const { tier, entry, deleted } = harness();
    tier.put('कुंजी', entry('abc'), 'set');
    expect(tier.sizeBytes).toBe(ENTRY_OVERHEAD_BYTES + 15 + 5);
    tier.put('कुंजी', entry('abcdef', 2_000), 'set');
    expect(tier.sizeBytes).toBe(ENTRY_OVERHEAD_BYTES + 15 + 8);
    tier.put('कुंजी', deleted(9_000), 'set');
    expect(tier.sizeBytes).toBe(ENTRY_OVERHEAD_BYTES + 15);
    tier.put('t', entry('', 1, { tags: ['one', 'two'] }), 'set');
    expect(tier.sizeBytes).toBeGreaterThan(2 * ENTRY_OVERHEAD_BYTES + 15 + 1 + 2 + 6);
  });

  it('is never exceeded after a put, in bytes or in entries', () => {
    const { tier, entry } = harness({ maxBytes: 10 * size('key:0', 'v'), maxEntries: 8 });
    for (let i = 0; i < 100; i++) {
      tier.put(`key:${i % 23}`, entry('v'.repeat((i * 37) % 700), i), 'set');
      expect(tier.sizeBytes).toBeLessThanOrEqual(10 * size('key:0', 'v'));
      expect(tier.entries).toBeLessThanOrEqual(8);
    }
    expect(tier.entries).toBeGreaterThan(2);
  });

  it('makes room for what grows in place', () => {
    const { tier, entry } = harness({ maxBytes: 4 * size('k0', 'v'), maxEntries: 100 });
    for (let i = 0; i < 4; i++) tier.put(`k${i}`, entry('v'), 'set');
    tier.read('k3');
    tier.put('k3', entry('v'.repeat(size('k0', 'v')), 2_000), 'set');
    expect(tier.entries).toBe(3);
    expect(tier.read('k3')).not.toBe(NOT_HERE);
  });

  it('does not keep what is larger than all of it, nor the older copy', () => {
    const { tier, entry } = harness({ maxBytes: 2_000 });
    tier.put('k', entry('small', 1_000), 'set');
    expect(tier.put('k', entry('v'.repeat(2_000), 2_000), 'set')).toEqual({ kind: 'stored' });
    expect([tier.read('k'), tier.entries, tier.sizeBytes]).toEqual([NOT_HERE, 0, 0]);
  });

  it('is kept for what is read', () => {
    const { tier, entry } = harness({ maxEntries: 50 });
    for (let i = 0; i < 2_000; i++) {
      tier.put(`once:${i}`, entry('v'), 'set');
      if (tier.read('often') === NOT_HERE) tier.put('often', entry('v'), 'set');
    }
    expect(tier.find('often')?.accessCount).toBeGreaterThan(1_900);
  });

  it('is given back by what is dead or dropped, while others are put', () => {
    const { tier, clock, entry } = harness();
    for (let i = 0; i < 200; i++) tier.put(`old:${i}`, entry('v'), 'set');
    clock.advance(60_000);
    for (let i = 0; i < 60; i++) tier.put(`new:${i}`, entry('v'), 'set');
    expect(tier.entries).toBe(60);
    for (let p = 0; p < 256; p++) tier.dropAll(p);
    for (let i = 0; i < 60; i++) tier.put('last', entry('v', i), 'set');
    expect(tier.entries).toBe(1);
    expect(tier.sizeBytes).toBe(size('last', 'v'));
  });

  it('refuses limits that are none', () => {
    for (const parts of [{ maxBytes: 0 }, { maxEntries: -1 }, { maxEntries: 1.5 }, { maxBytes: Number.NaN }]) {
      expect(() => harness(parts)).toThrow(/must be a whole number above 0/);
    }
  });
});

describe('trust', () => {
  it('is what a hit needs: without it the copy is found, but not handed out', () => {
    const leases = new FeedLeases(true);
    const { tier, clock, entry } = harness({ leases });
    tier.put('k', entry('v'), 'set');
    expect([tier.read('k'), tier.find('k')?.trusted]).toEqual([NOT_HERE, false]);
    leases.renew(partitionOf('k'), clock.monotonicMs());
    expect([tier.read('k'), tier.find('k')?.trusted]).toEqual([{ text: 'v' }, true]);
    clock.advance(FEED_LEASE_MS);
    expect([tier.read('k'), tier.find('k')?.value]).toEqual([NOT_HERE, { text: 'v' }]);
  });

  it('ends when a copy was held for as long as it may, and begins anew when it is confirmed', () => {
    const { tier, clock, entry } = harness({ holdMaxMs: 1_000 });
    tier.put('k', entry('v', 1_000), 'set');
    clock.advance(999);
    expect(tier.read('k')).toEqual({ text: 'v' });
    clock.advance(1);
    expect(tier.read('k')).toBe(NOT_HERE);
    tier.put('k', entry('v', 1_000, { fillStart: { ms: 1_001, counter: 0 } }), 'fill');
    expect(tier.read('k')).toEqual({ text: 'v' });
  });
});
