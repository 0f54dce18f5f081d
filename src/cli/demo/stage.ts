import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { addChanges } from '../../node/demo/change-figures.js';
import { DemoDatabase } from '../../node/demo/demo-database.js';
import { type DemoFleet, makeDemoFleet } from '../../node/demo/demo-fleet.js';
import { startDemoRoutes } from '../../node/demo/demo-routes.js';
import type { DemoNodeConfig } from '../../node/demo/protocol.js';
import { startPostgres } from '../servers/postgres.js';
import { type RedisCluster, startRedisCluster } from '../servers/redis-cluster.js';
import { connectTo } from '../servers/redis-node.js';
import { findRedis } from '../servers/redis-program.js';
import { createWorkspace } from '../servers/workspace.js';
import { transportText } from './figures-text.js';
import { NodeProcess } from './node-process.js';
import type { StopList } from './stop-list.js';

export interface StageOptions {
  readonly vehicles: number;
  /** `127.0.0.1:port` of each node. */
  readonly addresses: readonly string[];
  readonly stops: StopList;
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
  /** What stands between the nodes and the database, if anything does; returns where it listens. */
  readonly databaseThrough?: (url: string) => Promise<string>;
}

/** Everything that the demo has started. */
export interface Stage {
  readonly fleet: DemoFleet;
  readonly folder: string;
  /** Undefined: Redis was not to be had. */
  readonly cluster: RedisCluster | undefined;
  readonly database: DemoDatabase;
  readonly databaseUrl: string;
  readonly nodes: readonly NodeProcess[];
  /** Of every process that was started, those of Redis as they are now. */
  pids(): number[];
}

/** Where the nodes are; the vehicles are everywhere. */
export const DEMO_CITY = 'mumbai';
const SEED = 20_260_101;
/** A node keeps some of what is read here, not all: otherwise no other level would have work to do. */
const LOCAL_ENTRIES_PER_VEHICLE = 2;
const LOCAL_ENTRIES_MAX = 10_000;
/** Nobody tells a node of the others' writes then: its copies must not be older than the bound on staleness. */
const LOCAL_TTL_WITHOUT_L2 = 800;
/**
 * What a server of our own needs for the change feed to read its log, and a folder that a forgotten slot cannot fill. Our
 * servers do not wait for the log when they commit, and it is told only when it is written: soon, then.
 */
const CHANGES_BY_REPLICATION = ['wal_level=logical', 'max_slot_wal_keep_size=1GB', 'wal_writer_delay=20ms'];
const FOLLOWING_BOUND_MS = 20_000;
const FOLLOWING_AGAIN_MS = 50;
const WARM_UP_BOUND_MS = 600_000;
const ANSWER_BOUND_MS = 2_000;

export function nodeName(index: number): string {
  return `node-${index + 1}`;
}

/** Starts the servers, fills the database and starts the nodes. What it has started, `stops` knows, also if it fails. */
export async function setStage(options: StageOptions): Promise<Stage> {
  const { addresses, stops, signal, onProgress } = options;
  const fleet = makeDemoFleet({ vehicles: options.vehicles, seed: SEED });
  const workspace = await createWorkspace();
  stops.add('the folder', () => workspace.remove());
  const tools = { dir: workspace.path, signal, onProgress };

  const started = await Promise.allSettled([
    startL2(tools, stops),
    startPostgres({ ...tools, settings: CHANGES_BY_REPLICATION }).then((server) => {
      stops.add('PostgreSQL', () => server.stop());
      return server;
    }),
    startDemoRoutes().then((server) => {
      stops.add('the routes API', () => server.close());
      return server;
    }),
  ]);
  // Only when all have ended: what is still starting could not be stopped.
  const [cluster, postgres, routes] = started.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  }) as [
    RedisCluster | undefined,
    Awaited<ReturnType<typeof startPostgres>>,
    Awaited<ReturnType<typeof startDemoRoutes>>,
  ];
  signal.throwIfAborted();

  const database = new DemoDatabase(postgres.url, signal);
  stops.add('the connections to the database', () => database.close());
  const migrations = await database.migrate();
  onProgress(`Made the tables (${migrations.length} migrations), entering ${fleet.vehicles.length} vehicles`);
  await database.seed(fleet, () => {});

  const databaseUrl = (await options.databaseThrough?.(postgres.url)) ?? postgres.url;
  const secret = randomBytes(24).toString('base64url');
  onProgress(`Starting ${addresses.length} cache nodes`);
  const maxEntries = Math.min(LOCAL_ENTRIES_MAX, options.vehicles * LOCAL_ENTRIES_PER_VEHICLE);
  const configs = addresses.map(
    (listen, i): DemoNodeConfig => ({
      name: nodeName(i),
      cache: {
        city: DEMO_CITY,
        local: { maxEntries, ...(cluster === undefined && { ttl: LOCAL_TTL_WITHOUT_L2 }) },
        ...(cluster !== undefined && { redis: { nodes: cluster.addresses } }),
        peers: { listen, seeds: addresses.filter((address) => address !== listen), secret },
      },
      databaseUrl,
      routes: { url: routes.url, apiKey: routes.apiKey },
      fleet: fleet.plan,
    }),
  );
  const nodes = await startNodes(configs, options);
  onProgress(`${nodes.map(({ name, pid }) => `${name} (pid ${pid})`).join(', ')} are ready`);
  onProgress(`${await awaitFollowing(nodes, signal)}, warming up`);
  const warmed = await orAborted(nodes[0]?.ask({ kind: 'warm-up' }, WARM_UP_BOUND_MS), signal);
  onProgress(`Warmed the cache with ${warmed?.vehicles ?? 0} vehicles`);

  return {
    fleet,
    folder: workspace.path,
    cluster,
    database,
    databaseUrl: postgres.url,
    nodes,
    pids: () => [
      ...nodes.map(({ pid }) => pid),
      ...(cluster?.nodes.map(({ pid }) => pid) ?? []),
      ...(postgres.pid === undefined ? [] : [postgres.pid]),
    ],
  };
}

async function startL2(
  tools: Pick<StageOptions, 'signal' | 'onProgress'> & { readonly dir: string },
  stops: StopList,
): Promise<RedisCluster | undefined> {
  const { program, ...search } = await findRedis(tools);
  if (program === undefined) {
    tools.onProgress(`The demo runs without L2. ${'reason' in search ? search.reason : ''}`);
    return undefined;
  }
  const cluster = await startRedisCluster({ ...tools, program });
  stops.add('the Redis Cluster', () => cluster.stop());
  return cluster;
}

async function startNodes(configs: readonly DemoNodeConfig[], options: StageOptions): Promise<NodeProcess[]> {
  const { signal, stops } = options;
  const nodes: NodeProcess[] = [];
  stops.add('the nodes', async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  });
  const started = await Promise.allSettled(
    configs.map(async (config) => {
      const node = await NodeProcess.start({ config, signal });
      nodes.push(node);
      return node;
    }),
  );
  return started.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}

/**
 * Until one of the nodes reads what others write to the database: it begins by giving up all that is cached, which would
 * undo a warm-up. @returns how it reads
 */
async function awaitFollowing(nodes: readonly NodeProcess[], signal: AbortSignal): Promise<string> {
  const untilMs = performance.now() + FOLLOWING_BOUND_MS;
  for (;;) {
    const asked = nodes.map(async (node) => ({
      name: node.name,
      changes: (await node.ask({ kind: 'sample' }, ANSWER_BOUND_MS)).changes,
    }));
    const changes = addChanges((await orAborted(Promise.all(asked), signal)) ?? []);
    if (changes?.reader !== undefined) {
      const why = changes.whyOutbox === undefined ? '' : ` (${changes.whyOutbox})`;
      return `${changes.reader} follows the changes of the database by ${transportText(changes)}${why}`;
    }
    if (performance.now() > untilMs) {
      throw new Error(`no node follows the database's changes after ${FOLLOWING_BOUND_MS} ms: ${changes?.lastError}`);
    }
    await sleep(FOLLOWING_AGAIN_MS, undefined, { signal });
  }
}

async function orAborted<T>(work: Promise<T> | undefined, signal: AbortSignal): Promise<T | undefined> {
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
  });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Empties L2, as an operator's mistake would, and says on how many primaries. */
export async function clearL2(cluster: RedisCluster): Promise<number> {
  const primaries = await cluster.primaries();
  await Promise.all(
    primaries.map(async ({ port }) => {
      const connection = await connectTo(port, ANSWER_BOUND_MS);
      try {
        await connection.sendCommand(['FLUSHALL', 'SYNC']);
      } finally {
        connection.destroy();
      }
    }),
  );
  return primaries.length;
}
