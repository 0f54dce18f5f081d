import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VehicleLocation } from '../../src/fleet/domain.js';
import type { ReportedLocation } from '../../src/fleet/ports.js';
import { systemClock } from '../../src/node/system-clock.js';
import { BatchedSource } from '../../src/source/batched-source.js';
import { PostgresFleetRepository } from '../../src/source/fleet-repository.js';
import { migrate } from '../../src/source/migrate.js';
import { PostgresPool } from '../../src/source/postgres-pool.js';
import { repositoryContract, type SeededRepository } from '../contract/repository-contract.js';
import { makeLocation, makeVehicle, newCall } from '../contract/repository-records.js';
import { createOwnDatabase } from '../servers.js';
import { MemoryRepository } from './memory-repository.js';

let database: Awaited<ReturnType<typeof createOwnDatabase>>;
let admin: Client;
let pool: PostgresPool;

beforeAll(async () => {
  database = await createOwnDatabase();
  await migrate(database.url);
  admin = new Client({ connectionString: database.url });
  await admin.connect();
  pool = new PostgresPool({ url: database.url, clock: systemClock, statementTimeoutMs: 5_000 });
});

afterAll(async () => {
  await pool.close();
  await admin.end();
  await database.drop();
});

async function makeEmpty(): Promise<SeededRepository> {
  await admin.query(`truncate vehicles, vehicle_statuses, vehicle_locations, vehicle_location_history, trips,
    fuel_records, maintenance_records, eway_bills`);
  return new PostgresFleetRepository(pool);
}

async function countHistory(): Promise<number> {
  const { rows } = await admin.query<{ count: string }>('select count(*) from vehicle_location_history');
  return Number(rows[0]?.count);
}

repositoryContract('PostgreSQL', makeEmpty);

repositoryContract('PostgreSQL behind batches', async () => {
  const repository = await makeEmpty();
  return Object.assign(new BatchedSource(systemClock, repository), {
    saveVehicles: repository.saveVehicles.bind(repository),
    saveStatuses: repository.saveStatuses.bind(repository),
    saveTrips: repository.saveTrips.bind(repository),
    saveFuelRecords: repository.saveFuelRecords.bind(repository),
    saveMaintenanceRecords: repository.saveMaintenanceRecords.bind(repository),
    saveEwayBills: repository.saveEwayBills.bind(repository),
  });
});

describe('positions in PostgreSQL', () => {
  it('agree with the memory on any sequence of batches', async () => {
    const [repository, memory] = [await makeEmpty(), new MemoryRepository()];
    const random = makeRandom(20_261_105);
    const ids = ['1', '2', '3', '4'];
    for (let round = 0; round < 60; round++) {
      const batch = Array.from({ length: 1 + random(12) }, (): ReportedLocation => {
        const changes = {
          lat: random(3),
          speedKmh: random(2),
          headingDeg: random(3) || undefined,
          engineOn: random(2) > 0,
        };
        const frame = [undefined, 1, 2, 999_999, 500_000, 250_000][random(6)];
        return { ...makeLocation(ids[random(4)]!, random(8) * 1_000, changes), frame, history: random(3) === 0 };
      });
      expect(await repository.saveLocations(batch, newCall())).toStrictEqual(
        await memory.saveLocations(batch, newCall()),
      );
      expect(await repository.locations(ids, newCall())).toEqual(await memory.locations(ids, newCall()));
    }
    const kept = await Promise.all(ids.map((id) => memory.history(id)));
    expect(await countHistory()).toBe(kept.flat().length);
  });

  it('stay right when the row of the newest one is held while another batch waits for it', async () => {
    const repository = await makeEmpty();
    await repository.saveLocations([makeLocation('1')], newCall());
    await admin.query('begin');
    await admin.query(`update vehicle_locations set at = at + interval '5 seconds', lat = 12, region = 'meanwhile'`);
    const meanwhile = { lat: 12, lon: 72.8777, region: 'meanwhile' };
    const saving = [makeLocation('1', 3_000), makeLocation('1', 8_000, { lat: 13 })].map((location) =>
      repository.saveLocations([location], newCall()),
    );
    await expect.poll(countWaiting, { timeout: 10_000 }).toBe(2);
    await admin.query('commit');
    const [[late], [newest]] = (await Promise.all(saving)) as [[unknown], [unknown]];
    expect(newest).toStrictEqual({ newest: true, duplicate: false, previous: meanwhile });
    expect(late).toMatchObject({ newest: false, duplicate: false });
    expect((await repository.locations(['1'], newCall())).get('1')).toMatchObject({ lat: 13 });
    expect(await countHistory()).toBe(3);
  });

  it('are not taken back, at one time, by a choice that was made from less', async () => {
    const repository = await makeEmpty();
    await repository.saveLocations([makeLocation('1', 0, { lat: 10 })], newCall());
    await admin.query('begin');
    await admin.query(`insert into vehicle_location_history (vehicle_id, at, lat, lon, speed_kmh, engine_on, region, frame)
      select vehicle_id, at, 12, lon, speed_kmh, engine_on, region, 9 from vehicle_location_history`);
    await admin.query('update vehicle_locations set lat = 12, revision = 3');
    const saving = repository.saveLocations([makeLocation('1', 0, { lat: 11 })], newCall());
    // What it appended is committed; now it waits to change the row, and knows nothing of the one at 12.
    await expect.poll(countWaiting, { timeout: 10_000 }).toBe(1);
    await admin.query('commit');
    await saving;
    expect((await repository.locations(['1'], newCall())).get('1')).toMatchObject({ lat: 12, revision: 3 });
    // The next one knows all.
    await repository.saveLocations([makeLocation('1', 0, { lat: 11 })], newCall());
    expect((await repository.locations(['1'], newCall())).get('1')).toMatchObject({ lat: 12 });
    expect(await countHistory()).toBe(3);
  });

  it('of the past do not wait for who holds the newest one', async () => {
    const repository = await makeEmpty();
    await repository.saveLocations([makeLocation('1')], newCall());
    await admin.query('begin');
    await admin.query('update vehicle_locations set lat = 12');
    const saved = await repository.saveLocations([makeLocation('1', -60_000)], newCall());
    expect(saved).toMatchObject([{ newest: false, duplicate: false }]);
    await admin.query('rollback');
  });

  it('are refused with the name of what they break', async () => {
    const repository = await makeEmpty();
    await expect(repository.saveLocations([makeLocation('1', 0, { lat: 91 })], newCall())).rejects.toMatchObject({
      code: 'level-failed',
      message: expect.stringContaining('lat_check'),
    });
    await expect(repository.saveLocations([makeLocation('18446744073709551616')], newCall())).rejects.toMatchObject({
      message: expect.stringContaining('uint64'),
    });
  });
});

describe('a read of many vehicles from PostgreSQL', () => {
  it('is one statement of each kind', async () => {
    const repository = await makeEmpty();
    const ids = Array.from({ length: 300 }, (_, index) => String(index + 1));
    await repository.saveVehicles(
      ids.map((id) => makeVehicle(id)),
      newCall(),
    );
    const before = pool.queries;
    await repository.vehicles(ids, newCall());
    await repository.locations(ids, newCall());
    await repository.trips(ids, newCall());
    expect(pool.queries - before).toBe(3);
  });

  it('and a batch of live positions is one statement too', async () => {
    const repository = await makeEmpty();
    const batch: VehicleLocation[] = Array.from({ length: 500 }, (_, index) => makeLocation(String(index + 1)));
    const before = pool.queries;
    await repository.saveLocations(batch, newCall());
    expect(pool.queries - before).toBe(1);
  });
});

async function countWaiting(): Promise<number> {
  // Within a transaction, the view would otherwise show what it showed the first time.
  await admin.query('select pg_stat_clear_snapshot()');
  const { rows } = await admin.query<{ count: string }>(
    `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return Number(rows[0]?.count);
}

/** Whole numbers below a bound, the same ones in every run (mulberry32). */
function makeRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
