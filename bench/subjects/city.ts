/** Two libraries as a platform of several nodes runs them: memory in front of one Redis Cluster, and news of changes. */
import { once } from 'node:events';
import { waitUntil } from '../../src/cli/servers/wait.js';
import { compose } from '../../src/node/compose.js';
import type { BenchLocation } from '../data/locations.js';
import { PATIENT_DEADLINES, peersConfig, redisConfig } from './fleet-config.js';

export interface CityNode {
  /** Where the others reach it; empty where nodes need not know each other. */
  readonly address: string;
  /** Resolves when it knows so many nodes. */
  whenJoined(nodes: number): Promise<void>;
  get(key: string): Promise<BenchLocation | undefined>;
  getMany(keys: readonly string[]): Promise<ReadonlyMap<string, BenchLocation>>;
  /** @returns why it is not in Redis yet, if it is not */
  set(key: string, value: BenchLocation): Promise<string | undefined>;
  /** Reads so far, and what share of them which level answered; undefined where nobody counts. */
  levels(): LevelCounts | undefined;
  close(): Promise<void>;
}

export interface LevelCounts {
  readonly reads: number;
  readonly local: number;
  readonly distributed: number;
  readonly peer: number;
}

export interface CitySettings {
  readonly redis: readonly string[];
  readonly prefix: string;
  readonly seeds: readonly string[];
}

type Opening = (settings: CitySettings) => Promise<CityNode>;

/** How many entries each keeps in memory: the default of ours. */
const LOCAL_ENTRIES = 10_000;
const TTL_MS = 3_600_000;
const JOIN_BOUND_MS = 30_000;

const fleetflow: Opening = async ({ redis, prefix, seeds }) => {
  const { cache, health, peerAddress } = await compose({
    local: { maxEntries: LOCAL_ENTRIES, ttl: TTL_MS },
    redis: redisConfig(redis, prefix),
    peers: { ...peersConfig(seeds), replicas: 2 },
    deadlines: PATIENT_DEADLINES,
  });
  return {
    address: peerAddress ?? '',
    whenJoined: (nodes) =>
      waitUntil({ what: `${nodes} nodes`, boundMs: JOIN_BOUND_MS }, () =>
        health().levels.some(({ level, parts }) => level === 'peer' && parts === nodes),
      ),
    get: (key) => cache.get(key),
    getMany: (keys) => cache.getMany(keys),
    set: async (key, value) => {
      const { distributed, errors } = await cache.set(key, value);
      // Two nodes may tell of one vehicle at once: then one of them is the older.
      if (distributed === 'stored' || distributed === 'superseded') return undefined;
      return `${distributed}: ${errors.distributed?.message}`;
    },
    levels: () => {
      const { reads, l1HitRate, l2HitRate, l3HitRate } = cache.stats();
      return { reads, local: reads * l1HitRate, distributed: reads * l2HitRate, peer: reads * l3HitRate };
    },
    close: () => cache.close(),
  };
};

/**
 * bentocache.dev/docs/multi-tier: memory, Redis and a bus. Memory keeps text: with `serialize: false`, which is faster,
 * bentocache 1.6.1 throws in the listener of the bus at the first news of a change, and the process ends.
 */
const bentocache: Opening = async ({ redis, prefix }) => {
  const { BentoCache, bentostore } = await import('bentocache');
  const { memoryDriver } = await import('bentocache/drivers/memory');
  const { redisBusDriver, redisDriver } = await import('bentocache/drivers/redis');
  const { Cluster } = await import('ioredis');
  const connection = new Cluster([...redis]);
  connection.on('error', () => {});
  await once(connection, 'ready');
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxItems: LOCAL_ENTRIES }))
    .useL2Layer(redisDriver({ connection }))
    .useBus(redisBusDriver({ connection }));
  const cache = new BentoCache({ default: 'main', prefix, ttl: TTL_MS, stores: { main: store } });
  const get = async (key: string): Promise<BenchLocation | undefined> => cache.get({ key });
  return {
    address: '',
    whenJoined: async () => {},
    get,
    getMany: async (keys) => {
      const values = await Promise.all(keys.map(get));
      return new Map(keys.flatMap((key, i) => (values[i] === undefined ? [] : [[key, values[i]]])));
    },
    set: async (key, value) => {
      await cache.set({ key, value });
      return undefined;
    },
    levels: () => undefined,
    close: () => cache.disconnectAll(),
  };
};

export const citySubjects = { 'fleetflow-cache': fleetflow, bentocache } as const satisfies Record<string, Opening>;

export type CitySubjectName = keyof typeof citySubjects;
