import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distanceKm } from '../../src/fleet/circle.js';
import { isWithin, regionOf } from '../../src/fleet/region.js';
import { openFleet, report } from './fleet-in-memory.js';

interface Point {
  readonly lat: number;
  readonly lon: number;
}
type Forgotten = 'vehicle' | 'tag' | 'all positions' | 'everything';

/** A fleet, and somebody who knows where each vehicle is and measures the distance to every one. */
function openCity() {
  const { clock, cache, fleet } = openFleet();
  const where = new Map<string, Point>();
  const idsOf = (found: readonly { readonly vehicleId: string }[]) => found.map((one) => one.vehicleId).sort();
  const within = (fits: (place: Point) => boolean) => [...where].filter(([, place]) => fits(place)).map(([id]) => id);
  return {
    clock,
    async move(vehicleId: number, to: Point) {
      await fleet.recordLocation(report(clock, { vehicleId, ...to }));
      where.set(String(vehicleId), to);
    },
    async forget(vehicleId: number, how: Forgotten) {
      if (how === 'vehicle') await fleet.invalidateVehicle(vehicleId);
      else if (how === 'tag') await cache.deleteByTag(`vehicle:${vehicleId}`);
      else if (how === 'all positions') await cache.deleteByPattern('vehicle:*');
      else await cache.clear();
    },
    async checkBox(a: Point, b: Point) {
      const [south, north] = [Math.min(a.lat, b.lat), Math.max(a.lat, b.lat)];
      const [west, east] = [Math.min(a.lon, b.lon), Math.max(a.lon, b.lon)];
      const box = { south, west, north, east };
      expect(idsOf(await fleet.nearbyVehicles(box))).toEqual(within((place) => isWithin(box, place)).sort());
    },
    async checkCircle(centre: Point, radiusKm: number, limit: number | undefined) {
      const found = await fleet.nearbyVehicles({ ...centre, radiusKm }, { ...(limit && { limit }) });
      const near = within((place) => distanceKm(centre, place) <= radiusKm);
      const farOf = (id: string) => distanceKm(centre, where.get(id) ?? centre);
      const nearest = near.sort((x, y) => farOf(x) - farOf(y) || (x < y ? -1 : 1)).slice(0, limit);
      expect(found.map((vehicle) => vehicle.vehicleId)).toEqual(nearest);
      expect(found.map((vehicle) => vehicle.distanceKm)).toEqual(nearest.map(farOf));
      for (const vehicle of found) expect(vehicle).toMatchObject(where.get(vehicle.vehicleId) ?? {});
    },
    async checkRegions() {
      for (const region of new Set([...where.values()].map(({ lat, lon }) => regionOf(lat, lon)))) {
        const inside = within(({ lat, lon }) => regionOf(lat, lon) === region);
        expect(idsOf(await fleet.nearbyVehicles(region))).toEqual(inside.sort());
      }
    },
  };
}

describe('nearbyVehicles', () => {
  it('answers like somebody who measures the distance to every vehicle, however they move and whatever is forgotten', async () => {
    const point = fc.record({
      lat: fc.double({ min: 19.0, max: 19.06, noNaN: true }),
      lon: fc.double({ min: 72.8, max: 72.86, noNaN: true }),
    });
    const vehicleId = fc.integer({ min: 1, max: 12 });
    const limit = fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined });
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('move' as const), vehicleId, to: point }) },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('circle' as const),
          centre: point,
          radiusKm: fc.double({ min: 0, max: 5, noNaN: true }),
          limit,
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('box' as const), a: point, b: point }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('forget' as const),
          vehicleId,
          how: fc.constantFrom<Forgotten>('vehicle', 'tag', 'all positions', 'everything'),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(900, 5_000, 40_000) }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
        const city = openCity();
        for (const one of steps) {
          await city.clock.advanceSettled(1);
          if (one.kind === 'move') await city.move(one.vehicleId, one.to);
          else if (one.kind === 'wait') await city.clock.advanceSettled(one.ms);
          else if (one.kind === 'forget') await city.forget(one.vehicleId, one.how);
          else if (one.kind === 'box') await city.checkBox(one.a, one.b);
          else await city.checkCircle(one.centre, one.radiusKm, one.limit);
        }
        await city.checkRegions();
      }),
      { numRuns: 100 },
    );
  });

  it('asks the database once for a place, and not for the vehicles that move, enter and leave', async () => {
    const { clock, repository, fleet } = openFleet();
    await fleet.recordLocations([report(clock), report(clock, { vehicleId: 43, lat: 19.1 })]);
    const circle = { lat: 19.08, lon: 72.87, radiusKm: 3 };
    await fleet.nearbyVehicles(circle);
    await clock.advanceSettled(1_000);
    expect((await fleet.nearbyVehicles(circle)).map(({ vehicleId }) => vehicleId)).toEqual(['42', '43']);
    const reads = () => repository.queries - repository.saves.length;
    const before = reads();
    for (const [id, lat] of [
      [42, 19.0768],
      [43, 19.14],
      [42, 19.0868],
      [43, 19.0968],
    ] as const) {
      await clock.advanceSettled(10_000);
      await fleet.recordLocation(report(clock, { vehicleId: id, lat }));
      const found = await fleet.nearbyVehicles(circle);
      expect(found.find(({ vehicleId }) => vehicleId === String(id))?.lat).toBe(lat === 19.14 ? undefined : lat);
    }
    expect(reads()).toBe(before);
  });

  it.each(['vehicle', 'tag'] as const)('finds a vehicle whose position was invalidated, by its %s', async (how) => {
    const city = openCity();
    const place = { lat: 19.0765, lon: 72.8777 };
    await city.move(42, place);
    await city.checkCircle(place, 1, undefined);
    await city.clock.advanceSettled(1_000);
    await city.checkCircle(place, 1, undefined);
    await city.forget(42, how);
    await city.checkCircle(place, 1, undefined);
    await city.checkRegions();
  });

  it('takes a list that is served because the database fails for no beginning of an index', async () => {
    const { clock, cache, repository, fleet } = openFleet();
    const region = '19.07,72.87';
    await fleet.recordLocation(report(clock));
    await fleet.nearbyVehicles(region);
    await cache.set('nearby:vehicles:19.07,72.87', [], { ttl: '1s', staleIfError: '10m' });
    await clock.advanceSettled(2_000);
    repository.failure = new Error('the database is down');
    expect(await fleet.nearbyVehicles(region)).toEqual([]);
    repository.failure = undefined;
    await clock.advanceSettled(2_000);
    expect((await fleet.nearbyVehicles(region)).map(({ vehicleId }) => vehicleId)).toEqual(['42']);
  });

  it('knows after a minute without questions nothing that is not so any more', async () => {
    const { clock, cache, fleet } = openFleet();
    await fleet.recordLocation(report(clock));
    await fleet.nearbyVehicles('19.07,72.87');
    await clock.advanceSettled(1_000);
    expect(await fleet.nearbyVehicles('19.07,72.87')).toHaveLength(1);
    await clock.advanceSettled(61_000);
    await fleet.recordLocation(report(clock, { vehicleId: 43 }));
    await clock.advanceSettled(1);
    // Nobody listens to the cache any more: the next one is not heard of.
    await fleet.recordLocation(report(clock, { vehicleId: 44 }));
    expect(await fleet.nearbyVehicles('19.07,72.87')).toHaveLength(3);
    await clock.advanceSettled(1_000);
    expect(await fleet.nearbyVehicles('19.07,72.87')).toHaveLength(3);
    expect(cache.hearsAll).toBe(true);
  });

  it('goes by where a vehicle is, not by where it is listed', async () => {
    const { clock, cache, fleet } = openFleet();
    await fleet.recordLocation(report(clock));
    await cache.set('nearby:vehicles:18.52,73.85', ['42']);
    expect(await fleet.nearbyVehicles('18.52,73.85')).toEqual([]);
    expect(await fleet.nearbyVehicles({ lat: 18.525, lon: 73.855, radiusKm: 1 })).toEqual([]);
  });

  it.each([
    ['region', 'Mumbai'],
    ['lat', { lat: 91, lon: 72, radiusKm: 1 }],
    ['radiusKm', { lat: 19, lon: 72, radiusKm: 1_000 }],
    ['box', { south: 19, west: 72, north: 18, east: 73 }],
    ['box', { south: 8, west: 68, north: 35, east: 97 }],
  ])('refuses a place whose %s is wrong', async (field, where) => {
    const { fleet } = openFleet();
    await expect(fleet.nearbyVehicles(where)).rejects.toMatchObject({ code: 'invalid-value', field });
  });

  it('refuses a limit that is none', async () => {
    const { fleet } = openFleet();
    const asked = fleet.nearbyVehicles('19.07,72.87', { limit: 0 });
    await expect(asked).rejects.toMatchObject({ code: 'invalid-value', field: 'limit' });
  });
});
