import { describe, expect, it } from 'vitest';
import { createFleet } from '../../src/fleet/fleet.js';
import { countReads, queriesPer1000Reads } from '../../src/node/demo/counting-repository.js';
import { pickZipf, seededChance } from '../../src/node/demo/seeded-random.js';
import { CALL, openFleet, report, runThrough, vehicle } from './fleet-in-memory.js';

const VEHICLES = 1_000;

describe('hot data', () => {
  it('cost no query at all after the warm-up, by kind, while reports come in and refreshes go on', async () => {
    const { clock, cache, repository: memory } = openFleet();
    const repository = countReads(memory);
    const fleet = createFleet({ cache, repository, clock });
    const ids = Array.from({ length: VEHICLES }, (_, i) => String(i + 1));
    await memory.saveVehicles(
      ids.map((id) => vehicle(id)),
      CALL,
    );
    await memory.saveStatuses(
      ids.map((id) => ({
        vehicleId: id,
        state: 'moving' as const,
        fuelPercent: 50,
        odometerKm: 1,
        updatedAt: new Date(clock.wallMs()),
      })),
      CALL,
    );
    // A third of them moves; the others stand with their engines off.
    const reportAll = (isMoving: (i: number) => boolean) =>
      fleet.recordLocations(
        ids
          .filter((_, i) => isMoving(i))
          .map((id) =>
            report(clock, Number(id) % 3 === 0 ? { vehicleId: id } : { vehicleId: id, engineOn: false, speedKmh: 0 }),
          ),
      );
    await reportAll(() => true);
    await runThrough(clock, fleet.warmUp());
    fleet.refresh.start();

    const chance = seededChance(5);
    const kinds = ['vehicleLocation', 'vehicleStatus', 'vehicle', 'trips'] as const;
    const before = repository.readCounts();
    const foreground = { reads: 0, queries: 0 };
    for (let second = 0; second < 120; second += 10) {
      const startedWith = repository.reads;
      for (let i = 0; i < 500; i++) {
        const id = ids[pickZipf(VEHICLES, 0.83, chance)] as string;
        expect(await fleet[kinds[i % 4] as (typeof kinds)[number]](id)).toBeDefined();
        foreground.reads += 1;
      }
      foreground.queries += repository.reads - startedWith;
      await reportAll((i) => (i + 1) % 3 === 0);
      await clock.advanceSettled(10_000);
    }
    expect(foreground).toEqual({ reads: 6_000, queries: 0 });
    const rates = queriesPer1000Reads(before, repository.readCounts(), foreground.reads);
    expect(rates.locations).toBe(0);
    // What was not warmed up is not hot: nobody asked for it.
    expect(rates).toMatchObject({ fuelRecords: 0, maintenanceRecords: 0, ewayBills: 0, activeVehicleIds: 0 });
    await fleet.close();
  });

  it('are counted by kind, reads apart from writes', async () => {
    const { repository: memory } = openFleet();
    const repository = countReads(memory);
    await memory.saveVehicles([vehicle('1')], CALL);
    const before = repository.readCounts();
    await repository.vehicles(['1'], CALL);
    await repository.vehicles(['1'], CALL);
    await repository.ewayBills(['1'], CALL);
    await repository.saveLocations([], CALL);
    expect(repository.reads).toBe(3);
    const rates = queriesPer1000Reads(before, repository.readCounts(), 500);
    expect(rates).toMatchObject({ vehicles: 4, ewayBills: 2, trips: 0, locations: 0 });
    expect(queriesPer1000Reads(before, before, 0)).toMatchObject({ vehicles: 0 });
  });
});
