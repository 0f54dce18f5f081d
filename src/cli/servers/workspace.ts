import { rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { addExitTask } from './exit-tasks.js';

/** A folder for one run, gone after it: by `remove()`, or when this process ends. */
export interface Workspace {
  readonly path: string;
  remove(): Promise<void>;
}

/** A server that was just killed may still be in the middle of a last file. */
const REMOVAL = { recursive: true, force: true, maxRetries: 10, retryDelay: 50 } as const;

/** Makes a new folder in the temporary folder of the system. */
export async function createWorkspace(): Promise<Workspace> {
  const path = await mkdtemp(join(tmpdir(), 'fleetflow-cache-'));
  const forget = addExitTask(() => rmSync(path, REMOVAL));
  // As root, PostgreSQL runs under another user, who has to pass through here to its own folder.
  if (process.getuid?.() === 0) await chmod(path, 0o711);
  return {
    path,
    remove: async () => {
      await rm(path, REMOVAL);
      forget();
    },
  };
}

/** The folder for what is worth keeping between runs (`$XDG_CACHE_HOME/fleetflow-cache`), made if it is not there. */
export async function openCacheFolder(): Promise<string> {
  const path = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'fleetflow-cache');
  await mkdir(path, { recursive: true });
  return path;
}
