import { describe, expect, it } from 'vitest';
import type { Cache } from '../../src/core/cache.js';
import type { RowChange } from '../../src/fleet/change-effects.js';
import { ChangeInvalidation } from '../../src/fleet/change-invalidation.js';
import type { VehicleLocation } from '../../src/fleet/domain.js';
import { locationVersion } from '../../src/fleet/positions.js';
import { type FleetInMemory, openFleet, report, vehicle } from './fleet-in-memory.js';

interface Followed extends FleetInMemory {
  readonly invalidation: ChangeInvalidation;
}

function follow(): Followed {
  const opened = openFleet();
  return { ...opened, invalidation: new ChangeInvalidation(opened.cache) };
}

/** What the database says of a saved position. */
async function savedChange({ fleet, clock }: Followed, offsetMs: number): Promise<RowChange> {
  const at = clock.wallMs() + offsetMs;
  const recorded = await fleet.recordLocation(report(clock, { at }));
  if (recorded.outcome !== 'newest') throw new Error(`it became ${recorded.outcome}`);
  return moved(undefined, recorded.location);
}

function moved(before: VehicleLocation | undefined, after: VehicleLocation | undefined): RowChange {
  const row = (location: VehicleLocation | undefined) =>
    location === undefined ? undefined : { vehicleId: location.vehicleId, location };
  return { table: 'vehicle_locations', before: row(before), after: row(after) };
}

const locationOf = (change: RowChange) => change.after?.location as VehicleLocation;

describe('changes of the database, brought to the cache', () => {
  it('cost no read and no write where the cache has told of the position already', async () => {
    const followed = follow();
    const change = await savedChange(followed, -1_000);
    const before = await followed.cache.getEntry('vehicle:location:42');
    const { reads } = followed.cache.stats();
    await followed.invalidation.apply([change, change]);
    expect(followed.cache.stats().reads).toBe(reads);
    expect((await followed.cache.getEntry('vehicle:location:42'))?.version).toBe(before?.version);
    expect(followed.invalidation.stats()).toEqual({ deleted: 0, deletedPatterns: 0, positions: 0, known: 1 });
  });

  it('bring in a position of which the cache has not heard, with its lifetime and tags, whatever comes late', async () => {
    const followed = follow();
    const first = locationOf(await savedChange(followed, -20_000));
    const newer = { ...first, at: new Date(first.at.getTime() + 10_000), lat: 19.08 };
    await followed.invalidation.apply([moved(first, newer)]);
    expect(followed.cache.peek('vehicle:location:42')).toEqual(newer);
    const entry = await followed.cache.getEntry('vehicle:location:42');
    expect(entry).toMatchObject({ ttlMs: 30_000, tags: expect.arrayContaining(['type:location', 'vehicle:42']) });
    await followed.invalidation.apply([moved(undefined, first)]);
    expect(followed.cache.peek('vehicle:location:42')).toEqual(newer);
  });

  it('hear of a position again after it was deleted', async () => {
    const followed = follow();
    const change = await savedChange(followed, -1_000);
    await followed.cache.delete('vehicle:location:42');
    await followed.invalidation.apply([change]);
    expect(followed.invalidation.stats()).toMatchObject({ known: 0, positions: 1 });
  });

  it('take back a position that was corrected, at the same time or to an earlier one', async () => {
    for (const offsetMs of [0, -10_000]) {
      const followed = follow();
      const first = locationOf(await savedChange(followed, -20_000));
      const corrected = { ...first, at: new Date(first.at.getTime() + offsetMs), lat: 18 };
      await followed.invalidation.apply([moved(first, corrected)]);
      expect(followed.cache.peek('vehicle:location:42')).toBeUndefined();
    }
  });

  it('go by what the database says of a vehicle that was set back, not by what was heard of before', async () => {
    const followed = follow();
    const first = locationOf(await savedChange(followed, -20_000));
    const before = { ...first, at: new Date(first.at.getTime() - 300_000) };
    const between = { ...first, at: new Date(first.at.getTime() - 100_000), lat: 18 };
    await followed.invalidation.apply([moved(first, before)]);
    // As a node whose write was heard of late.
    await followed.cache.set('vehicle:location:42', first, { eventTime: locationVersion(first) });
    await followed.cache.delete('vehicle:location:42');
    await followed.cache.getOrLoad('vehicle:location:42', () => before, { eventTimeOf: locationVersion });
    await followed.invalidation.apply([moved(before, between)]);
    // Or a move from before it was set back, that is told late: the database is asked which.
    expect(followed.cache.peek('vehicle:location:42')).toBeUndefined();
    await followed.cache.getOrLoad('vehicle:location:42', () => between, { eventTimeOf: locationVersion });
    await followed.invalidation.apply([moved(before, between)]);
    expect(followed.cache.peek('vehicle:location:42')).toEqual(between);
  });

  it('empty the lists of the regions that a vehicle left and came to, and its routes', async () => {
    const followed = follow();
    const first = locationOf(await savedChange(followed, -20_000));
    const newer = { ...first, at: new Date(first.at.getTime() + 10_000), region: '19.08:72.87' };
    for (const key of [
      `nearby:vehicles:${first.region}`,
      'nearby:vehicles:19.08:72.87',
      'route:eta:42',
      'route:eta:43',
    ]) {
      await followed.cache.set(key, ['42']);
    }
    await followed.invalidation.apply([moved(first, newer)]);
    expect(followed.cache.peek(`nearby:vehicles:${first.region}`)).toBeUndefined();
    expect(followed.cache.peek('nearby:vehicles:19.08:72.87')).toBeUndefined();
    expect(followed.cache.peek('route:eta:42')).toBeUndefined();
    expect(followed.cache.peek('route:eta:43')).toEqual(['42']);
  });

  it('remove the lists of regions before the position is stored, so that who hears of it finds no list without it', async () => {
    const { cache, invalidation, ...followed } = follow();
    const first = locationOf(await savedChange({ cache, invalidation, ...followed }, -20_000));
    const newer = { ...first, at: new Date(first.at.getTime() + 10_000), region: '19.08:72.87' };
    const told: string[] = [];
    cache.on('changed', ({ key }) => told.push(key));
    await invalidation.apply([moved(first, newer)]);
    expect(told).toEqual([`nearby:vehicles:${first.region}`, 'nearby:vehicles:19.08:72.87', 'vehicle:location:42']);
  });

  it('remove everything of the fleet, and nothing else, when nobody knows what was changed', async () => {
    const { cache, invalidation, repository, fleet } = follow();
    await repository.saveVehicles([vehicle('42')], { signal: new AbortController().signal, remainingMs: 1_000 });
    await fleet.vehicle(42);
    await fleet.trips(42);
    await cache.set('vehicle:fuel:42:2026', 1);
    await cache.set('somebody:else', 1);
    await invalidation.startOver();
    const kept = ['vehicle:details:42', 'vehicle:trips:42:recent', 'vehicle:fuel:42:2026'].map((key) =>
      cache.peek(key),
    );
    expect(kept).toEqual([undefined, undefined, undefined]);
    expect(cache.peek('somebody:else')).toBe(1);
  });

  it('are to be told again when an invalidation has not reached the level that the city shares', async () => {
    const { cache } = follow();
    const failing: Cache = Object.assign(Object.create(cache) as Cache, {
      on: cache.on.bind(cache),
      deleteByPattern: async () => ({ distributed: 'skipped', errors: {} }),
    });
    const invalidation = new ChangeInvalidation(failing);
    await expect(invalidation.startOver()).rejects.toMatchObject({ code: 'level-failed' });
    await expect(invalidation.apply([{ table: 'trips', before: undefined, after: undefined }])).rejects.toMatchObject({
      code: 'level-failed',
    });
  });
});
