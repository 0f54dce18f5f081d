import { describe, expect, it } from 'vitest';
import { deletion, hlc, NOW_MS, valueEntry, version } from '../../test/core/entries.js';
import { MemoryTier } from '../../test/memory-tier.js';
import { VirtualClock } from '../../test/virtual-clock.js';
import { Floors } from './floors.js';
import { HybridClock } from './hlc.js';
import { partitionOf } from './key.js';
import { RECENT_MS, RecentWrites } from './recent-writes.js';
import { RecoveryQueue } from './recovery.js';

const OUT = new Error('out');

function start() {
  const clock = new VirtualClock();
  const tier = new MemoryTier('distributed', clock);
  const floors = new Floors();
  const recent = new RecentWrites(clock);
  const queue = new RecoveryQueue({ clock, hlc: new HybridClock(clock), floors, tier, feed: tier.feed(), recent });
  const add = (key: string, entry = valueEntry(5)) => queue.add({ key, entry, mode: 'set' });
  return { clock, tier, floors, queue, add };
}

describe('RecoveryQueue', () => {
  it('sends again until the level takes it, and no longer', async () => {
    const { clock, tier, queue, add } = start();
    tier.failing = OUT;
    add('k');
    await clock.advanceSettled(10_000);
    expect([queue.size, tier.asked.length > 3]).toEqual([1, true]);
    tier.failing = undefined;
    await clock.advanceSettled(1_000);
    expect([queue.size, tier.entries.get('k')?.version]).toEqual([0, version(5)]);
    const asked = tier.asked.length;
    await clock.advanceSettled(10_000);
    expect(tier.asked).toHaveLength(asked);
  });

  it('keeps the newer of two writes of a key, whichever came last', async () => {
    const { clock, tier, add } = start();
    add('up', valueEntry(5));
    add('up', valueEntry(6));
    add('down', valueEntry(6));
    add('down', valueEntry(5));
    add('gone', valueEntry(5));
    add('gone', deletion(7));
    await clock.advanceSettled(1_000);
    expect(tier.entries.get('up')?.version).toEqual(version(6));
    expect(tier.entries.get('down')?.version).toEqual(version(6));
    expect(tier.entries.get('gone')).toMatchObject({ kind: 'tombstone', fence: hlc(7) });
  });

  it('brings nothing back: what the level has newer, or deleted, stays', async () => {
    const { clock, tier, queue, add } = start();
    tier.entries.set('newer', valueEntry(9));
    tier.entries.set('deleted', deletion(9, 5));
    add('newer');
    add('deleted');
    await clock.advanceSettled(1_000);
    expect(queue.size).toBe(0);
    expect(tier.entries.get('newer')?.version).toEqual(version(9));
    expect(tier.entries.get('deleted')?.kind).toBe('tombstone');
  });

  it('does not send what has died while it waited', async () => {
    const { clock, tier, queue, add } = start();
    tier.failing = OUT;
    add('k', valueEntry(5, { freshUntilMs: NOW_MS + 1_000 }));
    await clock.advanceSettled(5_000);
    tier.failing = undefined;
    await clock.advanceSettled(1_000);
    expect([queue.size, tier.entries.size]).toEqual([0, 0]);
  });

  it('a write that comes in while an older one is under way is not taken for it', async () => {
    const { clock, tier, queue, add } = start();
    const hold = tier.hold('after write');
    add('k', valueEntry(5));
    await clock.advanceSettled(1_000);
    add('k', valueEntry(6));
    hold.release();
    await clock.advanceSettled(1_000);
    expect([queue.size, tier.entries.get('k')?.version]).toEqual([0, version(6)]);
  });

  it('is bounded: the writes of the fullest partition give way to a floor over it', async () => {
    const { clock, tier, floors, queue, add } = start();
    tier.failing = OUT;
    for (let i = 0; i <= 10_000; i++) add(`k${i}`);
    expect(queue.size).toBeLessThan(10_001);
    expect(queue.overflowed).toBe(10_001 - queue.size);
    const raised = floors.list();
    expect(raised).toHaveLength(1);
    const partition = Number(raised[0]?.subject);
    const given = Array.from({ length: 10_001 }, (_, i) => `k${i}`).filter((key) => partitionOf(key) === partition);
    expect(queue.overflowed).toBe(given.length);
    expect(floors.passes(given[0] as string, valueEntry(5))).toBe(false);
    expect(await queue.close()).toBe(queue.size);
    await clock.advanceSettled(1_000);
  });

  it('sends at its end what the level takes, and says what is lost', async () => {
    const { tier, queue, add } = start();
    for (let i = 0; i < 1_200; i++) add(`k${i}`);
    expect(await queue.close()).toBe(0);
    expect(tier.entries.size).toBe(1_200);
    const other = start();
    other.tier.failing = OUT;
    other.add('k');
    expect(await other.queue.close()).toBe(1);
  });

  it('says again what the level has lost, deletes first, as long as that is remembered', async () => {
    const { clock, tier, queue } = start();
    queue.taken({ key: 'set', entry: valueEntry(5), mode: 'set' });
    queue.taken({ key: 'gone', entry: deletion(7), mode: 'set' });
    queue.relapse(undefined, [{ key: 'other', entry: valueEntry(6), mode: 'set' }]);
    await clock.advanceSettled(1);
    expect(tier.asked).toEqual(['write gone,set,other']);
    expect([queue.size, tier.entries.get('gone')?.kind]).toEqual([0, 'tombstone']);
    tier.entries.clear();
    queue.relapse(partitionOf('set'), []);
    await clock.advanceSettled(1_000);
    expect(tier.entries.get('set')?.version).toEqual(version(5));
    await clock.advanceSettled(RECENT_MS);
    tier.entries.clear();
    queue.relapse(undefined, []);
    await clock.advanceSettled(1_000);
    expect(tier.entries.size).toBe(0);
  });

  it('says again what was taken late', async () => {
    const { clock, tier, queue, add } = start();
    add('k');
    await clock.advanceSettled(1_000);
    tier.entries.clear();
    queue.relapse(partitionOf('k'), []);
    await clock.advanceSettled(1_000);
    expect(tier.entries.get('k')?.version).toEqual(version(5));
  });

  it('brings nothing back with what it says again', async () => {
    const { clock, tier, queue } = start();
    queue.taken({ key: 'k', entry: valueEntry(5), mode: 'set' });
    tier.entries.set('k', deletion(9, 5));
    queue.relapse(undefined, []);
    await clock.advanceSettled(1_000);
    expect([queue.size, tier.entries.get('k')?.kind]).toEqual([0, 'tombstone']);
  });

  it('raises a floor where it does not remember all that may be lost, no higher than that', async () => {
    const { clock, floors, queue } = start();
    const keys = Array.from({ length: 200_000 }, (_, i) => `k${i}`).filter((key) => partitionOf(key) === 7);
    for (const [i, key] of keys.slice(0, 200).entries()) {
      queue.taken({ key, entry: valueEntry(1_000 + i), mode: 'set' });
    }
    queue.relapse(7, []);
    expect(floors.list()).toEqual([{ scope: 'partition', subject: '7', hlc: hlc(1_071) }]);
    await clock.advanceSettled(1_000);
  });

  it('lets a part of the level that stays away not keep the others from theirs', async () => {
    const { clock, tier, queue, add } = start();
    const write = tier.write.bind(tier);
    tier.write = async (writes) => {
      const outcomes = await write(writes);
      return outcomes.map((outcome, i) =>
        writes[i]?.key.startsWith('away') ? { kind: 'failed', error: OUT } : outcome,
      );
    };
    for (let i = 0; i < 600; i++) add(`away ${i}`);
    add('there');
    await clock.advanceSettled(2_000);
    expect([queue.size, tier.entries.has('there')]).toEqual([600, true]);
    await queue.close();
  });

  it('knows what is still to be told of a partition', async () => {
    const { clock, queue, add, tier } = start();
    tier.failing = OUT;
    add('k', valueEntry(6));
    add(['a', 'b', 'c'].find((key) => partitionOf(key) !== partitionOf('k')) as string);
    expect(queue.waitingOf(partitionOf('k'))).toEqual([{ key: 'k', entry: valueEntry(6), mode: 'set' }]);
    expect(queue.waitingOf(undefined)).toHaveLength(2);
    await queue.close();
    await clock.advanceSettled(1);
  });
});
