import { describe, expect, it } from 'vitest';
import { deletion, hlc, NOW_MS, valueEntry, version } from '../../test/core/entries.js';
import { MemoryTier } from '../../test/memory-tier.js';
import { VirtualClock } from '../../test/virtual-clock.js';
import { Floors } from './floors.js';
import { HybridClock } from './hlc.js';
import { partitionOf } from './key.js';
import { RecoveryQueue } from './recovery.js';

const OUT = new Error('out');

function start() {
  const clock = new VirtualClock();
  const tier = new MemoryTier('distributed', clock);
  const floors = new Floors();
  const queue = new RecoveryQueue({ clock, hlc: new HybridClock(clock), floors, tier, feed: tier.feed() });
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
});
