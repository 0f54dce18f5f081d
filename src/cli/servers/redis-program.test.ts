import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { connectTo, startRedis } from './redis-node.js';
import { findRedis, type RedisSearch } from './redis-program.js';
import { createWorkspace } from './workspace.js';

const DOWNLOAD_BOUND_MS = 400_000;

afterEach(() => {
  vi.unstubAllEnvs();
});

function reasonOf(search: RedisSearch): string {
  return search.program ? `found ${search.program.path}` : search.reason;
}

describe('findRedis', () => {
  it('finds Redis 7 or newer, or gets it', { timeout: DOWNLOAD_BOUND_MS }, async () => {
    const { program } = await findRedis();
    expect(Number.parseInt(program?.version ?? '', 10)).toBeGreaterThanOrEqual(7);
  });

  it('takes the Debian packages apart in a folder, without installing them', {
    timeout: DOWNLOAD_BOUND_MS,
  }, async () => {
    const workspace = await createWorkspace();
    // What lies there from before does not run any more.
    await mkdir(join(workspace.path, 'redis-packages', 'usr', 'bin'), { recursive: true });
    const progress: string[] = [];
    const options = {
      ways: ['unpack'] as const,
      cacheDir: workspace.path,
      onProgress: (line: string) => progress.push(line),
    };
    const search = await findRedis(options);
    expect(reasonOf(search)).toBe(`found ${join(workspace.path, 'redis-packages', 'usr', 'bin', 'redis-server')}`);
    expect(progress.length).toBeGreaterThan(1);
    expect(await readdir(workspace.path)).toEqual(['redis-packages']);

    if (!search.program) return;
    const redis = await startRedis({ program: search.program, dir: workspace.path });
    const connection = await connectTo(redis.port, 1_000);
    expect(await connection.ping()).toBe('PONG');
    connection.destroy();
    await redis.stop();

    progress.length = 0;
    expect(await findRedis(options)).toEqual(search);
    expect(progress).toEqual([]);
    await workspace.remove();
  });

  it('says for each way why it led nowhere', async () => {
    const workspace = await createWorkspace();
    vi.stubEnv('PATH', workspace.path);
    expect(reasonOf(await findRedis())).toBe(
      [
        'No redis-server. Install Redis 7 or newer so that redis-server is on PATH.',
        'path: there is no redis-server on PATH.',
        'apt: there is no apt-get on PATH.',
        'unpack: there is no apt-get on PATH.',
      ].join('\n'),
    );
    await workspace.remove();
  });

  it('refuses a Redis that is too old', async () => {
    const workspace = await createWorkspace();
    const program = join(workspace.path, 'redis-server');
    await writeFile(program, '#!/bin/sh\necho Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64\n');
    await chmod(program, 0o755);
    vi.stubEnv('PATH', `${workspace.path}:${process.env.PATH}`);
    expect(reasonOf(await findRedis({ ways: ['path'] }))).toContain(`${program} is not Redis 7 or newer`);
    await workspace.remove();
  });

  it('rejects when it is aborted', async () => {
    await expect(findRedis({ signal: AbortSignal.abort(new Error('no more time')) })).rejects.toThrow('no more time');
  });
});
