import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from '../../src/cli/servers/child.js';
import { findOnPath } from '../../src/cli/servers/redis-program.js';
import { openCacheFolder } from '../../src/cli/servers/workspace.js';

const DOWNLOAD_BOUND_MS = 120_000;
const UNPACK_BOUND_MS = 60_000;

/**
 * A promtool: the one on PATH, or the one of Debian's package `prometheus`, unpacked into the cache folder and not
 * installed, so that no server is started.
 */
export async function findPromtool(): Promise<string> {
  const onPath = findOnPath('promtool');
  if (onPath !== undefined) return onPath;
  const unpacked = join(await openCacheFolder(), 'promtool');
  if (!existsSync(unpacked)) {
    await unpackPromtool(unpacked).catch((cause: unknown) => {
      throw new Error('There is no promtool on PATH, and Debian has none to unpack. Install Prometheus.', { cause });
    });
  }
  return unpacked;
}

/** apt gets lists of its own: a user may not write to the system's, and on a fresh machine these are empty. */
async function unpackPromtool(into: string): Promise<void> {
  const work = await mkdtemp(`${into}-`);
  try {
    for (const made of ['lists/partial', 'cache/archives/partial', 'root']) {
      await mkdir(join(work, made), { recursive: true });
    }
    const lists = [`Dir::State::lists=${join(work, 'lists')}`, `Dir::Cache=${join(work, 'cache')}`];
    const options = [...lists, 'Acquire::http::Timeout=20', 'Acquire::Languages=none', 'APT::Sandbox::User='];
    const apt = async (...args: readonly string[]): Promise<void> => {
      await runTool({
        name: `apt-get ${args.join(' ')}`,
        command: 'apt-get',
        args: ['-q', '-o', 'Debug::NoLocking=1', ...options.flatMap((option) => ['-o', option]), ...args],
        cwd: work,
        boundMs: DOWNLOAD_BOUND_MS,
      });
    };
    await apt('update');
    await apt('download', 'prometheus');
    const file = (await readdir(work)).find((name) => name.endsWith('.deb'));
    if (file === undefined) throw new Error('apt-get download prometheus left no package.');
    const args = ['-x', join(work, file), join(work, 'root')];
    await runTool({ name: `dpkg-deb -x ${file}`, command: 'dpkg-deb', args, boundMs: UNPACK_BOUND_MS });
    await rename(join(work, 'root', 'usr', 'bin', 'promtool'), into);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
