import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { CacheError, toError } from '../core/errors.js';

/** Resolved beside this file: `src/` when run from source, `dist/` when built. */
const OWN_MIGRATIONS = fileURLToPath(new URL('migrations/', import.meta.url));
const FILE_FORM = /^(\d{4})-[a-z0-9-]+\.sql$/;

const CONNECT_TIMEOUT_MS = 5_000;
/** Another node may be migrating: how long to wait for it, and for each lock on a table. */
const LOCK_TIMEOUT_MS = 60_000;
const STATEMENT_TIMEOUT_MS = 300_000;
/** Key of the advisory lock; any number that nobody else uses in this database. */
const LOCK_KEY = 7_305_171_029;

export interface MigrateOptions {
  /** Folder of the `NNNN-name.sql` files. Default: the schema of the fleet. */
  readonly directory?: string;
  readonly signal?: AbortSignal;
}

interface Migration {
  readonly version: number;
  readonly file: string;
  readonly sql: string;
  readonly checksum: string;
}

/**
 * Brings the schema of a database forward: runs, in order and each in a transaction of its own, the migrations that it
 * does not have yet. Nodes that start at once take turns. There is no way back but another migration.
 * @returns the files that were run now
 * @throws CacheError `level-failed` naming the file at fault; what came before it stays. Also when a migration that ran
 *   is missing here or has been changed since. Migrations that are newer than ours are left alone: during a rolling
 *   upgrade an old node may start after a new one
 */
export async function migrate(url: string, options: MigrateOptions = {}): Promise<readonly string[]> {
  options.signal?.throwIfAborted();
  const migrations = await readMigrations(options.directory ?? OWN_MIGRATIONS);
  const socket = new Socket();
  const client = new Client({
    connectionString: url,
    stream: () => socket,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS,
    application_name: 'fleetflow-cache migrate',
  });
  // Without a listener the error of a connection that breaks between two statements would end the process.
  client.on('error', noop);
  const onAbort = () => void socket.destroy();
  options.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await named('the database cannot be reached', client.connect());
    return await run(client, migrations);
  } catch (error) {
    throw options.signal?.aborted ? options.signal.reason : error;
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
    // The farewell is sent; a server that is frozen would never answer it.
    client.end().catch(noop);
    socket.destroySoon();
  }
}

async function run(client: Client, migrations: readonly Migration[]): Promise<readonly string[]> {
  await named('waiting for another node to finish failed', client.query('select pg_advisory_lock($1)', [LOCK_KEY]));
  await named(
    'the table of migrations could not be created',
    client.query(`create table if not exists fleetflow_migrations (
      version integer primary key,
      file text not null,
      checksum text not null,
      applied_at timestamptz not null default now()
    )`),
  );
  const pending = await pendingOf(client, migrations);
  for (const migration of pending) await named(`${migration.file} failed`, apply(client, migration));
  return pending.map(({ file }) => file);
}

async function pendingOf(client: Client, migrations: readonly Migration[]): Promise<readonly Migration[]> {
  const { rows } = await client.query<{ version: number; file: string; checksum: string }>(
    'select version, file, checksum from fleetflow_migrations order by version',
  );
  const ours = new Map(migrations.map((migration) => [migration.version, migration]));
  const newest = Math.max(0, ...ours.keys());
  for (const { version, file, checksum } of rows) {
    const migration = ours.get(version);
    if (migration === undefined && version < newest) {
      throw failure(`${file} ran in this database and is missing here: this is another line of the schema`);
    }
    if (migration !== undefined && migration.checksum !== checksum) {
      throw failure(`${migration.file} was changed after it ran: restore it, and put the change into a new migration`);
    }
  }
  const done = new Set(rows.map(({ version }) => version));
  return migrations.filter(({ version }) => !done.has(version));
}

async function apply(client: Client, { version, file, sql, checksum }: Migration): Promise<void> {
  await client.query('begin');
  try {
    await client.query(sql);
    await client.query('insert into fleetflow_migrations (version, file, checksum) values ($1, $2, $3)', [
      version,
      file,
      checksum,
    ]);
    await client.query('commit');
  } catch (error) {
    // The first error says what was wrong; the one of a rollback on a broken connection would hide it.
    await client.query('rollback').catch(noop);
    throw error;
  }
}

async function readMigrations(directory: string): Promise<readonly Migration[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort();
  const migrations: Migration[] = [];
  for (const file of files) {
    const form = FILE_FORM.exec(file);
    if (form === null) throw failure(`${file} is not named like 0001-what-it-does.sql`);
    const version = Number(form[1]);
    if (migrations.at(-1)?.version === version) throw failure(`two migrations have the number of ${file}`);
    // Line endings differ between checkouts; the schema does not.
    const sql = (await readFile(join(directory, file), 'utf8')).replaceAll('\r\n', '\n');
    migrations.push({ version, file, sql, checksum: createHash('sha256').update(sql).digest('hex') });
  }
  return migrations;
}

/** Waits for a step and says, if it fails, which one it was. */
async function named<T>(what: string, step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (thrown) {
    const { message } = toError(thrown);
    throw failure(message === '' ? what : `${what}: ${message}`, thrown);
  }
}

function failure(what: string, cause?: unknown): CacheError {
  return new CacheError('level-failed', `migrating the database: ${what}`, { cause });
}

function noop(): void {}
