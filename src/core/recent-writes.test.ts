import { describe, expect, it } from 'vitest';
import { deletion, hlc, valueEntry, version } from '../../test/core/entries.js';
import { VirtualClock } from '../../test/virtual-clock.js';
import { partitionOf } from './key.js';
import { RECENT_MS, RecentWrites } from './recent-writes.js';

/** Keys of one partition. */
const KEYS = Array.from({ length: 100_000 }, (_, i) => `k${i}`).filter((key) => partitionOf(key) === 7);
const [A = '', B = ''] = KEYS;

function start() {
  const clock = new VirtualClock();
  const recent = new RecentWrites(clock);
  const note = (key: string, entry = valueEntry(5)) => recent.note({ key, entry, mode: 'set' });
  return { clock, recent, note, keys: () => recent.of(7).writes.map(({ key }) => key) };
}

describe('RecentWrites', () => {
  it('remembers of each key the newest state, by partition', () => {
    const { recent, note } = start();
    note(A, valueEntry(6));
    note(A, valueEntry(5));
    note(B, valueEntry(5));
    note(B, deletion(7));
    const [a, b] = recent.of(7).writes;
    expect([a?.key, a?.entry.version, a?.mode]).toEqual([A, version(6), 'set']);
    expect([b?.key, b?.entry.kind, b?.entry.fence]).toEqual([B, 'tombstone', hlc(7)]);
    expect(recent.of(8)).toEqual({ writes: [], forgotten: undefined });
  });

  it('goes on remembering what was told', () => {
    const { recent, note } = start();
    note(A);
    expect(recent.of(7)).toEqual(recent.of(7));
    expect(recent.of(7).writes).toHaveLength(1);
  });

  it('forgets what cannot be lost any more, and misses nothing then', async () => {
    const { clock, recent, note, keys } = start();
    note(A);
    await clock.advance(RECENT_MS / 2);
    note(B);
    await clock.advance(RECENT_MS / 2 + 1);
    expect(keys()).toEqual([B]);
    expect(recent.of(7).forgotten).toBeUndefined();
  });

  it('keeps the last of too many, and knows up to which reading others are missing', () => {
    const { recent, note, keys } = start();
    const some = KEYS.slice(0, 200);
    for (const [i, key] of some.entries()) note(key, valueEntry(1_000 + i));
    expect(keys()).toEqual(some.slice(-128));
    expect(recent.of(7).forgotten).toEqual(hlc(1_000 + 200 - 128 - 1));
  });

  it('counts a delete that it forgot by its fence', () => {
    const { recent, note } = start();
    note(A, deletion(50, 5));
    for (const [i, key] of KEYS.slice(1, 129).entries()) note(key, valueEntry(100 + i));
    expect(recent.of(7).forgotten).toEqual(hlc(50));
  });

  it('is bounded in bytes, and forgets at once what is larger than all that it may keep', () => {
    const { recent, note, keys } = start();
    note(A, valueEntry(5, { payload: new Uint8Array(40_000) }));
    note(B, valueEntry(6, { payload: new Uint8Array(40_000) }));
    expect(keys()).toEqual([B]);
    note(A, valueEntry(7, { payload: new Uint8Array(100_000) }));
    expect(keys()).toEqual([]);
    expect(recent.of(7).forgotten).toEqual(hlc(7));
    note(A, valueEntry(8, { payload: new Uint8Array(60_000) }));
    expect(keys()).toEqual([A]);
  });

  it('misses what it had to forget for no longer than it can be lost', async () => {
    const { clock, recent, note } = start();
    for (const key of KEYS.slice(0, 129)) note(key);
    expect(recent.of(7).forgotten).toEqual(hlc(5));
    await clock.advance(RECENT_MS + 1);
    expect(recent.of(7)).toEqual({ writes: [], forgotten: undefined });
  });
});
