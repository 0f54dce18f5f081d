import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { migrate } from '../../src/source/migrate.js';
import { createOwnDatabase } from '../servers.js';

const OWN_FILES = (await readdir(new URL('../../src/source/migrations/', import.meta.url))).sort();

let database: Awaited<ReturnType<typeof createOwnDatabase>>;
let directory: string;
let admin: Client;

beforeEach(async () => {
  database = await createOwnDatabase();
  directory = await mkdtemp(join(tmpdir(), 'migrations-'));
  admin = new Client({ connectionString: database.url });
  await admin.connect();
});

afterEach(async () => {
  await admin.end();
  await rm(directory, { recursive: true });
  await database.drop();
});

const write = (file: string, sql: string) => writeFile(join(directory, file), sql);
const run = () => migrate(database.url, { directory });

async function tables(): Promise<string[]> {
  const { rows } = await admin.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'public' order by 1`,
  );
  return rows.map(({ name }) => name);
}

it('makes the schema of the fleet once, and finds nothing to do the second time', async () => {
  expect(await migrate(database.url)).toEqual(OWN_FILES);
  expect(await tables()).toContain('vehicle_location_history');
  expect(await migrate(database.url)).toEqual([]);
});

it('lets nodes that start at once take turns: each migration runs exactly once', async () => {
  const results = await Promise.all([migrate(database.url), migrate(database.url), migrate(database.url)]);
  expect(results.flat()).toEqual(OWN_FILES);
});

it('runs only what is new, in order of number', async () => {
  await write('0002-second.sql', 'alter table one add column more text');
  await write('0001-first.sql', 'create table one (id integer)');
  expect(await run()).toEqual(['0001-first.sql', '0002-second.sql']);
  await write('0010-third.sql', 'create table two ()');
  expect(await run()).toEqual(['0010-third.sql']);
});

it('names the migration that fails, undoes all of it and keeps those before it', async () => {
  await write('0001-first.sql', 'create table one ()');
  await write('0002-broken.sql', 'create table two (); create table one ();');
  await expect(run()).rejects.toMatchObject({
    code: 'level-failed',
    message: 'migrating the database: 0002-broken.sql failed: relation "one" already exists',
  });
  expect(await tables()).toEqual(['fleetflow_migrations', 'one']);
  await write('0002-broken.sql', 'create table two ()');
  expect(await run()).toEqual(['0002-broken.sql']);
});

it('refuses a migration that was changed after it ran, whatever its line endings', async () => {
  await write('0001-first.sql', 'create table one\n()');
  await run();
  await write('0001-first.sql', 'create table one\r\n()');
  expect(await run()).toEqual([]);
  await write('0001-first.sql', 'create table one (id integer)');
  await expect(run()).rejects.toThrow('0001-first.sql was changed after it ran');
});

it('refuses a database of another line, and leaves one that is ahead of it alone', async () => {
  await write('0001-first.sql', 'create table one ()');
  await write('0002-second.sql', 'create table two ()');
  await run();
  await rm(join(directory, '0002-second.sql'));
  expect(await run()).toEqual([]);
  await rm(join(directory, '0001-first.sql'));
  await write('0003-third.sql', 'create table three ()');
  await expect(run()).rejects.toThrow('0001-first.sql ran in this database and is missing here');
});

it('refuses files that it cannot put in order', async () => {
  await write('first.sql', '');
  await expect(run()).rejects.toThrow('first.sql is not named like 0001-what-it-does.sql');
  await rm(join(directory, 'first.sql'));
  await write('0001-a.sql', '');
  await write('0001-b.sql', '');
  await expect(run()).rejects.toThrow('two migrations have the number of 0001-b.sql');
});

it('says so when the database cannot be reached, without its password', async () => {
  const url = new URL(database.url);
  url.password = 'not-the-password';
  url.port = '1';
  const failed = migrate(url.href);
  await expect(failed).rejects.toThrow('the database cannot be reached');
  await expect(failed).rejects.not.toThrow('not-the-password');
});

it('can be given up while another one holds the lock', async () => {
  const giving = new AbortController();
  await write('0001-first.sql', 'create table one ()');
  await run();
  // As a node does that is in the middle of a migration.
  await admin.query('begin; lock table fleetflow_migrations in access exclusive mode');
  const migrating = migrate(database.url, { directory, signal: giving.signal });
  const ended = expect(migrating).rejects.toThrow('enough');
  await expect.poll(countWaiting, { timeout: 10_000 }).toBe(1);
  giving.abort(new Error('enough'));
  await ended;
  await admin.query('rollback');
});

async function countWaiting(): Promise<number> {
  // Within a transaction, the view would otherwise show what it showed the first time.
  await admin.query('select pg_stat_clear_snapshot()');
  const { rows } = await admin.query<{ count: string }>(
    `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return Number(rows[0]?.count);
}
