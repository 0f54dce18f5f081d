import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Known } from '../../src/core/cache.js';
import { openKeyspaces } from '../../src/fleet/keyspaces.js';
import { createCache } from '../../src/node/compose.js';
import { systemClock } from '../../src/node/system-clock.js';
import { BatchedSource } from '../../src/source/batched-source.js';
import { PostgresFleetRepository } from '../../src/source/fleet-repository.js';
import { migrate } from '../../src/source/migrate.js';
import { PostgresPool } from '../../src/source/postgres-pool.js';
import { makeLocation, makeStatus, makeVehicle, newCall } from '../contract/repository-records.js';
import { createOwnDatabase } from '../servers.js';

const LARGEST_ID = '18446744073709551615';
/** Text and numbers that the two sides might take for different bytes. */
const HARD_TEXT = 'a "b", \\d\\ \'e\' NULL\n\u0926\u093f\u0932\u094d\u0932\u0940 \u{1f69a}';
const HARD_NUMBER = 0.1 + 0.2;

/** Notes the rows of every statement. */
class NotingPool extends PostgresPool {
  readonly answers: { readonly name: string; readonly rows: readonly object[] }[] = [];

  override async query<Row extends object>(...[statement, values, call]: Parameters<PostgresPool['query']>) {
    const rows = await super.query<Row>(statement, values, call);
    this.answers.push({ name: statement.name, rows });
    return rows;
  }
}

let database: Awaited<ReturnType<typeof createOwnDatabase>>;
let admin: Client;
let pool: NotingPool;
let repository: PostgresFleetRepository;

beforeAll(async () => {
  database = await createOwnDatabase();
  await migrate(database.url);
  admin = new Client({ connectionString: database.url });
  await admin.connect();
  pool = new NotingPool({ url: database.url, clock: systemClock, statementTimeoutMs: 5_000 });
  repository = new PostgresFleetRepository(pool);
});

beforeEach(async () => {
  await admin.query('truncate vehicles, vehicle_statuses, vehicle_locations, vehicle_location_history cascade');
  await repository.saveVehicles(
    [
      makeVehicle('1', { model: HARD_TEXT, operatorId: '', capacityKg: HARD_NUMBER }),
      makeVehicle('2'),
      makeVehicle(LARGEST_ID, { active: false }),
    ],
    newCall(),
  );
  await repository.saveStatuses(
    [makeStatus('1', { fuelPercent: 0, odometerKm: HARD_NUMBER }), makeStatus('2'), makeStatus(LARGEST_ID)],
    newCall(),
  );
  await repository.saveLocations(
    [
      makeLocation('1', 0, { headingDeg: undefined, region: HARD_TEXT, lat: -HARD_NUMBER, engineOn: false }),
      makeLocation('2', 0, { headingDeg: 0 }),
      makeLocation('2', 0, { headingDeg: 0, lat: 11 }),
      makeLocation(LARGEST_ID, 7),
    ],
    newCall(),
  );
  pool.answers.length = 0;
});

afterAll(async () => {
  await pool.close();
  await admin.end();
  await database.drop();
});

const IDS = ['1', '2', LARGEST_ID];
const KINDS = ['vehicles', 'statuses', 'locations'] as const;
type Kind = (typeof KINDS)[number];
type Values = ReadonlyMap<string, object>;

function read(
  kind: Kind,
  ids: readonly string[],
  known?: Values,
  from = repository as BatchedSource | typeof repository,
) {
  const knownOf = known && ((id: string) => known.get(id));
  return from[kind](ids, newCall(), knownOf as Known<string, never> | undefined) as Promise<Map<string, object>>;
}

/** Every column that is told, and what somebody else writes there without a word in `updated_at` or `at`. */
const FOREIGN_WRITES: readonly (readonly [Kind, string, string, string])[] = [
  ['vehicles', 'vehicles', 'id', "registration = 'x'"],
  ['vehicles', 'vehicles', 'id', "type = 'bus'"],
  ['vehicles', 'vehicles', 'id', "model = 'x'"],
  ['vehicles', 'vehicles', 'id', "city = 'pune'"],
  ['vehicles', 'vehicles', 'id', "operator_id = 'x'"],
  ['vehicles', 'vehicles', 'id', 'capacity_kg = 0.3'],
  ['vehicles', 'vehicles', 'id', 'active = not active'],
  ['vehicles', 'vehicles', 'id', "updated_at = updated_at - interval '1 ms'"],
  ['statuses', 'vehicle_statuses', 'vehicle_id', "state = 'workshop'"],
  ['statuses', 'vehicle_statuses', 'vehicle_id', 'fuel_percent = 1'],
  ['statuses', 'vehicle_statuses', 'vehicle_id', 'odometer_km = odometer_km + 1'],
  ['statuses', 'vehicle_statuses', 'vehicle_id', "updated_at = updated_at + interval '1 ms'"],
  ['locations', 'vehicle_locations', 'vehicle_id', 'lat = 1'],
  ['locations', 'vehicle_locations', 'vehicle_id', 'lon = 1'],
  ['locations', 'vehicle_locations', 'vehicle_id', 'speed_kmh = 1'],
  ['locations', 'vehicle_locations', 'vehicle_id', 'heading_deg = 0'],
  ['locations', 'vehicle_locations', 'vehicle_id', 'engine_on = not engine_on'],
  ['locations', 'vehicle_locations', 'vehicle_id', "at = at + interval '1 ms'"],
  ['locations', 'vehicle_locations', 'vehicle_id', "region = 'x'"],
  ['locations', 'vehicle_locations', 'vehicle_id', 'revision = revision + 1'],
];

describe('rows that are known', () => {
  it.each(KINDS)('are not sent again while nothing of them changes: %s', async (kind) => {
    const known = await read(kind, IDS);
    expect([...known.keys()].sort()).toEqual([...IDS].sort());
    const again = await read(kind, IDS, known);
    for (const id of IDS) expect(again.get(id), id).toBe(known.get(id));
    expect(pool.answers.map(({ name }) => name)).toEqual([kind, `changed-${kind}`]);
    for (const row of pool.answers[1]?.rows ?? []) {
      expect(Object.values(row).filter((column) => column !== null)).toHaveLength(1);
    }
  });

  it.each(FOREIGN_WRITES)(
    'are sent when somebody else has changed one column: %s, %s %s, %s',
    async (kind, table, id, change) => {
      const known = await read(kind, IDS);
      await admin.query(`update ${table} set ${change} where ${id} = 1`);
      const changed = await read(kind, IDS, known);
      expect(changed.get('1')).not.toEqual(known.get('1'));
      expect(changed).toEqual(await read(kind, IDS));
      expect(changed.get('2')).toBe(known.get('2'));
    },
  );

  it.each([
    ['vehicles', 'vehicles', 'id'],
    ['statuses', 'vehicle_statuses', 'vehicle_id'],
    ['locations', 'vehicle_locations', 'vehicle_id'],
  ] as const)('are not taken for unchanged when they are gone: %s', async (kind, table, id) => {
    const known = await read(kind, IDS);
    if (kind === 'vehicles') await admin.query('delete from vehicle_statuses');
    await admin.query(`delete from ${table} where ${id} = 1`);
    const left = await read(kind, IDS, known);
    expect(left.has('1')).toBe(false);
    expect(left).toEqual(await read(kind, IDS));
  });

  it('and rows that are not known come in one statement', async () => {
    const known = await read('statuses', ['2']);
    pool.answers.length = 0;
    const found = await read('statuses', [...IDS, '404'], known);
    expect(found.get('2')).toBe(known.get('2'));
    expect(found.get('1')).toStrictEqual(makeStatus('1', { fuelPercent: 0, odometerKm: HARD_NUMBER }));
    expect(found.size).toBe(3);
    expect(pool.answers).toHaveLength(1);
  });

  it('are whole for whoever comes along in one batch, whatever he knows', async () => {
    const batched = new BatchedSource(systemClock, repository);
    const known = await read('locations', IDS);
    pool.answers.length = 0;
    const [knows, knowsNot, knowsOther] = await Promise.all([
      read('locations', IDS, known, batched),
      read('locations', IDS, undefined, batched),
      read('locations', IDS, new Map([['1', makeLocation('1', -5_000)]]), batched),
    ]);
    expect(knows).toEqual(known);
    expect(knowsNot).toEqual(known);
    expect(knowsOther).toEqual(known);
    expect(pool.answers.map(({ name }) => name)).toEqual(['changed-locations']);
  });
});

describe('a cache over PostgreSQL', () => {
  it('asks only for what has changed of what it holds, and has what others wrote and removed', async () => {
    await using cache = await createCache({ city: 'mumbai' });
    const { details, status, location } = openKeyspaces(cache, repository, systemClock);
    for (const space of [details, status, location]) expect((await space.getMany(IDS)).size).toBe(3);
    pool.answers.length = 0;
    await admin.query('update vehicle_statuses set fuel_percent = 7 where vehicle_id = 1');
    await admin.query('delete from vehicle_locations where vehicle_id = 2');
    expect(await Promise.all([details, status, location].map((space) => space.refresh(IDS)))).toEqual([3, 3, 2]);
    expect((await status.get('1'))?.fuelPercent).toBe(7);
    expect(await status.get('2')).toEqual(makeStatus('2'));
    expect(await location.get('2')).toBeUndefined();
    expect((await details.get('1'))?.model).toBe(HARD_TEXT);
    const sent = pool.answers.map(({ name, rows }) => [
      name,
      rows.filter((row) => !Object.values(row).includes(null)).length,
    ]);
    expect(new Map(sent as [string, number][])).toEqual(
      new Map([
        ['changed-vehicles', 0],
        ['changed-statuses', 1],
        ['changed-locations', 0],
      ]),
    );
  });
});
