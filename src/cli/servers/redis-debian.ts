import { existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from './child.js';
import { addExitTask } from './exit-tasks.js';

export interface DebianOptions {
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

const UPDATE_BOUND_MS = 120_000;
const INSTALL_BOUND_MS = 300_000;
const SIMULATE_BOUND_MS = 60_000;
const DOWNLOAD_BOUND_MS = 120_000;
const UNPACK_BOUND_MS = 30_000;
const DISABLE_BOUND_MS = 30_000;

const NETWORK = ['-o', 'Acquire::http::Timeout=20', '-o', 'Acquire::Retries=2', '-o', 'Acquire::Languages=none'];
const WORTH_TELLING = /^(Get:|Fetched|Unpacking|Setting up)/;
const POLICY_PATH = '/usr/sbin/policy-rc.d';

function aptGet(step: string, args: readonly string[], boundMs: number, options: DebianOptions, cwd?: string) {
  return runTool({
    name: `apt-get ${step}`,
    command: 'apt-get',
    args: ['-q', ...NETWORK, ...args],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    cwd,
    boundMs,
    signal: options.signal,
    onLine: (line) => {
      if (WORTH_TELLING.test(line)) options.onProgress(`  ${line}`);
    },
  });
}

/** Installs the package `redis-server`, as root, without its service being started now or at the next boot. */
export async function installRedisPackage(options: DebianOptions): Promise<void> {
  options.onProgress('Installing redis-server with apt-get');
  try {
    await aptGet('update', ['update'], UPDATE_BOUND_MS, options);
  } catch (error) {
    // The lists may be there from before, and one unreachable archive of several must not stop us.
    options.onProgress(`  ${firstLine(error)}`);
  }
  const removePolicy = await forbidServiceStart();
  try {
    const args = ['-o', 'DPkg::Lock::Timeout=60', 'install', '-y', '--no-install-recommends', 'redis-server'];
    await aptGet('install', args, INSTALL_BOUND_MS, options);
  } finally {
    await removePolicy();
  }
  await runTool({
    name: 'update-rc.d redis-server disable',
    command: 'update-rc.d',
    args: ['redis-server', 'disable'],
    boundMs: DISABLE_BOUND_MS,
  }).catch((error: unknown) => options.onProgress(`  ${firstLine(error)}`));
}

/**
 * Debian's packages ask `policy-rc.d` before they start a service. A machine that has one keeps its own; for others a
 * policy stands there while the package is installed. It speaks of Redis only, and only while this process lives, so
 * that it does no harm even if something keeps us from taking it away.
 */
async function forbidServiceStart(): Promise<() => Promise<void>> {
  const script = [
    '#!/bin/sh',
    '# Put here by fleetflow-cache while it installs redis-server; it may be removed.',
    `kill -0 ${process.pid} 2>/dev/null || exit 0`,
    'case "$1" in redis-server*) exit 101 ;; esac',
    'exit 0',
    '',
  ].join('\n');
  try {
    await writeFile(POLICY_PATH, script, { flag: 'wx', mode: 0o755 });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return async () => {};
    throw error;
  }
  const forget = addExitTask(() => rmSync(POLICY_PATH, { force: true }));
  return async () => {
    await rm(POLICY_PATH, { force: true });
    forget();
  };
}

/**
 * Downloads redis-server and those packages it needs which this machine has not, and unpacks them into `into`, with
 * nothing installed and no rights needed. apt gets lists of its own: a user may not write to the system's, and on a
 * fresh machine these are empty.
 */
export async function unpackRedisPackage(into: string, options: DebianOptions): Promise<void> {
  options.onProgress('Downloading the Debian packages of redis-server');
  const work = await mkdtemp(`${into}-`);
  const forget = addExitTask(() => rmSync(work, { recursive: true, force: true }));
  try {
    const folder = (...names: string[]): string => join(work, ...names);
    for (const made of [['lists', 'partial'], ['cache', 'archives', 'partial'], ['packages'], ['root']]) {
      await mkdir(folder(...made), { recursive: true });
    }
    const own = ['-o', `Dir::State::lists=${folder('lists')}`, '-o', `Dir::Cache=${folder('cache')}`];
    own.push('-o', 'Debug::NoLocking=1', '-o', 'APT::Sandbox::User=');
    await aptGet('update', [...own, 'update'], UPDATE_BOUND_MS, options);
    const simulation = [...own, '-s', '--no-install-recommends', 'install', 'redis-server'];
    const names = missingPackages(await aptGet('install -s', simulation, SIMULATE_BOUND_MS, options));
    await aptGet('download', [...own, 'download', ...names], DOWNLOAD_BOUND_MS, options, folder('packages'));
    for (const file of await readdir(folder('packages'))) {
      const args = ['-x', folder('packages', file), folder('root')];
      await runTool({ name: `dpkg-deb -x ${file}`, command: 'dpkg-deb', args, boundMs: UNPACK_BOUND_MS });
    }
    // Another process may have been at it too, and have been faster; its result is as good.
    await rename(folder('root'), into).catch((error: unknown) => {
      if (!existsSync(into)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
    forget();
  }
}

/**
 * Reads apt's simulation. `Inst name (version ...)` is a package that is not here; `Inst name [old] (version ...)` an
 * update of one that is, which is left alone: a newer C library beside the old loader would not even start.
 */
export function missingPackages(simulation: string): string[] {
  const names = new Set(['redis-server', 'redis-tools']);
  for (const [, name] of simulation.matchAll(/^Inst (\S+) \(/gm)) {
    if (name !== undefined) names.add(name);
  }
  return [...names];
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0] ?? '';
}
