import { describe, expect, it } from 'vitest';
import { openFleet, report } from './fleet-in-memory.js';

describe('the newest position among several of one time', () => {
  it('is the same one of those of one time, whatever their order, in one call and in several', async () => {
    const frames = [999_999, 2, 1];
    for (const order of [frames, [...frames].reverse(), [2, 999_999, 1]]) {
      const { clock, cache, repository, fleet } = openFleet();
      const heard: number[] = [];
      fleet.subscribe({}, ({ speedKmh }) => heard.push(speedKmh));
      const updates = order.map((frame) => report(clock, { frame, speedKmh: frame % 100 }));
      await fleet.recordLocations(updates);
      expect((await fleet.vehicleLocation(42))?.speedKmh).toBe(2);
      expect(await fleet.recordLocation(report(clock, { frame: 3, speedKmh: 3 }))).toMatchObject({
        outcome: 'newest',
        location: { revision: 4 },
      });
      expect((await fleet.recordLocation(report(clock, { frame: 999_998, speedKmh: 98 }))).outcome).toBe('history');
      expect(await cache.get('vehicle:location:42')).toMatchObject({ speedKmh: 3, revision: 5 });
      expect(await repository.history('42')).toHaveLength(5);
      await cache.clear();
      expect(await fleet.vehicleLocation(42)).toMatchObject({ speedKmh: 3, revision: 5 });
      // Of the last one more was said: it is told once more.
      expect(heard).toEqual([2, 3, 3]);
    }
  });

  it('is told to the cache by whoever brought it back: the choice of a moment may return to one that came before', async () => {
    const { clock, cache, fleet } = openFleet();
    for (const [frame, shown] of [
      [1, 1],
      [500_000, 2],
      [700_000, 1],
    ] as const) {
      const speedKmh = frame === 1 ? 1 : frame === 500_000 ? 2 : 3;
      const { outcome } = await fleet.recordLocation(report(clock, { frame, speedKmh }));
      expect(outcome).toBe(shown === speedKmh ? 'newest' : 'history');
      expect(await cache.get('vehicle:location:42')).toMatchObject({ speedKmh: shown });
    }
  });

  it('is not taken back in the cache by one of the same time that was chosen before and told late', async () => {
    const { clock, cache, repository, fleet } = openFleet();
    let release = () => {};
    repository.hold = new Promise((resolve) => {
      release = resolve;
    });
    const late = fleet.recordLocation(report(clock, { frame: 1, speedKmh: 1 }));
    await clock.advanceSettled(0);
    repository.hold = undefined;
    await fleet.recordLocation(report(clock, { frame: 2, speedKmh: 2 }));
    release();
    await late;
    expect(await cache.get('vehicle:location:42')).toMatchObject({ speedKmh: 2 });
  });
});
