import { type Call, waitWithin } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import { parseAddress } from './address.js';
import { RedisConnections } from './connections.js';
import { evictsAnything, GraveBound } from './grave-bound.js';
import { DEFAULT_PREFIX, KeyLayout } from './key-layout.js';
import { RedisNodeRegistry } from './node-registry.js';
import { Reclaim } from './reclaim.js';
import { RedisFeed } from './redis-feed.js';
import { RedisLeases } from './redis-leases.js';
import { RedisTier } from './redis-tier.js';
import type { RedisAccess } from './resp-connection.js';
import { ShardCalls } from './shard-calls.js';
import { deadlinesOnly, type ShardGuard } from './shard-guard.js';

export interface RedisOptions extends RedisAccess {
  /** `host:port` of a single Redis, or of nodes of one cluster: one is enough, several are safer. */
  readonly nodes: readonly string[];
  /** What every key in Redis starts with; no braces. Default `fleetflow:`. */
  readonly prefix?: string | undefined;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Stands around every call to a shard. Default: nothing but the deadline of the call. */
  readonly guard?: ShardGuard | undefined;
  /** A primary told its time: `serverMs` since the epoch, between the monotonic instant `sentAtMs` and now. */
  readonly onTime?: ((server: string, sentAtMs: number, serverMs: number) => void) | undefined;
  /** A node was lost or answered with an error; it is being tried again. */
  readonly onError?: ((error: Error, shard: string) => void) | undefined;
  /** A node has greeted a new connection: what is held against it (a breaker) no longer counts. */
  readonly onConnected?: ((shard: string) => void) | undefined;
  /** A node is no primary any more: whatever is kept about it (a breaker) can be forgotten. */
  readonly onGone?: ((shard: string) => void) | undefined;
  /** How often the sequences are compared, in ms; bounds how long a lost message goes unnoticed. Default 400. */
  readonly probeIntervalMs?: number | undefined;
}

/** L2: Redis as a tier, and the feed and the leases that go with it. */
export interface Redis {
  readonly tier: RedisTier;
  readonly feed: RedisFeed;
  /** Who in the city loads what. */
  readonly leases: RedisLeases;
  /** Where nodes find each other. */
  readonly registry: RedisNodeRegistry;
  /**
   * Begins to follow what others write; to be called when the feed has its listener. Resolves when that is so and every
   * shard has been asked something, or after two seconds. Until the floors have been read, the tier answers reads with
   * `not-ready`.
   */
  start(): Promise<void>;
  /** The primaries, and whether each is connected; empty until a node has told who they are. */
  health(): readonly { readonly shard: string; readonly ok: boolean }[];
  /** Ends what is in flight, within a second, and closes every connection. Closing the tier does the same. */
  close(): Promise<void>;
}

/** Two probes and a half to a feed lease: one may be late. */
const DEFAULT_PROBE_INTERVAL_MS = 400;
const CONNECT_BOUND_MS = 1_000;

/**
 * Connects to Redis: resolves when every primary is connected, or after a second; what is missing then is tried on.
 * @throws CacheError `invalid-config` for nodes or a prefix that cannot be; nothing has been opened then
 */
export async function createRedis(options: RedisOptions): Promise<Redis> {
  const { nodes, clock, chance, username, password, tls } = options;
  if (nodes.length === 0) {
    throw new CacheError('invalid-config', 'redis.nodes is empty: name at least one host:port', {
      field: 'redis.nodes',
    });
  }
  for (const node of nodes) parseAddress(node);
  const layout = new KeyLayout(options.prefix ?? DEFAULT_PREFIX);
  const access: RedisAccess = { username, password, tls };
  const onError = options.onError ?? (() => {});
  const onConnected = options.onConnected ?? (() => {});
  const graves = new GraveBound();
  const onGone = (shard: string): void => {
    graves.forget(shard);
    options.onGone?.(shard);
  };
  const connections = new RedisConnections({ nodes, access, clock, chance, onError, onConnected, onGone });
  const calls = new ShardCalls(connections, clock, options.guard ?? deadlinesOnly(clock));
  const onTime = options.onTime ?? (() => {});
  const probeIntervalMs = options.probeIntervalMs ?? DEFAULT_PROBE_INTERVAL_MS;
  const leases = new RedisLeases({ connections, calls, layout, clock, chance });
  let isWarned = false;
  const warn = (server: string, policy: string | undefined): void => {
    if (isWarned) return;
    isWarned = true;
    const why = `redis ${server} has maxmemory-policy ${policy}, which may evict tombstones, sequences and floors`;
    onError(new CacheError('invalid-config', `${why}: set volatile-lfu, else deleted values can come back`), server);
  };
  const feed = new RedisFeed({
    connections,
    calls,
    layout,
    access,
    clock,
    chance,
    probeIntervalMs,
    onTime,
    onServer: (server, { maxMemoryBytes, evictionPolicy }) => {
      graves.learn(server, maxMemoryBytes, connections.shards().length);
      if (evictsAnything(evictionPolicy)) warn(server, evictionPolicy);
    },
    onError,
    onLeaseEnd: (key) => leases.ended(key),
    onLeaseGap: (partition) => leases.lost(partition),
    onFloor: () => reclaim.floorRaised(),
  });
  const { floors } = feed;
  const reclaim = new Reclaim({ connections, calls, layout, clock, chance, floors, onError });
  const close = async (): Promise<void> => {
    reclaim.stop();
    await Promise.all([feed.stop(), connections.close()]);
    leases.lost();
  };
  const mayRead = (): boolean => feed.floorsLoaded;
  const gravesMax = (): number => graves.most;
  const mayLack = (partition: number): boolean => feed.mayLack(partition);
  const tier = new RedisTier({ connections, calls, layout, clock, chance, mayRead, mayLack, gravesMax, close });
  const soon = (): Call => ({
    deadlineAtMs: clock.monotonicMs() + CONNECT_BOUND_MS,
    signal: undefined,
    reason: 'probe',
  });
  const start = async (): Promise<void> => {
    await feed.start(soon());
    await meetShards(connections, calls, layout, soon());
  };
  await whenWhole(connections, clock, soon());
  const registry = new RedisNodeRegistry(connections, layout);
  return { tier, feed, leases, registry, start, health: () => connections.shards(), close };
}

async function whenWhole(connections: RedisConnections, clock: Clock, call: Call): Promise<void> {
  const whole = new Promise<void>((resolve) => {
    connections.onChange(() => {
      if (connections.whole) resolve();
    });
  });
  await waitWithin(clock, call, 'redis', whole).catch(() => {});
}

/**
 * Asks every shard something. The first question that a process asks is by far its slowest: nobody's read is to be it, and
 * no shard to be judged by it.
 */
function meetShards(connections: RedisConnections, calls: ShardCalls, layout: KeyLayout, call: Call): Promise<unknown> {
  const places = new Map(layout.partitions.map((partition) => [connections.ownerOf(partition.slot), partition]));
  const questions = [...places.values()].map(({ slot, sequenceKey }) => ({
    slot,
    ask: () => connections.send(slot, ['GET', sequenceKey], call),
  }));
  return calls.askAll(questions, call);
}
