import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distanceKm } from '../../src/fleet/circle.js';
import { regionOf } from '../../src/fleet/region.js';
import { openFleet, report } from './fleet-in-memory.js';

describe('nearbyVehicles', () => {
  it('answers like somebody who measures the distance to every vehicle, however they move', async () => {
    const point = fc.record({
      lat: fc.double({ min: 19.0, max: 19.06, noNaN: true }),
      lon: fc.double({ min: 72.8, max: 72.86, noNaN: true }),
    });
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ vehicleId: fc.integer({ min: 1, max: 12 }), to: point }) },
      { weight: 1, arbitrary: fc.record({ centre: point, radiusKm: fc.double({ min: 0, max: 5, noNaN: true }) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { clock, fleet } = openFleet();
        const where = new Map<string, { lat: number; lon: number }>();
        for (const one of steps) {
          await clock.advanceSettled(1);
          if ('to' in one) {
            await fleet.recordLocation(report(clock, { vehicleId: one.vehicleId, ...one.to }));
            where.set(String(one.vehicleId), one.to);
            continue;
          }
          const found = await fleet.nearbyVehicles({ ...one.centre, radiusKm: one.radiusKm });
          const near = [...where]
            .filter(([, place]) => distanceKm(one.centre, place) <= one.radiusKm)
            .map(([id]) => id);
          expect(found.map(({ vehicleId }) => vehicleId).sort()).toEqual(near.sort());
          const distances = found.map((vehicle) => vehicle.distanceKm);
          expect(distances).toEqual([...distances].sort((a, b) => a - b));
        }
        for (const region of new Set([...where.values()].map(({ lat, lon }) => regionOf(lat, lon)))) {
          const inside = [...where].filter(([, { lat, lon }]) => regionOf(lat, lon) === region).map(([id]) => id);
          const found = await fleet.nearbyVehicles(region);
          expect(found.map(({ vehicleId }) => vehicleId).sort()).toEqual(inside.sort());
        }
      }),
      { numRuns: 100 },
    );
  });

  it('asks the database once for a place, and then only for what a vehicle entered or left', async () => {
    const { clock, repository, fleet } = openFleet();
    await fleet.recordLocations([report(clock), report(clock, { vehicleId: 43, lat: 19.1 })]);
    const circle = { lat: 19.08, lon: 72.87, radiusKm: 3 };
    let before = repository.queries;
    expect((await fleet.nearbyVehicles(circle)).map(({ vehicleId }) => vehicleId)).toEqual(['42', '43']);
    expect(repository.queries - before).toBe(1);
    expect(await fleet.nearbyVehicles(circle)).toHaveLength(2);
    expect(repository.queries - before).toBe(1);
    await clock.advanceSettled(10);
    await fleet.recordLocation(report(clock, { lat: 19.0768 }));
    before = repository.queries;
    expect((await fleet.nearbyVehicles(circle))[0]?.lat).toBe(19.0768);
    expect(repository.queries).toBe(before);
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
  ])('refuses a place whose %s is wrong', async (field, where) => {
    const { fleet } = openFleet();
    await expect(fleet.nearbyVehicles(where)).rejects.toMatchObject({ code: 'invalid-value', field });
  });
});
