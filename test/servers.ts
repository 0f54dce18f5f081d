/**
 * The servers that tests work with. One Redis Cluster, one single Redis and one PostgreSQL are started per run, by
 * global-setup.ts, if a test file of the run mentions this module or injects one of the names below. They are shared:
 * a test takes a prefix or a database of its own, and does not flush, kill or reconfigure. A test that breaks Redis
 * starts its own with `startOwnRedis`, `useOwnRedis` or `startOwnRedisCluster`.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, inject } from 'vitest';
import { createDatabase, type Postgres, startPostgres } from '../src/cli/servers/postgres.js';
import { type RedisCluster, type RedisClusterOptions, startRedisCluster } from '../src/cli/servers/redis-cluster.js';
import { type RedisNode, startRedis } from '../src/cli/servers/redis-node.js';
import { findRedis, type RedisProgram } from '../src/cli/servers/redis-program.js';
import { createWorkspace } from '../src/cli/servers/workspace.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** `127.0.0.1:port` of the six nodes, the primaries first. */
    redisClusterNodes: string[];
    /** `127.0.0.1:port`. */
    redisSingle: string;
    /** Of a database of the server; its user may create others. */
    databaseUrl: string;
  }
}

/** Redis for a test, or the reason why there is none. */
export async function requireRedis(onProgress?: (line: string) => void): Promise<RedisProgram> {
  const search = await findRedis({ onProgress });
  if (!search.program) throw new Error(search.reason);
  return search.program;
}

export interface OwnRedis {
  readonly node: RedisNode;
  /** Stops it if it still runs and removes its folder. */
  readonly stop: () => Promise<void>;
}

/** A single Redis that the test may kill, freeze and flush as it likes. */
export async function startOwnRedis(options: { readonly maxMemoryMiB?: number } = {}): Promise<OwnRedis> {
  const program = await requireRedis();
  const workspace = await createWorkspace();
  try {
    const node = await startRedis({ ...options, program, dir: workspace.path });
    return {
      node,
      stop: async () => {
        await node.stop();
        await workspace.remove();
      },
    };
  } catch (error) {
    await workspace.remove();
    throw error;
  }
}

/** One for all tests of the file or `describe` that calls this: there from the first of them to the last. */
export function useOwnRedis(): Pick<OwnRedis, 'node'> {
  let own: OwnRedis | undefined;
  beforeAll(async () => {
    own = await startOwnRedis();
  });
  afterAll(() => own?.stop());
  return {
    get node() {
      if (own === undefined) throw new Error('Its own Redis is there when the tests run, and not before.');
      return own.node;
    },
  };
}

export interface OwnRedisCluster {
  readonly cluster: RedisCluster;
  /** Stops the nodes that still run and removes their folder. */
  readonly stop: () => Promise<void>;
}

/** A Redis Cluster that the test may kill, freeze and flush as it likes. It takes about 2 s to start. */
export async function startOwnRedisCluster(
  options: Omit<RedisClusterOptions, 'program' | 'dir'> = {},
): Promise<OwnRedisCluster> {
  const program = await requireRedis();
  const workspace = await createWorkspace();
  try {
    const cluster = await startRedisCluster({ ...options, program, dir: workspace.path });
    return {
      cluster,
      stop: async () => {
        await cluster.stop();
        await workspace.remove();
      },
    };
  } catch (error) {
    await workspace.remove();
    throw error;
  }
}

/** An empty database on the shared PostgreSQL. */
export function createOwnDatabase(): Promise<{ url: string; drop: () => Promise<void> }> {
  return createDatabase(inject('databaseUrl'));
}

/** A PostgreSQL that streams its log, and that the test may stop and reconfigure. */
export async function startOwnPostgres(settings: readonly string[] = ['wal_level=logical']): Promise<Postgres> {
  const workspace = await createWorkspace();
  try {
    const postgres = await startPostgres({ dir: workspace.path, settings });
    return {
      ...postgres,
      stop: async () => {
        await postgres.stop();
        await workspace.remove();
      },
    };
  } catch (error) {
    await workspace.remove();
    throw error;
  }
}

/** A key prefix that no other test uses. */
export function makeOwnPrefix(): string {
  return `test-${randomBytes(6).toString('hex')}:`;
}
