import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { runTool } from './child.js';
import { type DebianOptions, installRedisPackage, unpackRedisPackage } from './redis-debian.js';
import { openCacheFolder } from './workspace.js';

/** A `redis-server` that runs here, and the environment it needs. */
export interface RedisProgram {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
}

export type RedisSearch =
  | { readonly program: RedisProgram }
  | { readonly program: undefined /** What was tried and what came of it. */; readonly reason: string };

/** On PATH; installed with apt-get, as root; the Debian packages unpacked into the cache folder. */
export type RedisWay = 'path' | 'apt' | 'unpack';

export interface FindRedisOptions {
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The ways to try, in order; all of them when left out. */
  readonly ways?: readonly RedisWay[] | undefined;
  /** Where packages are unpacked; the cache folder of the user when left out. */
  readonly cacheDir?: string | undefined;
}

/** `CLUSTER ADDSLOTSRANGE`, `cluster-port` and shard channels came with 7.0. */
const OLDEST_MAJOR = 7;
const VERSION_BOUND_MS = 10_000;

/** Finds a `redis-server` or gets one. Never rejects, except when `signal` is aborted. */
export async function findRedis(options: FindRedisOptions = {}): Promise<RedisSearch> {
  const { signal, ways = ['path', 'apt', 'unpack'] } = options;
  const debian: DebianOptions = { onProgress: options.onProgress ?? (() => {}), signal };
  const reasons: string[] = [];
  for (const way of ways) {
    signal?.throwIfAborted();
    try {
      return { program: await tryWay(way, debian, options.cacheDir) };
    } catch (error) {
      signal?.throwIfAborted();
      reasons.push(`${way}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return {
    program: undefined,
    reason: `No redis-server. Install Redis ${OLDEST_MAJOR} or newer so that redis-server is on PATH.\n${reasons.join('\n')}`,
  };
}

async function tryWay(way: RedisWay, debian: DebianOptions, cacheDir: string | undefined): Promise<RedisProgram> {
  if (way === 'path') return checkProgram(requireOnPath('redis-server'), process.env);
  requireOnPath('apt-get');
  if (way === 'apt') {
    if (process.getuid?.() !== 0) throw new Error('needs root.');
    await installRedisPackage(debian);
    return checkProgram(requireOnPath('redis-server'), process.env);
  }
  const root = join(cacheDir ?? (await openCacheFolder()), 'redis-packages');
  const checkUnpacked = () => checkProgram(join(root, 'usr', 'bin', 'redis-server'), withLibraries(root));
  if (existsSync(root)) {
    try {
      return await checkUnpacked();
    } catch {
      // From before an upgrade of the system, say.
      await rm(root, { recursive: true, force: true });
    }
  }
  await unpackRedisPackage(root, debian);
  return checkUnpacked();
}

/** The first executable file of that name in the folders of PATH. */
export function findOnPath(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter((one) => one !== '')) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

function requireOnPath(name: string): string {
  const path = findOnPath(name);
  if (path === undefined) throw new Error(`there is no ${name} on PATH.`);
  return path;
}

/** The environment in which an unpacked program finds the libraries that were unpacked with it. */
function withLibraries(root: string): NodeJS.ProcessEnv {
  const folders: string[] = [];
  for (const lib of [join(root, 'usr', 'lib'), join(root, 'lib')]) {
    if (!existsSync(lib)) continue;
    for (const name of readdirSync(lib)) {
      if (name.includes('-linux-')) folders.push(join(lib, name));
    }
  }
  const before = process.env.LD_LIBRARY_PATH;
  return { ...process.env, LD_LIBRARY_PATH: [...folders, ...(before ? [before] : [])].join(delimiter) };
}

async function checkProgram(path: string, env: NodeJS.ProcessEnv): Promise<RedisProgram> {
  const args = ['--version'];
  const said = await runTool({ name: `${path} --version`, command: path, args, env, boundMs: VERSION_BOUND_MS });
  const version = /v=(\d+)\.\d+\.\d+/.exec(said);
  if (!version || Number(version[1]) < OLDEST_MAJOR) {
    throw new Error(`${path} is not Redis ${OLDEST_MAJOR} or newer: ${said.trim()}`);
  }
  return { path, env, version: version[0].slice(2) };
}
