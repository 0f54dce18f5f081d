import { describe, expect, it } from 'vitest';
import { memoryTier } from '../../test/memory/memory-tier-harness.js';
import { NO_PAYLOAD } from '../core/entry.js';
import { partitionOf } from '../core/key.js';
import { NOT_HERE } from '../core/local.js';

describe('read', () => {
  it('gives the value while it is fresh, and not a moment longer', () => {
    const { tier, clock, entry } = memoryTier();
    tier.put('k', entry('v'), 'set');
    clock.advance(59_999);
    expect(tier.read('k')).toEqual({ text: 'v' });
    clock.advance(1);
    expect(tier.read('k')).toBe(NOT_HERE);
    expect(tier.find('k')).toBeUndefined();
    expect(tier.entries).toBe(0);
  });

  it('reads its TTL off the clock that costs little, where no lease can run out', () => {
    let recentMs = 5_000;
    const { tier, entry } = memoryTier({ recentMs: () => recentMs });
    tier.put('k', entry('v'), 'set');
    recentMs += 59_999;
    expect(tier.read('k')).toEqual({ text: 'v' });
    recentMs += 1;
    expect(tier.read('k')).toBe(NOT_HERE);
  });

  it('does not give a stale value, but find does until it is dead', () => {
    const { tier, clock, entry } = memoryTier();
    tier.put('k', entry('v', 1_000, { staleWhileRevalidateMs: 10, staleIfErrorMs: 5_000 }), 'set');
    clock.advance(64_999);
    expect(tier.read('k')).toBe(NOT_HERE);
    expect(tier.find('k')?.value).toEqual({ text: 'v' });
    clock.advance(1);
    expect(tier.find('k')).toBeUndefined();
  });

  it('tells an absent entry from none', () => {
    const { tier, absent } = memoryTier();
    tier.put('k', absent(), 'fill');
    expect(tier.read('k')).toBeUndefined();
    expect(tier.read('other')).toBe(NOT_HERE);
  });

  it('decodes once, and gives everybody the same object', () => {
    const { tier, codec, entry } = memoryTier();
    tier.put('k', entry('v'), 'set');
    expect(codec.decodings).toBe(0);
    const first = tier.read('k');
    expect(tier.read('k')).toBe(first);
    expect(codec.decodings).toBe(1);
  });

  it('gives the first reader a value of its own when protecting it is dear, and the same one to all after it', () => {
    const { tier, entry } = memoryTier();
    tier.put('k', entry('dear v'), 'set');
    const first = tier.read('k');
    const second = tier.read('k');
    expect(second).toEqual(first);
    expect(second).not.toBe(first);
    expect(tier.read('k')).toBe(second);
  });

  it('gives every reader a copy of what cannot be frozen', () => {
    const { tier, entry } = memoryTier();
    tier.put('k', entry('bytes v'), 'set');
    const values = [1, 2, 3, 4].map(() => tier.read('k'));
    expect(new Set(values).size).toBe(4);
    expect(values[3]).toEqual({ text: 'bytes v' });
  });

  it('forgets bytes that cannot be read', () => {
    const { tier, entry } = memoryTier();
    const broken = entry('', 1_000, { payload: new TextEncoder().encode('broken') });
    tier.put('k', broken, 'set');
    expect(tier.find('k')?.value).toBeUndefined();
    expect(tier.read('k')).toBe(NOT_HERE);
    expect(tier.entries).toBe(0);
    expect(tier.sizeBytes).toBe(0);
  });

  it('is not changed by a wall clock that is set', () => {
    const { tier, clock, entry } = memoryTier();
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
    const { tier, clock, entry } = memoryTier();
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
      trusted: true,
      sizeBytes: tier.sizeBytes,
    });
  });

  it('neither counts as a use nor decodes what nobody wants', () => {
    const { tier, codec, entry } = memoryTier();
    tier.put('k', entry('v'), 'set');
    const found = tier.find('k');
    expect(codec.decodings).toBe(0);
    expect(found?.value).toEqual({ text: 'v' });
    expect(tier.find('k')?.accessCount).toBe(0);
  });

  it('finds tombstones, which read does not', () => {
    const { tier, deleted } = memoryTier();
    tier.put('k', deleted(5_000), 'set');
    expect(tier.read('k')).toBe(NOT_HERE);
    expect(tier.find('k')).toMatchObject({ entry: { kind: 'tombstone', fence: { ms: 5_000 } }, accessCount: 0 });
    expect(tier.find('k')?.value).toBeUndefined();
  });

  it('keeps the count of uses over a newer value, and dates when that came', () => {
    const { tier, clock, entry } = memoryTier();
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
    const { tier, entry } = memoryTier();
    tier.put('k', entry('oldest', 500), 'set');
    expect([tier.read('k'), tier.read('k')]).toEqual([{ text: 'oldest' }, { text: 'oldest' }]);
    expect(tier.put('k', entry('new', 2_000), 'set')).toEqual({ kind: 'stored' });
    expect(tier.read('k')).toEqual({ text: 'new' });
    const newer = entry('new', 2_000).version;
    expect(tier.put('k', entry('old', 1_000), 'set')).toEqual({ kind: 'superseded', by: newer });
    expect(tier.read('k')).toEqual({ text: 'new' });
  });

  it('takes the value away when the newer one is dead already', () => {
    const { tier, clock, entry } = memoryTier();
    tier.put('k', entry('v', 1), 'set');
    tier.put('k', entry('newer', 2, { freshUntilMs: clock.wallMs() }), 'set');
    expect([tier.read('k'), tier.entries, tier.sizeBytes]).toEqual([NOT_HERE, 0, 0]);
  });

  it('lets nothing past a tombstone that was issued or asked for before it', () => {
    const { tier, entry, deleted } = memoryTier();
    tier.put('k', deleted(5_000), 'set');
    tier.put('k', entry('delayed set', 4_000), 'set');
    tier.put('k', entry('delayed fill', 5_000), 'fill');
    expect(tier.find('k')?.entry.kind).toBe('tombstone');
    tier.put('k', entry('later', 5_001), 'set');
    expect(tier.read('k')).toEqual({ text: 'later' });
    expect(tier.find('k')?.entry.fence).toEqual({ ms: 5_000, counter: 0 });
  });

  it('keeps the value that is here, decoded or not, when only its fence moves', () => {
    const { tier, codec, entry, deleted } = memoryTier();
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
    const { tier, floors, at, entry } = memoryTier();
    floors.raise({ scope: 'all', subject: '', hlc: at(2_000) });
    expect(tier.put('k', entry('v', 2_000), 'fill').kind).toBe('superseded');
    expect(tier.find('k')).toBeUndefined();
    tier.put('k', entry('v', 2_001), 'fill');
    tier.put('k', entry('w', 2_000), 'fill');
    expect(tier.read('k')).toEqual({ text: 'v' });
  });
});

describe('floors', () => {
  it('hide what was filled at or before them, by tag, pattern, partition or all', () => {
    const { tier, floors, at, entry } = memoryTier();
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
    const { tier, floors, at, absent } = memoryTier();
    tier.put('k', absent(1_000), 'fill');
    expect(tier.read('k')).toBeUndefined();
    floors.raise({ scope: 'all', subject: '', hlc: at(1_000) });
    expect(tier.read('k')).toBe(NOT_HERE);
  });

  it('are asked once per state of the world, not at every hit', () => {
    const { tier, floors, at, entry } = memoryTier();
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
    const { tier, floors, at, entry, deleted } = memoryTier();
    tier.put('k', deleted(5_000), 'set');
    floors.raise({ scope: 'all', subject: '', hlc: at(4_000) });
    tier.put('k', entry('delayed', 4_500), 'set');
    expect(tier.find('k')?.entry.kind).toBe('tombstone');
  });
});

describe('drop', () => {
  it('forgets the copy and its versions', () => {
    const { tier, entry } = memoryTier();
    tier.put('k', entry('new', 2_000), 'set');
    tier.drop('k');
    tier.drop('k');
    expect([tier.read('k'), tier.entries, tier.sizeBytes]).toEqual([NOT_HERE, 0, 0]);
    tier.put('k', entry('old', 1_000), 'set');
    expect(tier.read('k')).toEqual({ text: 'old' });
  });

  it('of everything gives all back at once', () => {
    const { tier, entry } = memoryTier();
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
