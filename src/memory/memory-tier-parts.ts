import type { Clock } from '../core/clock.js';
import type { Codec } from '../core/codec.js';
import type { FeedLeases } from '../core/feed-lease.js';
import type { Floors } from '../core/floors.js';
import type { EvictionPolicy } from './eviction.js';

/** What a `MemoryTier` is made of. */
export interface MemoryTierParts {
  readonly clock: Clock;
  readonly codec: Codec;
  readonly floors: Floors;
  readonly eviction: EvictionPolicy;
  /** Of keys, tags, payloads or, once they are decoded, values, and `ENTRY_OVERHEAD_BYTES` each. */
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly leases: FeedLeases;
  /** How long a copy may be used before the levels below are asked again, in ms; left out, for as long as it lives. */
  readonly holdMaxMs?: number;
  /** As the clock's `monotonicMs`, perhaps a little behind; what it costs, every hit costs. Left out, that one. */
  readonly recentMs?: () => number;
}

/** What is known of a put besides its entry. */
export interface Arrival {
  readonly nowMs: number;
  /** What to add to a monotonic instant to have the wall time. */
  readonly aheadMs: number;
  /** The value as an object, and what it takes. */
  readonly copy: unknown;
  readonly copyBytes: number;
  readonly hot: boolean;
}
