import { describe, expect, it } from 'vitest';
import type { EwayBill } from '../../src/fleet/domain.js';
import { createFleet } from '../../src/fleet/fleet.js';
import type { FreightOrders } from '../../src/fleet/ports.js';
import { CALL, openFleet, report, vehicle } from './fleet-in-memory.js';

describe('reading a fleet', () => {
  it('asks the database once for each kind of thing, whatever way the id is written', async () => {
    const { clock, repository, fleet } = openFleet();
    await repository.saveVehicles([vehicle('42')], CALL);
    await repository.saveStatuses(
      [{ vehicleId: '42', state: 'moving', fuelPercent: 61, odometerKm: 1_200, updatedAt: new Date(clock.wallMs()) }],
      CALL,
    );
    await fleet.recordLocation(report(clock));
    const before = repository.queries;
    for (const id of [42, 42n, '42']) {
      expect((await fleet.vehicle(id))?.registration).toBe('MH12AB1234');
      expect((await fleet.vehicleStatus(id))?.fuelPercent).toBe(61);
      expect(await fleet.trips(id)).toEqual([]);
      expect(await fleet.fuelRecords(id)).toEqual([]);
      expect(await fleet.maintenanceRecords(id)).toEqual([]);
      expect((await fleet.vehicleLocation(id))?.speedKmh).toBe(38);
    }
    expect(repository.queries - before).toBe(5);
  });

  it('keeps them under the keys of the platform', async () => {
    const { clock, cache, repository, fleet } = openFleet();
    await repository.saveVehicles([vehicle('42')], CALL);
    await fleet.recordLocation(report(clock));
    await Promise.all([fleet.vehicle(42), fleet.trips(42), fleet.fuelRecords(42), fleet.maintenanceRecords(42)]);
    await fleet.nearbyVehicles('19.07,72.87');
    for (const key of [
      'vehicle:location:42',
      'vehicle:details:42',
      'vehicle:trips:42:recent',
      'vehicle:fuel:42:recent',
      'vehicle:maintenance:42',
      'nearby:vehicles:19.07,72.87',
    ]) {
      expect(await cache.has(key), key).toBe(true);
    }
  });

  it('knows nothing of a vehicle that does not exist, and remembers that for a while', async () => {
    const { repository, fleet } = openFleet();
    expect(await fleet.vehicle(7)).toBeUndefined();
    expect(await fleet.vehicleLocation(7)).toBeUndefined();
    expect(await fleet.trips(7)).toBeUndefined();
    const before = repository.queries;
    expect(await fleet.vehicle(7)).toBeUndefined();
    expect(repository.queries).toBe(before);
  });

  it('reads many positions with one question, and those in service page by page', async () => {
    const { clock, repository, fleet } = openFleet();
    const ids = Array.from({ length: 5_200 }, (_, i) => String(i + 1));
    await repository.saveVehicles(
      ids.map((id) => vehicle(id, { active: id !== '3' })),
      CALL,
    );
    const locations = ids.slice(0, 2_000).map((id) => ({
      vehicleId: id,
      lat: 19.0765,
      lon: 72.8777,
      speedKmh: 0,
      headingDeg: undefined,
      engineOn: false,
      at: new Date(clock.wallMs()),
      region: '19.07,72.87',
    }));
    await repository.saveLocations(locations, CALL);
    const before = repository.queries;
    const some = await fleet.vehicleLocations([1, '2', 2n, 5_100]);
    expect([...some.keys()]).toEqual(['1', '2']);
    expect(repository.queries - before).toBe(1);

    const all = await fleet.activeVehicleLocations();
    expect(all.size).toBe(1_999);
    expect(all.has('3')).toBe(false);
    expect(repository.queries - before).toBe(1 + 2 + 1);
    await fleet.activeVehicleLocations();
    expect(repository.queries - before).toBe(1 + 2 + 1);
  });

  it('shares one question among all who ask at once', async () => {
    const { clock, repository, fleet } = openFleet();
    await repository.saveVehicles([vehicle('42')], CALL);
    repository.latencyMs = 100;
    const before = repository.queries;
    const asked = Array.from({ length: 50 }, () => fleet.vehicle(42));
    await clock.advanceSettled(200);
    expect((await Promise.all(asked)).every((found) => found?.id === '42')).toBe(true);
    expect(repository.queries - before).toBe(1);
  });

  it('asks once more about a vehicle that fell silent, and not at every read', async () => {
    const { clock, repository, fleet } = openFleet();
    await fleet.recordLocation(report(clock));
    await clock.advanceSettled(31_000);
    const before = repository.queries;
    for (let i = 0; i < 5; i++) expect((await fleet.vehicleLocation(42))?.speedKmh).toBe(38);
    expect(repository.queries - before).toBe(1);
  });

  it('goes on with what it has while the database fails', async () => {
    const { clock, repository, fleet } = openFleet();
    await repository.saveVehicles([vehicle('42')], CALL);
    await fleet.vehicle(42);
    await fleet.recordLocation(report(clock));
    await clock.advanceSettled(301_000);
    repository.failure = new Error('the database is down');
    expect((await fleet.vehicle(42))?.id).toBe('42');
    expect((await fleet.vehicleLocation(42))?.vehicleId).toBe('42');
    await expect(fleet.vehicle(43)).rejects.toMatchObject({ code: 'load-failed', cause: repository.failure });
  });

  it('rejects, and does not throw, for a bad id', async () => {
    const { fleet } = openFleet();
    for (const asked of [
      () => fleet.vehicle('007'),
      () => fleet.vehicleLocations(['1', '-1']),
      () => fleet.trips(1.5),
      () => fleet.invalidateVehicle('*'),
      () => fleet.routeEta('x', { lat: 19, lon: 72 }),
    ]) {
      await expect(asked()).rejects.toMatchObject({ code: 'invalid-value', field: 'vehicleId' });
    }
  });

  it('passes the deadline and the signal on', async () => {
    const { clock, repository, fleet } = openFleet();
    repository.latencyMs = 5_000;
    const late = expect(fleet.vehicle(1, { deadline: 100 })).rejects.toMatchObject({ code: 'deadline' });
    const stop = new AbortController();
    const stopped = expect(fleet.vehicle(2, { signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' });
    await clock.advanceSettled(50);
    stop.abort();
    await stopped;
    await clock.advanceSettled(60);
    await late;
  });
});

describe('invalidateVehicle', () => {
  it('removes location, status, trips, fuel and maintenance of this vehicle, and of no other', async () => {
    const { clock, cache, repository, fleet } = openFleet();
    await repository.saveVehicles([vehicle('42'), vehicle('421')], CALL);
    await fleet.recordLocations([report(clock), report(clock, { vehicleId: 421 })]);
    await cache.set('vehicle:trips:42:2026-01', ['t1']);
    await cache.set('vehicle:fuel:42:2026-01', ['f1']);
    const kinds = ['location', 'status', 'trips', 'fuelRecords', 'maintenanceRecords'] as const;
    const read = (id: number) =>
      Promise.all([
        fleet.vehicle(id),
        fleet.vehicleLocation(id),
        fleet.vehicleStatus(id),
        fleet.trips(id),
        fleet.fuelRecords(id),
        fleet.maintenanceRecords(id),
      ]);
    await read(42);
    await read(421);
    await fleet.invalidateVehicle(42n);
    expect(await cache.get('vehicle:trips:42:2026-01')).toBeUndefined();
    expect(await cache.get('vehicle:fuel:42:2026-01')).toBeUndefined();
    const before = repository.queries;
    await read(421);
    expect(repository.queries).toBe(before);
    await read(42);
    expect(repository.queries - before).toBe(kinds.length);
  });

  it('does not lock the vehicle out: its next report is taken, even one dated just before', async () => {
    const { clock, fleet } = openFleet();
    await fleet.recordLocation(report(clock, { at: clock.wallMs() - 20_000 }));
    await fleet.invalidateVehicle(42);
    const next = await fleet.recordLocation(report(clock, { at: clock.wallMs() - 1_000, speedKmh: 12 }));
    expect(next.outcome).toBe('newest');
    expect((await fleet.vehicleLocation(42))?.speedKmh).toBe(12);
  });
});

describe('a closed fleet', () => {
  it('says so, and leaves nothing running', async () => {
    const { clock, fleet } = openFleet();
    fleet.refresh.start();
    fleet.subscribe({}, () => {});
    await fleet.close();
    await fleet.close();
    await expect(fleet.vehicle(1)).rejects.toMatchObject({ code: 'closed' });
    await expect(fleet.recordLocation(report(clock))).rejects.toMatchObject({ code: 'closed' });
    expect(() => fleet.subscribe({}, () => {})).toThrow(expect.objectContaining({ code: 'closed' }));
    expect(fleet.stats().subscribers).toBe(0);
    expect(clock.pending).toBe(0);
  });
});

describe('e-way bills', () => {
  const NUMBER = '171234567890';
  const open = async (validUntilMs: number) => {
    const opened = openFleet();
    const { repository, clock } = opened;
    const bill: EwayBill = {
      id: NUMBER,
      vehicleId: '42',
      madeAt: new Date(clock.wallMs()),
      distanceKm: 150,
      validUntil: new Date(clock.wallMs() + validUntilMs),
    };
    await repository.saveVehicles([vehicle('42'), vehicle('43')], CALL);
    await repository.saveEwayBills([bill], CALL);
    return { ...opened, bill };
  };

  it('are kept for an hour, and asked for again when one of them ends', async () => {
    const { clock, cache, repository, fleet, bill } = await open(9 * 3_600_000);
    expect(await fleet.ewayBills(42)).toEqual([bill]);
    expect(await fleet.ewayBills(43)).toEqual([]);
    const key = 'vehicle:eway-bills:42';
    const hourMs = (await cache.getEntry(key))?.ttlMs ?? 0;
    expect(hourMs).toBeLessThanOrEqual(3_600_000);
    expect(hourMs).toBeGreaterThan(3_200_000);
    // From 8 h before its end it may be extended: that is when the answer changes.
    await clock.advanceSettled(3_300_000 + 299_000);
    await fleet.ewayBills(42);
    expect((await cache.getEntry(key))?.ttlMs).toBeLessThanOrEqual(3_600_000);
    await clock.advanceSettled(7.9 * 3_600_000);
    await fleet.ewayBills(42);
    const restMs = bill.validUntil.getTime() - clock.wallMs();
    expect((await cache.getEntry(key))?.ttlMs).toBeLessThanOrEqual(restMs);
    const before = repository.queries;
    await clock.advanceSettled(restMs);
    await repository.saveEwayBills([{ ...bill, validUntil: new Date(clock.wallMs() + 86_400_000) }], CALL);
    expect((await fleet.ewayBills(42))?.[0]?.validUntil.getTime()).toBe(clock.wallMs() + 86_400_000);
    expect(repository.queries - before).toBe(2);
  });

  it('are not served as stale past a boundary, however long the database fails', async () => {
    const { clock, repository, fleet } = await open(9.5 * 3_600_000);
    await fleet.ewayBills(42);
    // Fresh for an hour, and half an hour after that it may be extended.
    await clock.advanceSettled(62 * 60_000);
    const failing = async () => {
      throw new Error('the database is down');
    };
    repository.ewayBills = failing;
    expect(await fleet.ewayBills(42)).toHaveLength(1);
    await clock.advanceSettled(28 * 60_000);
    await expect(fleet.ewayBills(42)).rejects.toMatchObject({ code: 'load-failed' });
  });
});

describe('goods-vehicle hours', () => {
  it('hold to the next boundary of the calendar, and not a moment longer', async () => {
    // 15 November 2023, 03:43 IST: in Delhi heavy vehicles may drive until 7.
    const { clock, cache, fleet } = openFleet();
    const ist = (time: string) => Date.parse(`2023-11-15T${time}:00+05:30`);
    expect(await fleet.freightHours('delhi', 'heavy')).toEqual({ allowed: true, untilMs: ist('07:00') });
    expect((await cache.getEntry('freight:hours:delhi:heavy'))?.ttlMs).toBe(ist('07:00') - clock.wallMs());
    await clock.advanceSettled(ist('07:00') - 1 - clock.wallMs());
    expect((await fleet.freightHours('delhi', 'heavy')).allowed).toBe(true);
    await clock.advanceSettled(1);
    expect(await fleet.freightHours('delhi', 'heavy')).toEqual({ allowed: false, untilMs: ist('23:00') });
  });

  it('follow an order as soon as somebody says that there is one, in its place and in no other', async () => {
    let ordered = false;
    let asked = 0;
    const { clock, cache, repository } = openFleet();
    const freightOrders: FreightOrders = {
      hoursAt: async (place, _vehicle, wallMs) => {
        asked += 1;
        return ordered && place === 'mumbai' ? { allowed: false, untilMs: wallMs + 3_600_000 } : undefined;
      },
    };
    const fleet = createFleet({ cache, repository, clock, freightOrders });
    const allowed = async (place: 'mumbai' | 'kolkata') => (await fleet.freightHours(place, 'heavy')).allowed;
    expect([await allowed('mumbai'), await allowed('kolkata')]).toEqual([true, true]);
    ordered = true;
    expect(await allowed('mumbai')).toBe(true);
    await fleet.freightOrdersChanged('mumbai');
    await clock.advanceSettled(5);
    expect([await allowed('mumbai'), await allowed('kolkata')]).toEqual([false, true]);
    expect(asked).toBe(3);
    ordered = false;
    await clock.advanceSettled(3_600_000);
    expect(await allowed('mumbai')).toBe(true);
  });

  it('reject for a place of which nothing is known', async () => {
    const { fleet } = openFleet();
    await expect(fleet.freightHours('chennai' as 'delhi', 'heavy')).rejects.toMatchObject({
      code: 'invalid-value',
      field: 'place',
    });
    await expect(fleet.freightHours('delhi', 'bus' as 'heavy')).rejects.toMatchObject({ field: 'vehicle' });
    await expect(fleet.freightOrdersChanged('pune' as 'delhi')).rejects.toMatchObject({ field: 'place' });
  });
});
