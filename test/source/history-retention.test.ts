import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/node/system-clock.js';
import { PostgresFleetRepository } from '../../src/source/fleet-repository.js';
import { HistoryRetention } from '../../src/source/history-retention.js';
import { migrate } from '../../src/source/migrate.js';
import { PostgresPool } from '../../src/source/postgres-pool.js';
import { makeLocation, newCall, TIME_MS } from '../contract/repository-records.js';
import { createOwnDatabase } from '../servers.js';
import { VirtualClock } from '../virtual-clock.js';

const DAY_MS = 86_400_000;
const KEPT_MS = 90 * DAY_MS;

let database: Awaited<ReturnType<typeof createOwnDatabase>>;
let admin: Client;
let pool: PostgresPool;
let clock: VirtualClock;
let retention: HistoryRetention | undefined;

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
  clock = new VirtualClock();
  clock.jumpWall(TIME_MS - clock.wallMs());
});

afterEach(async () => {
  await retention?.stop();
  retention = undefined;
});

const start = () => {
  retention = new HistoryRetention({ pool, clock, keptMs: KEPT_MS });
  return retention;
};

async function kept(): Promise<number> {
  const { rows } = await admin.query<{ count: string }>('select count(*) from vehicle_location_history');
  return Number(rows[0]?.count);
}

/** Lets the statements of the database end, and the pauses between them pass, until as many are left. */
async function runUntilKept(count: number, stepMs = 1_000): Promise<void> {
  await expect
    .poll(
      async () => {
        await clock.advanceSettled(stepMs);
        return kept();
      },
      { timeout: 20_000 },
    )
    .toBe(count);
}

it('removes what is older than it is to be kept, however much, and nothing else', async () => {
  const repository = new PostgresFleetRepository(pool);
  const ids = Array.from({ length: 120 }, (_, index) => String(index + 1));
  for (const ageMs of [0, KEPT_MS - DAY_MS, KEPT_MS + 1_000, KEPT_MS + DAY_MS]) {
    const batch = ids.map((id) => makeLocation(id, -ageMs));
    await repository.saveLocations(batch, newCall());
  }
  const many = Array.from({ length: 1_200 }, (_, index) => makeLocation('77', -KEPT_MS - 2_000 - index));
  await repository.saveLocations(many, newCall());
  const { removed } = start();
  expect(removed).toBe(0);
  const startedMs = clock.monotonicMs();
  await runUntilKept(2 * 120);
  // In the first round, without its pause.
  expect(clock.monotonicMs() - startedMs).toBeLessThan(3_600_000);
  await expect.poll(() => retention?.removed, { timeout: 10_000 }).toBe(2 * 120 + 1_200);
  expect(retention?.failure).toBeUndefined();
  const { rows } = await admin.query<{ oldest: Date }>('select min(at) as oldest from vehicle_location_history');
  expect(rows[0]?.oldest).toEqual(new Date(TIME_MS - KEPT_MS + DAY_MS));
});

it('leaves what the newest position was chosen from, however old', async () => {
  const repository = new PostgresFleetRepository(pool);
  const old = -2 * KEPT_MS;
  await repository.saveLocations([makeLocation('1', old), makeLocation('1', old, { lat: 12 })], newCall());
  await repository.saveLocations([makeLocation('1', old - 1_000)], newCall());
  start();
  await runUntilKept(2);
  // What comes again is still recognised.
  expect(await repository.saveLocations([makeLocation('1', old)], newCall())).toMatchObject([{ duplicate: true }]);
});

it('says what fails, tries again, and comes round to what has become old since', async () => {
  const repository = new PostgresFleetRepository(pool);
  await repository.saveLocations(
    [makeLocation('1'), makeLocation('1', -KEPT_MS - 1), makeLocation('1', -DAY_MS)],
    newCall(),
  );
  await admin.query('alter table vehicle_location_history rename to elsewhere');
  start();
  await expect
    .poll(
      async () => {
        await clock.advanceSettled(60_000);
        return retention?.failure?.message;
      },
      { timeout: 10_000 },
    )
    .toContain('remove-old-history');
  await admin.query('alter table elsewhere rename to vehicle_location_history');
  await runUntilKept(2, 10_000);
  await expect.poll(() => retention?.failure, { timeout: 10_000 }).toBeUndefined();
  await clock.advanceSettled(KEPT_MS - DAY_MS);
  await runUntilKept(1, 600_000);
});

it('runs nothing any more when it has been stopped', async () => {
  const repository = new PostgresFleetRepository(pool);
  await repository.saveLocations([makeLocation('1'), makeLocation('1', -KEPT_MS - 1)], newCall());
  await start().stop();
  const before = pool.queries;
  await clock.advanceSettled(10 * DAY_MS);
  expect(pool.queries).toBe(before);
  expect(clock.pending).toBe(0);
  expect(await kept()).toBe(2);
});

it('refuses to keep nothing', () => {
  expect(() => new HistoryRetention({ pool, clock, keptMs: 0 })).toThrow(
    expect.objectContaining({ code: 'invalid-options', field: 'days' }),
  );
});
