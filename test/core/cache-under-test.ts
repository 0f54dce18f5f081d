import type { CacheEvents } from '../../src/core/cache.js';
import { Emitter } from '../../src/core/emitter.js';
import { Engine, type EngineParts } from '../../src/core/engine.js';
import { FeedLeases } from '../../src/core/feed-lease.js';
import { Floors } from '../../src/core/floors.js';
import { HybridClock } from '../../src/core/hlc.js';
import { NO_LEASES } from '../../src/core/lease.js';
import { NULL_RECORDER } from '../../src/core/recorder.js';
import { Tally } from '../../src/core/tally.js';
import { Bulkhead } from '../../src/policy/bulkhead.js';
import { guardTier } from '../../src/policy/guard.js';
import { MemoryTier } from '../memory-tier.js';
import { VirtualClock } from '../virtual-clock.js';
import { jsonCodec } from './json-codec.js';
import { SmallLocalTier } from './small-local-tier.js';

const READ_MS = 1_000;
export const LOAD_MS = 5_000;
export const TTL_MS = 60_000;
const TOMBSTONE_MS = 86_400_000;
export const ABSENT_TTL_MS = 5_000;
export const LOAD_FAILURE_MS = 1_000;

export interface CacheUnderTest {
  readonly cache: Engine;
  readonly clock: VirtualClock;
  readonly local: SmallLocalTier;
  readonly floors: Floors;
  readonly l2: MemoryTier;
  readonly l3: MemoryTier;
  readonly hlc: HybridClock;
  /** What listeners threw. */
  readonly thrown: unknown[];
  /** How often the levels' common things were given back. */
  readonly released: { count: number };
}

/** Levels of a city, for the nodes that share them. */
export function sharedLevels(clock = new VirtualClock()) {
  return { clock, l2: new MemoryTier('distributed', clock), l3: new MemoryTier('peer', clock) };
}

/** A node: an engine with memory of its own over the given levels, guarded as in production. */
export function startNode(
  shared = sharedLevels(),
  change: Partial<EngineParts> & { readonly withFeed?: boolean } = {},
): CacheUnderTest {
  const { clock, l2, l3 } = shared;
  const { withFeed = true, ...parts } = change;
  const floors = new Floors();
  const leases = new FeedLeases(false);
  const local = new SmallLocalTier(clock, jsonCodec, floors, leases);
  const hlc = new HybridClock(clock);
  const thrown: unknown[] = [];
  const released = { count: 0 };
  const slices = { readMs: READ_MS, writeMs: READ_MS };
  const cache = new Engine({
    city: 'mumbai',
    origin: 1,
    clock,
    hlc,
    codec: jsonCodec,
    floors,
    local,
    tiers: [guardTier(l2, slices, clock), guardTier(l3, slices, clock)],
    feeds: withFeed ? [{ level: 'distributed', feed: l2.feed() }] : [],
    gate: new Bulkhead(clock, 'the source', 32, 256),
    tally: new Tally(NULL_RECORDER),
    events: new Emitter<CacheEvents>((error) => thrown.push(error)),
    defaults: { ttlMs: TTL_MS, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 },
    absentTtlMs: ABSENT_TTL_MS,
    loadFailureMs: LOAD_FAILURE_MS,
    tombstoneMs: TOMBSTONE_MS,
    feedLeases: leases,
    leases: NO_LEASES,
    recoveries: new Map(),
    deadlines: { readMs: READ_MS, loadMs: LOAD_MS, writeMs: READ_MS, softMs: READ_MS },
    levelState: () => 'ok',
    levelSize: () => ({ sizeBytes: undefined, entries: undefined }),
    release: async () => {
      released.count += 1;
    },
    ...parts,
  });
  return { cache, clock, local, floors, l2, l3, hlc, thrown, released };
}

/** A source that answers when it is told to. */
export function slowSource<T>() {
  const calls: { resolve: (value: T | undefined) => void; reject: (error: Error) => void }[] = [];
  const load = () => new Promise<T | undefined>((resolve, reject) => calls.push({ resolve, reject }));
  return { calls, load };
}
