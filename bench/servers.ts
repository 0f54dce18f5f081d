import { startPostgres } from '../src/cli/servers/postgres.js';
import { startRedisCluster } from '../src/cli/servers/redis-cluster.js';
import { findRedis } from '../src/cli/servers/redis-program.js';
import { createWorkspace } from '../src/cli/servers/workspace.js';
import type { WalLevel } from './section.js';

export interface RedisServers {
  /** `127.0.0.1:port` of every node, the primaries first. */
  readonly nodes: readonly string[];
  stop(): Promise<void>;
}

/** A Redis Cluster of three primaries with a replica each, for all sections that want one. */
export async function startRedisServers(say: (line: string) => void, signal: AbortSignal): Promise<RedisServers> {
  const search = await findRedis({ onProgress: say, signal });
  if (!search.program) throw new Error(search.reason);
  const workspace = await createWorkspace();
  try {
    const cluster = await startRedisCluster({ program: search.program, dir: workspace.path, onProgress: say, signal });
    return {
      nodes: cluster.addresses,
      stop: async () => {
        await cluster.stop();
        await workspace.remove();
      },
    };
  } catch (thrown) {
    await workspace.remove();
    throw thrown;
  }
}

export interface DatabaseServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** PostgreSQL with an empty database. */
export async function startDatabase(
  wal: WalLevel,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<DatabaseServer> {
  const workspace = await createWorkspace();
  try {
    const { url, stop } = await startPostgres({
      dir: workspace.path,
      // As a database that is used: what is committed is in its log at once, where those who follow it read.
      settings: [`wal_level=${wal}`, 'synchronous_commit=on'],
      onProgress: say,
      signal,
    });
    return {
      url,
      stop: async () => {
        await stop();
        await workspace.remove();
      },
    };
  } catch (thrown) {
    await workspace.remove();
    throw thrown;
  }
}
