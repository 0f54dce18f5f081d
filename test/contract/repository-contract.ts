import { beforeEach, describe, expect, it } from 'vitest';
import type { LoadCall } from '../../src/core/cache.js';
import type {
  EwayBill,
  FuelRecord,
  MaintenanceRecord,
  Trip,
  Vehicle,
  VehicleLocation,
  VehicleStatus,
} from '../../src/fleet/domain.js';
import type { FleetRepository, ReportedLocation } from '../../src/fleet/ports.js';
import { momentsContract } from './moments-contract.js';
import {
  makeEwayBill,
  makeFuelRecord,
  makeLocation,
  makeMaintenanceRecord,
  makeStatus,
  makeTrip,
  makeVehicle,
  newCall,
  placeOf,
  TIME_MS,
} from './repository-records.js';

/** The port of the fleet, and the ways by which data gets in. */
export interface SeededRepository extends FleetRepository {
  saveVehicles(vehicles: readonly Vehicle[], call: LoadCall): Promise<void>;
  saveStatuses(statuses: readonly VehicleStatus[], call: LoadCall): Promise<void>;
  saveTrips(trips: readonly Trip[], call: LoadCall): Promise<void>;
  saveFuelRecords(records: readonly FuelRecord[], call: LoadCall): Promise<void>;
  saveMaintenanceRecords(records: readonly MaintenanceRecord[], call: LoadCall): Promise<void>;
  saveEwayBills(bills: readonly EwayBill[], call: LoadCall): Promise<void>;
}

const LARGEST_ID = '18446744073709551615';
/** Text that a careless encoding would break. */
const HARD_TEXT = 'a "b" {c}, \\d\\ \'e\' NULL\n\u0926\u093f\u0932\u094d\u0932\u0940 \u{1f69a}';

/** @param make gives an empty repository */
export function repositoryContract(name: string, make: () => Promise<SeededRepository>): void {
  describe(`${name} as a repository of the fleet`, () => {
    let repository: SeededRepository;

    beforeEach(async () => {
      repository = await make();
    });

    const save = (...locations: ReportedLocation[]) => repository.saveLocations(locations, newCall());
    const newestOf = async (id: string) => (await repository.locations([id], newCall())).get(id);
    const isKept = async (location: VehicleLocation) => (await save(location))[0]?.duplicate;

    describe('reading', () => {
      it('gives back vehicles as they were saved, ids to the last of 64 bits', async () => {
        const vehicles = [
          makeVehicle('0', { active: false }),
          makeVehicle('9007199254740993', { model: HARD_TEXT, operatorId: '', type: 'bus', city: 'pune' }),
          makeVehicle(LARGEST_ID, { capacityKg: 0.1 + 0.2, updatedAt: new Date(TIME_MS + 1) }),
        ];
        await repository.saveVehicles(vehicles, newCall());
        const found = await repository.vehicles([LARGEST_ID, '0', '9007199254740993'], newCall());
        expect(new Set(found.keys())).toEqual(new Set(vehicles.map(({ id }) => id)));
        for (const vehicle of vehicles) expect(found.get(vehicle.id)).toStrictEqual(vehicle);
      });

      it('gives back statuses as they were saved', async () => {
        await repository.saveVehicles([makeVehicle('7'), makeVehicle(LARGEST_ID)], newCall());
        const statuses = [makeStatus('7', { state: 'workshop', fuelPercent: 0 }), makeStatus(LARGEST_ID)];
        await repository.saveStatuses(statuses, newCall());
        const found = await repository.statuses(['7', LARGEST_ID], newCall());
        expect([found.get('7'), found.get(LARGEST_ID)]).toStrictEqual(statuses);
      });

      it('gives back positions as they were saved, with and without a heading', async () => {
        const locations = [
          makeLocation('7', 1, { headingDeg: undefined, engineOn: false, speedKmh: 0, region: HARD_TEXT }),
          makeLocation(LARGEST_ID, 2, { lat: -33.12345678901234, lon: -179.99999999999997, headingDeg: 359.9 }),
        ];
        await save(...locations);
        const found = await repository.locations(['7', LARGEST_ID], newCall());
        expect([found.get('7'), found.get(LARGEST_ID)]).toStrictEqual(locations);
      });

      it('leaves out what does not exist, and minds neither repeated ids nor none', async () => {
        await repository.saveVehicles([makeVehicle('1')], newCall());
        expect([...(await repository.vehicles(['1', '2', '1'], newCall())).keys()]).toEqual(['1']);
        expect(await repository.statuses(['1'], newCall())).toEqual(new Map());
        expect(await repository.locations(['1'], newCall())).toEqual(new Map());
        expect(await repository.vehicles([], newCall())).toEqual(new Map());
      });

      it('reads thousands of ids at once', async () => {
        const vehicles = Array.from({ length: 2_500 }, (_, index) => makeVehicle(String(index + 1)));
        await repository.saveVehicles(vehicles, newCall());
        const found = await repository.vehicles(
          vehicles.map(({ id }) => id),
          newCall(),
        );
        expect(found.size).toBe(2_500);
        expect(found.get('2500')).toStrictEqual(vehicles.at(-1));
      });

      it('hands out copies: who changes what was read changes nothing', async () => {
        await save(makeLocation('1'));
        const read = await newestOf('1');
        read?.at.setTime(0);
        expect((await newestOf('1'))?.at).toEqual(new Date(TIME_MS));
      });

      it('rejects for a caller who has given up already', async () => {
        const call = { signal: AbortSignal.abort(new Error('enough')), remainingMs: 1_000 };
        await expect(repository.vehicles(['1'], call)).rejects.toMatchObject({ code: 'aborted' });
        await expect(repository.saveLocations([makeLocation('1')], call)).rejects.toMatchObject({ code: 'aborted' });
      });
    });

    describe('lists of a vehicle', () => {
      it('hold the newest 20 trips, newest first, by id at one time', async () => {
        await repository.saveVehicles([makeVehicle('1'), makeVehicle('2')], newCall());
        const trips = Array.from({ length: 25 }, (_, index) => makeTrip(`trip-${index}`, '1', index * 1_000));
        const twins = [makeTrip('a', '2', 500), makeTrip('B', '2', 500, { arrivedAt: new Date(TIME_MS + 900) })];
        await repository.saveTrips([...trips.slice(10), ...twins, ...trips.slice(0, 10)], newCall());
        const found = await repository.trips(['2', '1'], newCall());
        expect(found.get('1')).toStrictEqual(trips.slice(5).reverse());
        expect(found.get('2')).toStrictEqual(twins);
      });

      it('hold fuel and maintenance records alike', async () => {
        await repository.saveVehicles([makeVehicle('1')], newCall());
        const fuel = Array.from({ length: 22 }, (_, index) => makeFuelRecord(`fuel-${index}`, '1', index));
        const work = [
          makeMaintenanceRecord('older', '1', -1, new Date(TIME_MS + 86_400_000)),
          makeMaintenanceRecord('newer', '1'),
        ];
        await repository.saveFuelRecords(fuel, newCall());
        await repository.saveMaintenanceRecords(work, newCall());
        expect((await repository.fuelRecords(['1'], newCall())).get('1')).toStrictEqual(fuel.slice(2).reverse());
        expect((await repository.maintenanceRecords(['1'], newCall())).get('1')).toStrictEqual([...work].reverse());
      });

      it('hold the newest 20 e-way bills, as the portal extended them', async () => {
        await repository.saveVehicles([makeVehicle('1')], newCall());
        const bills = Array.from({ length: 22 }, (_, index) => makeEwayBill(index, '1', index * 1_000));
        await repository.saveEwayBills(bills, newCall());
        const extended = { ...(bills[21] as EwayBill), validUntil: new Date(TIME_MS + 2 * 86_400_000) };
        await repository.saveEwayBills([extended], newCall());
        const wanted = [extended, ...bills.slice(2, 21).reverse()];
        expect((await repository.ewayBills(['1'], newCall())).get('1')).toStrictEqual(wanted);
      });

      it('are empty for a vehicle that has none, and missing for one that does not exist', async () => {
        await repository.saveVehicles([makeVehicle('1')], newCall());
        for (const read of ['trips', 'fuelRecords', 'maintenanceRecords', 'ewayBills'] as const) {
          expect(await repository[read](['1', '2'], newCall())).toEqual(new Map([['1', []]]));
        }
      });
    });

    describe('finding vehicles', () => {
      it('lists those in service by the size of their ids, page by page', async () => {
        const ids = [LARGEST_ID, '10', '9', '9223372036854775808', '100'];
        await repository.saveVehicles(
          [...ids.map((id) => makeVehicle(id)), makeVehicle('50', { active: false })],
          newCall(),
        );
        const first = await repository.activeVehicleIds({ after: undefined, limit: 2 }, newCall());
        expect(first).toEqual(['9', '10']);
        const second = await repository.activeVehicleIds({ after: '10', limit: 2 }, newCall());
        expect(second).toEqual(['100', '9223372036854775808']);
        expect(await repository.activeVehicleIds({ after: '9223372036854775808', limit: 9 }, newCall())).toEqual([
          LARGEST_ID,
        ]);
        expect(await repository.activeVehicleIds({ after: '50', limit: 1 }, newCall())).toEqual(['100']);
        expect(await repository.activeVehicleIds({ after: LARGEST_ID, limit: 9 }, newCall())).toEqual([]);
      });

      it('finds newest positions in a box, its borders included, in order of id, up to a limit', async () => {
        const inside = [
          makeLocation('1', 0, { lat: 19, lon: 72 }),
          makeLocation('2', 0, { lat: 19.5, lon: 72.5 }),
          makeLocation('10', 0, { lat: 20, lon: 73 }),
        ];
        await save(
          ...inside,
          makeLocation('3', 0, { lat: 18.999999, lon: 72.5 }),
          makeLocation('4', 0, { lat: 19.5, lon: 73.000001 }),
          makeLocation('5', 0, { lat: 19.5, lon: 72.5 }),
        );
        await save(makeLocation('5', 1, { lat: 28.6, lon: 77.2 }));
        const box = { south: 19, west: 72, north: 20, east: 73 };
        expect(await repository.locationsWithin(box, 10, newCall())).toStrictEqual(inside);
        expect(await repository.locationsWithin(box, 2, newCall())).toStrictEqual(inside.slice(0, 2));
      });

      it('finds what lies south and west of zero, and takes a box larger than the world', async () => {
        const southWest = makeLocation('1', 0, { lat: -0.005, lon: -0.015 });
        await save(southWest);
        const around = { south: -0.005, west: -0.015, north: -0.004, east: -0.014 };
        expect(await repository.locationsWithin(around, 10, newCall())).toStrictEqual([southWest]);
        const beside = { south: -0.0049, west: -0.015, north: 0, east: 0 };
        expect(await repository.locationsWithin(beside, 10, newCall())).toEqual([]);
        const everywhere = {
          south: Number.NEGATIVE_INFINITY,
          west: Number.NEGATIVE_INFINITY,
          north: Number.POSITIVE_INFINITY,
          east: Number.POSITIVE_INFINITY,
        };
        expect(await repository.locationsWithin(everywhere, 10, newCall())).toStrictEqual([southWest]);
      });
    });

    describe('saving positions', () => {
      it('makes the first one the newest, of a vehicle that nobody has entered too', async () => {
        const location = makeLocation(LARGEST_ID);
        expect(await save(location)).toStrictEqual([{ newest: true, duplicate: false, previous: undefined }]);
        expect(await newestOf(LARGEST_ID)).toStrictEqual(location);
        expect(await repository.vehicles([LARGEST_ID], newCall())).toEqual(new Map());
      });

      it('moves forward with a later one and says where the vehicle was', async () => {
        const [first, second] = [makeLocation('1'), makeLocation('1', 10_000, { lat: 19.2, region: '19.20:72.87' })];
        await save(first);
        expect(await save(second)).toStrictEqual([{ newest: true, duplicate: false, previous: placeOf(first) }]);
        const third = makeLocation('1', 10_001);
        expect(await save(third)).toStrictEqual([{ newest: true, duplicate: false, previous: placeOf(second) }]);
        expect(await newestOf('1')).toStrictEqual(third);
      });

      it('keeps an earlier one as history and says where the vehicle is', async () => {
        const [newest, earlier] = [makeLocation('1', 60_000), makeLocation('1', 0, { lat: 18 })];
        await save(newest);
        expect(await save(earlier)).toStrictEqual([{ newest: false, duplicate: false, previous: placeOf(newest) }]);
        expect(await newestOf('1')).toStrictEqual(newest);
        expect(await isKept(earlier)).toBe(true);
      });

      it('recognises what had been saved before: newest still if it is, and nothing changes', async () => {
        const [first, second] = [makeLocation('1'), makeLocation('1', 1)];
        await save(first);
        expect(await save(first)).toStrictEqual([
          { newest: true, duplicate: true, previous: placeOf(first), stored: first },
        ]);
        await save(second);
        expect(await save(first)).toStrictEqual([{ newest: false, duplicate: true, previous: placeOf(second) }]);
        expect(await newestOf('1')).toStrictEqual(second);
      });

      it('takes several of one vehicle in one batch, in any order', async () => {
        const before = makeLocation('1', -1, { lat: 10 });
        await save(before);
        const [early, middle, late] = [1_000, 2_000, 3_000].map((ms) => makeLocation('1', ms)) as [
          VehicleLocation,
          VehicleLocation,
          VehicleLocation,
        ];
        const previous = placeOf(before);
        expect(await save(late, early, makeLocation('2'), middle)).toStrictEqual([
          { newest: true, duplicate: false, previous },
          { newest: false, duplicate: false, previous },
          { newest: true, duplicate: false, previous: undefined },
          { newest: false, duplicate: false, previous },
        ]);
        expect(await newestOf('1')).toStrictEqual(late);
        for (const location of [early, middle, late]) expect(await isKept(location)).toBe(true);
      });

      it('has nothing to say about no positions', async () => {
        expect(await save()).toEqual([]);
      });

      it.each([
        ['a latitude beyond the pole', { lat: 90.0001 }],
        ['a longitude beyond the date line', { lon: -180.0001 }],
        ['a negative speed', { speedKmh: -1 }],
        ['a speed that is no number', { speedKmh: Number.NaN }],
        ['an infinite speed', { speedKmh: Number.POSITIVE_INFINITY }],
        ['a heading of 360', { headingDeg: 360 }],
        ['a time that is none', { at: new Date(Number.NaN) }],
      ])('refuses %s, and then keeps nothing of the batch', async (_, changes) => {
        const good = makeLocation('1');
        await expect(save(good, makeLocation('2', 0, changes))).rejects.toThrow();
        expect(await newestOf('1')).toBeUndefined();
        expect(await isKept(good)).toBe(false);
      });

      it('lets batches of the same vehicles run at once: the latest wins, each position is new exactly once', async () => {
        const ids = Array.from({ length: 40 }, (_, index) => String(index + 1));
        const batches = Array.from({ length: 12 }, (_, batch) => {
          // Every position comes in two batches; each batch has its vehicles in another order.
          const locations = ids.flatMap((id) => [
            makeLocation(id, (batch % 6) * 1_000),
            makeLocation(id, ((batch + 1) % 6) * 1_000 + 500),
          ]);
          return batch % 2 === 0 ? locations : locations.reverse();
        });
        const results = (await Promise.all(batches.map((batch) => save(...batch)))).flat();
        expect(results.filter(({ duplicate }) => !duplicate)).toHaveLength(ids.length * 12);
        const newest = await repository.locations(ids, newCall());
        for (const id of ids) expect(newest.get(id)).toStrictEqual(makeLocation(id, 5_500));
      });
    });

    momentsContract(make);

    describe('saving what changes rarely', () => {
      it('replaces a vehicle and a status by one that is as new or newer, never by an older one', async () => {
        const later = new Date(TIME_MS + 1);
        await repository.saveVehicles([makeVehicle('1', { updatedAt: later })], newCall());
        await repository.saveVehicles([makeVehicle('1', { model: 'older' })], newCall());
        expect((await repository.vehicles(['1'], newCall())).get('1')?.model).toBe('Prima 5530');
        await repository.saveVehicles([makeVehicle('1', { model: 'as new', updatedAt: later })], newCall());
        expect((await repository.vehicles(['1'], newCall())).get('1')?.model).toBe('as new');

        await repository.saveStatuses([makeStatus('1', { updatedAt: later })], newCall());
        await repository.saveStatuses([makeStatus('1', { state: 'parked' })], newCall());
        expect((await repository.statuses(['1'], newCall())).get('1')?.state).toBe('moving');
      });

      it('takes one id twice in a batch: the later one counts', async () => {
        const later = new Date(TIME_MS + 1);
        await repository.saveVehicles(
          [makeVehicle('1', { model: 'newer', updatedAt: later }), makeVehicle('1'), makeVehicle('2')],
          newCall(),
        );
        expect((await repository.vehicles(['1'], newCall())).get('1')?.model).toBe('newer');
        await repository.saveTrips([makeTrip('t', '1'), makeTrip('t', '2', 0, { origin: 'Vashi' })], newCall());
        expect(await repository.trips(['1', '2'], newCall())).toStrictEqual(
          new Map([
            ['1', []],
            ['2', [makeTrip('t', '2', 0, { origin: 'Vashi' })]],
          ]),
        );
      });

      it('refuses records of a vehicle that does not exist, and then keeps none of the batch', async () => {
        await repository.saveVehicles([makeVehicle('1')], newCall());
        await expect(repository.saveStatuses([makeStatus('1'), makeStatus('2')], newCall())).rejects.toThrow();
        expect(await repository.statuses(['1', '2'], newCall())).toEqual(new Map());
        await expect(repository.saveTrips([makeTrip('a', '1'), makeTrip('b', '2')], newCall())).rejects.toThrow();
        expect(await repository.trips(['1'], newCall())).toEqual(new Map([['1', []]]));
      });
    });
  });
}
