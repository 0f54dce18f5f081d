import { setMaxListeners } from 'node:events';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Call } from '../../src/core/call.js';
import { systemClock } from '../../src/node/system-clock.js';
import { PostgresPool, type PostgresPoolOptions } from '../../src/source/postgres-pool.js';
import { createOwnDatabase } from '../servers.js';
import { startWire, type Wire } from './wire.js';

let database: Awaited<ReturnType<typeof createOwnDatabase>>;
let admin: Client;
let wire: Wire;
/** One of its own for each test: a statement goes on in the database after its test has left it. */
let applicationName = '';
const pools: PostgresPool[] = [];

beforeAll(async () => {
  database = await createOwnDatabase();
  admin = new Client({ connectionString: database.url });
  await admin.connect();
});

afterAll(async () => {
  await admin.end();
  await database.drop();
});

beforeEach(async ({ task }) => {
  applicationName = `test-${task.id}`;
  wire = await startWire(database.url);
});

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
  await wire.close();
});

function makePool(options: Partial<PostgresPoolOptions> = {}): PostgresPool {
  const pool = new PostgresPool({ url: wire.url, clock: systemClock, applicationName, ...options });
  pools.push(pool);
  return pool;
}

const within = (remainingMs: number, signal?: AbortSignal): Call => ({
  deadlineAtMs: systemClock.monotonicMs() + remainingMs,
  signal,
  reason: 'read',
});
const ONE = { name: 'one', text: 'select 1::float8 as one' };
const SLEEP = { name: 'sleep', text: 'select pg_sleep($1)' };
const isOne = async (pool: PostgresPool) => (await pool.query(ONE, [], within(10_000)).catch(() => [])).length === 1;

async function active(): Promise<number> {
  const { rows } = await admin.query<{ count: string }>(
    `select count(*) from pg_stat_activity
     where datname = current_database() and application_name = $1 and state = 'active'`,
    [applicationName],
  );
  return Number(rows[0]?.count);
}

describe('a pool of connections to PostgreSQL', () => {
  it('gives values with their types, whatever the application set for the whole process', async () => {
    const [row] = await makePool().query<Record<string, unknown>>(
      {
        name: 'types',
        text: `select 18446744073709551615::numeric as id, timestamptz '2026-11-05 10:00:00.007+05:30' as at,
          0.1::float8 + 0.2 as sum, true as yes, 7::integer as whole, null::timestamptz as never`,
      },
      [],
      within(5_000),
    );
    expect(row).toStrictEqual({
      id: '18446744073709551615',
      at: new Date('2026-11-05T04:30:00.007Z'),
      sum: 0.1 + 0.2,
      yes: true,
      whole: 7,
      never: null,
    });
  });

  it('counts statements, and prepares each once per connection', async () => {
    const pool = makePool({ connectionsMax: 1 });
    for (let count = 0; count < 3; count++) await pool.query(ONE, [], within(5_000));
    expect(pool.queries).toBe(3);
    const prepared = { name: 'prepared', text: `select name from pg_prepared_statements where name = 'one'` };
    expect(await pool.query(prepared, [], within(5_000))).toHaveLength(1);
  });

  it('opens no more connections than it may; what comes on top waits its turn', async () => {
    const pool = makePool({ connectionsMax: 2 });
    const counting = {
      name: 'counting',
      text: 'select count(*)::integer as open from pg_stat_activity, pg_sleep(0.01) where application_name = $1',
    };
    const work = Array.from({ length: 12 }, () =>
      pool.query<{ open: number }>(counting, [applicationName], within(10_000)),
    );
    const open = (await Promise.all(work)).map((rows) => rows[0]?.open);
    expect(open).toHaveLength(12);
    expect(Math.max(...open.map(Number))).toBe(2);
  });

  it('refuses at once when a thousand wait already', async () => {
    const pool = makePool({ connectionsMax: 1, statementTimeoutMs: 10_000 });
    const holder = new AbortController();
    setMaxListeners(0, holder.signal);
    const work = Array.from({ length: 1_001 }, () => pool.query(SLEEP, [0], within(30_000, holder.signal)));
    const settled = Promise.allSettled(work);
    await expect(pool.query(ONE, [], within(30_000))).rejects.toMatchObject({ code: 'overloaded' });
    holder.abort();
    await settled;
  });

  it('waits for an answer no longer than the call allows; the server ends the statement at its timeout', async () => {
    const pool = makePool({ statementTimeoutMs: 400 });
    await expect(pool.query(SLEEP, [30], within(150))).rejects.toMatchObject({
      code: 'deadline',
      message: expect.stringContaining('PostgreSQL (sleep)'),
    });
    await expect.poll(active, { timeout: 10_000 }).toBe(0);
    expect(await isOne(pool)).toBe(true);
    await expect(pool.query(SLEEP, [30], within(10_000))).rejects.toMatchObject({
      code: 'deadline',
      message: expect.stringContaining('statement timeout'),
    });
  });

  it('waits for its turn no longer than the call allows, and lets go when the caller does', async () => {
    const pool = makePool({ connectionsMax: 1, statementTimeoutMs: 20_000 });
    const holder = new AbortController();
    const holding = expect(pool.query(SLEEP, [20], within(20_000, holder.signal))).rejects.toMatchObject({
      code: 'aborted',
    });
    await expect.poll(active, { timeout: 10_000 }).toBe(1);
    await expect(pool.query(ONE, [], within(20))).rejects.toMatchObject({ code: 'deadline' });
    const giving = new AbortController();
    const waiting = expect(pool.query(ONE, [], within(20_000, giving.signal))).rejects.toMatchObject({
      code: 'aborted',
    });
    giving.abort();
    await waiting;
    holder.abort();
    await holding;
    expect(pool.queries).toBe(1);
  });

  it('goes on with the same connection after the database refused a statement', async () => {
    const pool = makePool({ connectionsMax: 1 });
    const pid = { name: 'pid', text: 'select pg_backend_pid() as pid' };
    const [before] = await pool.query(pid, [], within(5_000));
    const wrong = { name: 'wrong', text: 'select * from nowhere' };
    await expect(pool.query(wrong, [], within(5_000))).rejects.toMatchObject({
      code: 'level-failed',
      message: 'PostgreSQL failed wrong: relation "nowhere" does not exist',
    });
    expect(await pool.query(pid, [], within(5_000))).toEqual([before]);
  });

  it('survives the loss of idle connections, and of one in use', async () => {
    const pool = makePool({ statementTimeoutMs: 20_000 });
    await Promise.all([isOne(pool), isOne(pool)]);
    wire.cut();
    await expect.poll(() => isOne(pool), { timeout: 10_000 }).toBe(true);
    const sleeping = pool.query(SLEEP, [30], within(20_000));
    const failing = expect(sleeping).rejects.toMatchObject({ code: 'level-failed' });
    await expect.poll(active, { timeout: 10_000 }).toBe(1);
    wire.cut();
    await failing;
    await expect.poll(() => isOne(pool), { timeout: 10_000 }).toBe(true);
  });

  it('survives a database that ends its sessions', async () => {
    const pool = makePool({ statementTimeoutMs: 20_000 });
    const failing = expect(pool.query(SLEEP, [30], within(20_000))).rejects.toMatchObject({ code: 'level-failed' });
    await expect.poll(active, { timeout: 10_000 }).toBe(1);
    await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [
      applicationName,
    ]);
    await failing;
    await expect.poll(() => isOne(pool), { timeout: 10_000 }).toBe(true);
  });

  it('gives up connections to a server that is frozen, and opens others when it is back', async () => {
    const pool = makePool({ connectionsMax: 2, statementTimeoutMs: 200, connectTimeoutMs: 300 });
    await isOne(pool);
    wire.freeze();
    await expect(pool.query(ONE, [], within(10_000))).rejects.toMatchObject({ code: 'level-failed' });
    await expect(pool.query(ONE, [], within(10_000))).rejects.toMatchObject({
      code: 'level-failed',
      message: expect.stringContaining('cannot be reached'),
    });
    wire.thaw();
    await expect.poll(() => isOne(pool), { timeout: 10_000 }).toBe(true);
  });

  it('says whether the server cannot be reached or will not have us, and never says the password', async () => {
    const url = new URL(database.url);
    url.password = 'not-the-password';
    url.username = 'nobody-we-know';
    const stranger = makePool({ url: url.href }).query(ONE, [], within(10_000));
    await expect(stranger).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(stranger).rejects.not.toThrow('not-the-password');
    url.port = '1';
    await expect(makePool({ url: url.href }).query(ONE, [], within(10_000))).rejects.toMatchObject({
      code: 'level-failed',
      message: expect.stringContaining('PostgreSQL cannot be reached'),
    });
  });
});

describe('closing a pool', () => {
  it('lets what runs end, turns away what waits, and leaves no connection', async () => {
    const pool = makePool({ connectionsMax: 1 });
    const running = pool.query(SLEEP, [0.2], within(10_000));
    await expect.poll(active, { timeout: 10_000 }).toBe(1);
    const waiting = expect(pool.query(ONE, [], within(10_000))).rejects.toMatchObject({ code: 'closed' });
    await pool.close();
    await waiting;
    expect(await running).toHaveLength(1);
    expect(wire.open).toBe(0);
    await expect(pool.query(ONE, [], within(10_000))).rejects.toMatchObject({ code: 'closed' });
  });

  it('cuts off what does not end in time, a frozen server too', async () => {
    const pool = makePool({ statementTimeoutMs: 60_000 });
    const running = expect(pool.query(SLEEP, [60], within(60_000))).rejects.toMatchObject({ code: 'level-failed' });
    await expect.poll(active, { timeout: 10_000 }).toBe(1);
    wire.freeze();
    await pool.close();
    await running;
    wire.thaw();
    await expect.poll(() => wire.open, { timeout: 10_000 }).toBe(0);
  });
});
