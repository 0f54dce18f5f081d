import { MsgpackCodec } from '../codec/msgpack-codec.js';
import type { Cache, CacheEvents } from '../core/cache.js';
import { CityClock } from '../core/city-clock.js';
import { Emitter } from '../core/emitter.js';
import { Engine } from '../core/engine.js';
import { TOMBSTONE_MS } from '../core/entry.js';
import { CacheError, type CacheErrorCode } from '../core/errors.js';
import { FeedLeases } from '../core/feed-lease.js';
import { Floors } from '../core/floors.js';
import { HybridClock } from '../core/hlc.js';
import { type LeaseOffice, NO_LEASES } from '../core/lease.js';
import { officeWithStandIn } from '../core/lease-offices.js';
import { NO_LOCAL } from '../core/no-local.js';
import { OWNER_LEASE_MS } from '../core/owner-lease.js';
import { RecentWrites } from '../core/recent-writes.js';
import { NULL_RECORDER } from '../core/recorder.js';
import { RecoveryQueue } from '../core/recovery.js';
import { nodeIdOf } from '../core/stats.js';
import { Tally } from '../core/tally.js';
import type { Tier } from '../core/tier.js';
import type { LevelFeed } from '../core/writer.js';
import { AdaptiveEviction } from '../memory/adaptive-eviction.js';
import { ENTRY_OVERHEAD_BYTES } from '../memory/entry-size.js';
import { MemoryTier } from '../memory/memory-tier.js';
import { NO_EVICTION } from '../memory/no-eviction.js';
import { CountingRecorder } from '../metrics/recorder.js';
import type { MetricsSnapshot } from '../metrics/snapshot.js';
import { type Discovery, dnsDiscovery, type NodeRegistry, registryDiscovery } from '../peer/discovery.js';
import { createPeers, type Peers } from '../peer/peers.js';
import { Bulkhead } from '../policy/bulkhead.js';
import { sliceTier } from '../policy/guard.js';
import { HedgeSet } from '../policy/hedge-set.js';
import { HotKeys } from '../policy/hot-keys.js';
import { createRedis, type Redis } from '../redis/redis.js';
import { type CacheConfig, type ResolvedConfig, resolveConfig } from './config.js';
import { type Health, LevelWatch } from './level-watch.js';
import { systemNames } from './name-lookup.js';
import { randomOrigin, randomSeed, recentMs, systemChance, systemClock } from './system-clock.js';

/** How long it is remembered that a source has nothing, when nobody says otherwise. */
const ABSENT_TTL_MS = 5_000;
/** How long a failed load is the answer for its key. */
const LOAD_FAILURE_MS = 1_000;
/** Loads that may wait for a place, per place. */
const LOADS_WAITING = 256;
const MISTAKES: ReadonlySet<string> = new Set<CacheErrorCode>(['unauthorized', 'invalid-config']);

/** A cache with what an operator wants to see of it. */
export interface Composition {
  readonly cache: Cache;
  /** Address of the peer port, when there is one. */
  readonly peerAddress: string | undefined;
  /** The addresses of the peers that keep a key, the one that is asked first coming first; empty without peers. */
  ownersOf(key: string): readonly string[];
  /** Everything counted so far; undefined with `metrics: false`. */
  snapshot(): MetricsSnapshot | undefined;
  health(): Health;
}

/** A mistake that others notice, long after the start: a peer refuses our secret, or has our id. */
export type MistakeListener = (mistake: CacheError) => void;

const warn: MistakeListener = ({ message, code }) =>
  process.emitWarning(message, { type: 'FleetflowCacheWarning', code });

/**
 * Builds a cache out of its parts. The only place that knows every folder.
 * @param onMistake told of each mistake once; left out, the process warns of it
 * @throws CacheError `invalid-config` before anything is opened; `address-in-use` when the peer port is taken
 */
export async function compose(given: CacheConfig, onMistake = warn): Promise<Composition> {
  const config = resolveConfig(given);
  const clock = new CityClock(systemClock);
  const origin = randomOrigin();
  const recorder = config.metrics ? new CountingRecorder(clock) : undefined;
  const tally = new Tally(recorder ?? NULL_RECORDER);
  const floors = new Floors();
  // Only Redis has a feed of entries: what peers alone share is asked for again after `OWNER_LEASE_MS`.
  const leases = new FeedLeases(config.redis !== undefined);
  const codec = new MsgpackCodec(config.compression);
  const events = new Emitter<CacheEvents>((thrown) => {
    process.emitWarning(`a listener of the cache threw: ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
  });
  const watch = new LevelWatch(clock, events);
  const hlc = new HybridClock(clock);

  const tiers: Tier[] = [];
  const feeds: LevelFeed[] = [];
  const redis = config.redis === undefined ? undefined : await openRedis(config.redis, clock, watch);
  if (redis !== undefined) {
    tiers.push(redis.guarded);
    feeds.push({ level: 'distributed', feed: redis.feed });
  }
  let peers: (Peers & { readonly guarded: Tier }) | undefined;
  try {
    peers =
      config.peers === undefined
        ? undefined
        : await openPeers(config.peers, {
            clock,
            origin,
            hlc,
            floors,
            watch,
            onMistake,
            registry: redis?.registry,
            onRefused: (reason) => recorder?.error('peer', `refused-${reason}`),
            hedge: new HedgeSet({
              onHedged: (waitedMs) => recorder?.duration('hedge', waitedMs),
              onWon: (tookMs) => recorder?.duration('hedge:won', tookMs),
              onRefused: () => recorder?.error('peer', 'hedge-refused'),
            }),
          });
  } catch (thrown) {
    await redis?.close();
    throw thrown;
  }
  if (peers !== undefined) {
    tiers.push(peers.guarded);
    feeds.push({ level: 'peer', feed: peers.feed });
  }
  const alone = tiers.length === 0;
  const untold = !alone && redis === undefined;
  const useLocal = alone || config.nearCache;
  const local = useLocal
    ? new MemoryTier({
        clock,
        codec,
        floors,
        maxBytes: config.local.maxBytes,
        maxEntries: config.local.maxEntries,
        eviction: config.eviction ? new AdaptiveEviction(randomSeed(), slotsOf(config.local)) : NO_EVICTION,
        leases,
        // What others may have written meanwhile must not be used for longer than it may, not even by a process that stood still.
        ...(!untold && { recentMs }),
        ...(!alone && { holdMaxMs: untold ? Math.min(config.local.ttl, OWNER_LEASE_MS) : config.local.ttl }),
      })
    : NO_LOCAL;
  const gate = new Bulkhead(clock, 'the source', config.maxLoads, config.maxLoads * LOADS_WAITING);

  const recoveries = new Map(
    feeds.map(({ level, feed }, i) => {
      // What Redis acknowledged it may lose in a fail-over; owners of a key have it or are not there.
      const recent = level === 'distributed' ? new RecentWrites(clock) : undefined;
      return [level, new RecoveryQueue({ clock, hlc, floors, tier: tiers[i] as Tier, feed, recent })];
    }),
  );

  const cache = new Engine({
    city: config.city,
    origin,
    clock,
    hlc,
    codec,
    floors,
    local,
    tiers,
    feeds,
    gate,
    recoveries,
    tally,
    events,
    defaults: {
      ttlMs: config.redis?.ttl ?? config.local.ttl,
      staleWhileRevalidateMs: config.staleWhileRevalidate ?? 0,
      staleIfErrorMs: config.staleIfError ?? 0,
    },
    absentTtlMs: ABSENT_TTL_MS,
    loadFailureMs: LOAD_FAILURE_MS,
    tombstoneMs: TOMBSTONE_MS,
    feedLeases: leases,
    leases: leaseOffice(redis?.leases, peers?.leases),
    untold,
    deadlines: {
      readMs: config.deadlines.read,
      loadMs: config.deadlines.load,
      writeMs: config.deadlines.write,
      softMs: config.deadlines.soft,
    },
    levelState: (level) => watch.stateOf(level),
    levelSize: (level) =>
      level === 'peer' && peers !== undefined ? peers.store : { sizeBytes: undefined, entries: undefined },
    release: async () => {
      await Promise.all([redis?.close(), peers?.close()]);
    },
  });
  // Only now: the engine listens, so nothing that a feed says is lost.
  await redis?.start();

  return {
    cache,
    peerAddress: peers?.address,
    ownersOf: (key) => (peers?.ownersOf(key) ?? []).map(({ address }) => address),
    snapshot: () => recorder?.snapshot(),
    health: () => watch.health(),
  };
}

/** Where Redis cannot be asked, the owners grant. */
function leaseOffice(redis: LeaseOffice | undefined, owners: LeaseOffice | undefined): LeaseOffice {
  if (redis === undefined || owners === undefined) return redis ?? owners ?? NO_LEASES;
  return officeWithStandIn(redis, owners);
}

/** How many entries there can be, at most. */
function slotsOf({ maxBytes, maxEntries }: ResolvedConfig['local']): number {
  return Math.min(maxEntries, Math.ceil(maxBytes / ENTRY_OVERHEAD_BYTES));
}

/** `compose`, for those who only want the cache. */
export async function createCache(config: CacheConfig): Promise<Cache> {
  return (await compose(config)).cache;
}

async function openRedis(
  config: NonNullable<ResolvedConfig['redis']>,
  clock: CityClock,
  watch: LevelWatch,
): Promise<Redis & { readonly guarded: Tier }> {
  const guards = watch.guard('distributed', 'redis', config.timeout);
  const redis = await createRedis({
    nodes: config.nodes,
    prefix: config.prefix,
    username: config.username,
    password: config.password,
    tls: config.tls,
    clock,
    chance: systemChance,
    onTime: (server, sentAtMs, serverMs) => clock.learn(server, sentAtMs, serverMs),
    onError: (error) => watch.tell('distributed', error),
    onConnected: (shard) => guards.connected(shard),
    onGone: (shard) => {
      guards.forget(shard);
      clock.forget(shard);
    },
    guard: guards,
  });
  watch.follow('distributed', () => redis.health().map(({ shard, ok }) => ({ address: shard, ok })));
  const slices = { readMs: config.timeout, writeMs: config.timeout };
  return { ...redis, guarded: sliceTier(redis.tier, slices, clock) };
}

/** Where peers are looked for besides the seeds. */
function discoveriesOf(
  config: NonNullable<ResolvedConfig['peers']>['discovery'],
  registry: NodeRegistry | undefined,
): readonly Discovery[] {
  const { dns, redis = false } = config ?? {};
  return [
    ...(dns === undefined ? [] : [dnsDiscovery(systemNames, dns.name, dns.port)]),
    ...(redis && registry !== undefined ? [registryDiscovery(registry)] : []),
  ];
}

async function openPeers(
  config: NonNullable<ResolvedConfig['peers']>,
  parts: {
    readonly clock: CityClock;
    readonly origin: number;
    readonly hlc: HybridClock;
    readonly floors: Floors;
    readonly watch: LevelWatch;
    readonly onMistake: MistakeListener;
    readonly registry: NodeRegistry | undefined;
    readonly onRefused: (reason: string) => void;
    readonly hedge: HedgeSet;
  },
): Promise<Peers & { readonly guarded: Tier }> {
  const { clock, origin, hlc, floors, watch, onMistake, registry, onRefused, hedge } = parts;
  const hotKeys = new HotKeys();
  const peers = await createPeers({
    listen: config.listen,
    ...(config.advertise !== undefined && { advertise: config.advertise }),
    seeds: config.seeds,
    discoveries: discoveriesOf(config.discovery, registry),
    ...(config.host !== undefined && { host: config.host }),
    ...(config.rack !== undefined && { rack: config.rack }),
    secret: config.secret,
    replicas: config.replicas,
    maxBytes: config.maxBytes,
    profile: config.profile,
    answerMs: config.timeout,
    nodeId: nodeIdOf(origin),
    clock,
    chance: systemChance,
    hlc,
    floors,
    guard: watch.guard('peer', 'peer', config.timeout),
    hedge,
    hot: { note: (key) => hotKeys.note(key, clock.monotonicMs()) },
    onRefused,
    onError: (error) => {
      watch.tell('peer', error);
      // That a peer cannot be reached is no mistake.
      if (error instanceof CacheError && MISTAKES.has(error.code)) onMistake(error);
    },
  });
  watch.follow('peer', () => [
    { address: peers.address, ok: true },
    ...peers.members().map(({ address, status }) => ({ address, ok: status === 'up' })),
  ]);
  const slices = { readMs: config.timeout, writeMs: config.timeout };
  return { ...peers, guarded: sliceTier(peers.tier, slices, clock) };
}
