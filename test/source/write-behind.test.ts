import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCache } from '../../src/node/compose.js';
import { createFleet, openFleetDatabase, openWriteBehind } from '../../src/node/fleet.js';
import { systemClock } from '../../src/node/system-clock.js';
import type { ReportedLocation } from '../../src/source/fleet-records.js';
import { PostgresFleetRepository } from '../../src/source/fleet-repository.js';
import { migrate } from '../../src/source/migrate.js';
import { PostgresPool } from '../../src/source/postgres-pool.js';
import { WriteBehind } from '../../src/source/write-behind.js';
import { makeLocation, newCall, placeOf } from '../contract/repository-records.js';
import { createOwnDatabase } from '../servers.js';

const BYTES = 33_554_432;

/** PostgreSQL that can be told to fail. */
class FailingRepository extends PostgresFleetRepository {
  failure: Error | undefined;

  override async saveLocations(...question: Parameters<PostgresFleetRepository['saveLocations']>) {
    if (this.failure !== undefined) throw this.failure;
    return super.saveLocations(...question);
  }
}

let database: Awaited<ReturnType<typeof createOwnDatabase>>;
let admin: Client;
let pool: PostgresPool;
let directory: string;
let source: FailingRepository;
let corrected: string[];
const opened: WriteBehind[] = [];

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

beforeEach(async () => {
  await admin.query('truncate vehicle_locations, vehicle_location_history');
  directory = await mkdtemp(join(tmpdir(), 'write-behind-'));
  source = new FailingRepository(pool);
  corrected = [];
});

afterEach(async () => {
  source.failure = undefined;
  await Promise.all(opened.splice(0).map((behind) => behind.close()));
  await rm(directory, { recursive: true });
});

async function openBehind(): Promise<WriteBehind> {
  const behind = await WriteBehind.open({
    clock: systemClock,
    source,
    directory,
    bytesMax: BYTES,
    corrected: async (ids) => {
      corrected.push(...ids);
    },
  });
  opened.push(behind);
  return behind;
}

async function kept(): Promise<number> {
  const { rows } = await admin.query<{ count: string }>('select count(*) from vehicle_location_history');
  return Number(rows[0]?.count);
}

const down = () => new Error('the database is down');
const numbered = (count: number): ReportedLocation[] =>
  Array.from({ length: count }, (_, index) => makeLocation(String(index + 1)));

describe('positions that are written behind', () => {
  it('are acknowledged and read while the database is down, and are in it when it is back', async () => {
    const behind = await openBehind();
    await behind.saveLocations([makeLocation('1', 0, { lat: 10 })], newCall());
    await expect.poll(kept, { timeout: 10_000 }).toBe(1);
    source.failure = down();
    const later = [makeLocation('1', 1_000, { lat: 20 }), makeLocation('2', 0, { headingDeg: undefined })];
    expect(await behind.saveLocations(later, newCall())).toEqual([
      { newest: true, duplicate: false, previous: placeOf(makeLocation('1', 0, { lat: 10 })) },
      { newest: true, duplicate: false, previous: undefined },
    ]);
    expect(await behind.locations(['1', '2', '3'], newCall())).toEqual(
      new Map(later.map((one) => [one.vehicleId, one])),
    );
    const box = { south: 15, west: 70, north: 25, east: 80 };
    expect(await behind.locationsWithin(box, 9, newCall())).toEqual(later);
    expect(await behind.locationsWithin({ ...box, south: 5, north: 15 }, 9, newCall())).toEqual([]);
    await expect.poll(() => behind.stats.failure?.message, { timeout: 10_000 }).toBe('the database is down');
    source.failure = undefined;
    await expect.poll(kept, { timeout: 20_000 }).toBe(3);
    expect(await source.locations(['1', '2'], newCall())).toEqual(new Map(later.map((one) => [one.vehicleId, one])));
    await expect.poll(() => behind.stats.failure).toBeUndefined();
    expect(corrected).toEqual([]);
  });

  it('are taken up by the next process, and none comes twice into the history', async () => {
    const first = await openBehind();
    source.failure = down();
    await Promise.all(numbered(700).map((report) => first.saveLocations([report], newCall())));
    await first.close();
    source.failure = undefined;
    const [some] = numbered(1);
    await source.saveLocations([some as ReportedLocation], newCall());
    await openBehind();
    await expect.poll(kept, { timeout: 20_000 }).toBe(700);
  }, 30_000);

  it('that the database refuses are put aside with the reason, and hold nobody up', async () => {
    const behind = await openBehind();
    source.failure = down();
    const reports = numbered(40).map((report, i) => (i === 13 ? { ...report, lat: 91 } : report));
    await Promise.all(reports.map((report) => behind.saveLocations([report], newCall())));
    source.failure = undefined;
    await expect.poll(() => behind.stats.refused, { timeout: 20_000 }).toBe(1);
    await expect.poll(kept, { timeout: 20_000 }).toBe(39);
    const [line, end] = (await readFile(join(directory, 'refused.jsonl'), 'utf8')).split('\n');
    expect(JSON.parse(line as string)).toMatchObject({
      report: { vehicleId: '14', lat: 91 },
      error: expect.stringContaining('lat_check'),
    });
    expect(end).toBe('');
  });

  it('about which the database knows better are taken back from the cache', async () => {
    const behind = await openBehind();
    await source.saveLocations([makeLocation('1', 9_000), makeLocation('2', 0, { lat: 50 })], newCall());
    // Another node had a later one of the first, and another one of the same time of the second.
    const told = await behind.saveLocations([makeLocation('1'), makeLocation('2', 0, { lat: 10 })], newCall());
    expect(told).toMatchObject([{ newest: true }, { newest: true }]);
    await expect.poll(() => [...corrected].sort(), { timeout: 10_000 }).toEqual(['1', '2']);
    expect(await behind.locations(['1', '2'], newCall())).toEqual(
      new Map([
        ['1', makeLocation('1', 9_000)],
        ['2', { ...makeLocation('2', 0, { lat: 50 }), revision: 2 }],
      ]),
    );
  });

  it('are compared with what came before: history, duplicates, the newest', async () => {
    const behind = await openBehind();
    source.failure = down();
    const save = async (report: ReportedLocation) => (await behind.saveLocations([report], newCall()))[0];
    expect(await save({ ...makeLocation('1', -5_000), history: true })).toMatchObject({ newest: false });
    expect(await save(makeLocation('1'))).toMatchObject({ newest: true, duplicate: false });
    expect(await save(makeLocation('1'))).toMatchObject({ newest: true, duplicate: true });
    expect(await save(makeLocation('1', -1_000))).toMatchObject({ newest: false, duplicate: false });
    expect(await save(makeLocation('1', 1_000))).toMatchObject({ newest: true, duplicate: false });
  });

  it('leave nothing on the disk when the database has all of them', async () => {
    const behind = await openBehind();
    await behind.saveLocations(numbered(10), newCall());
    await behind.close();
    await expect(behind.saveLocations(numbered(1), newCall())).rejects.toMatchObject({ code: 'closed' });
    expect(await kept()).toBe(10);
    expect(await readdir(directory)).toEqual([]);
  });

  it('need room for several files', async () => {
    const open = WriteBehind.open({
      clock: systemClock,
      source,
      directory,
      bytesMax: 1_000,
      corrected: async () => {},
    });
    await expect(open).rejects.toMatchObject({ code: 'invalid-options', field: 'maxBytes' });
  });
});

it('a fleet in front of it takes positions in while the database cannot be reached', async () => {
  const cache = await createCache({});
  const unreachable = new URL(database.url);
  unreachable.port = '1';
  const away = openFleetDatabase(unreachable.href);
  const behind = await openWriteBehind(away.repository, { cache, directory });
  const fleet = createFleet({ cache, repository: behind.repository });
  const at = Date.now() - 1_000;
  const update = { vehicleId: 42, lat: 19.07, lon: 72.87, speedKmh: 40, engineOn: true, at };
  expect((await fleet.recordLocation(update)).outcome).toBe('newest');
  expect(await fleet.vehicleLocation(42)).toMatchObject({ lat: 19.07, at: new Date(at) });
  await fleet.close();
  await behind.close();
  await away.close();

  const back = openFleetDatabase(database.url);
  const again = await openWriteBehind(back.repository, { cache, directory });
  await expect.poll(kept, { timeout: 20_000 }).toBe(1);
  await again.close();
  await back.close();
  await cache.close();
}, 30_000);
