import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createWorkspace, openCacheFolder } from './workspace.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('a workspace', () => {
  it('is a new folder, and gone with all it holds once removed', async () => {
    const [one, other] = [await createWorkspace(), await createWorkspace()];
    expect(one.path).not.toBe(other.path);
    await writeFile(join(one.path, 'file'), 'text');
    await one.remove();
    await other.remove();
    expect(existsSync(one.path)).toBe(false);
    expect(existsSync(other.path)).toBe(false);
  });
});

describe('the cache folder', () => {
  it('follows XDG_CACHE_HOME, and is made when it is not there', async () => {
    const home = await mkdtemp(join(tmpdir(), 'cache-home-'));
    vi.stubEnv('XDG_CACHE_HOME', home);
    expect(await openCacheFolder()).toBe(join(home, 'fleetflow-cache'));
    expect((await stat(join(home, 'fleetflow-cache'))).isDirectory()).toBe(true);
    await rm(home, { recursive: true });
  });

  it('is below the home folder otherwise', async () => {
    const home = await mkdtemp(join(tmpdir(), 'home-'));
    vi.stubEnv('XDG_CACHE_HOME', '');
    vi.stubEnv('HOME', home);
    expect(await openCacheFolder()).toBe(join(home, '.cache', 'fleetflow-cache'));
    await rm(home, { recursive: true });
  });
});
