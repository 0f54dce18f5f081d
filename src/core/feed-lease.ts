import { PARTITIONS } from './key.js';

/**
 * How long this process may answer from memory after the last proof that it had missed nothing, in ms. Counted from the
 * moment that the proof was asked for, so everything that was acknowledged before is known here. Together with the time
 * that a read takes it stays below the second that is promised.
 */
export const FEED_LEASE_MS = 900;

/**
 * Until when the copies of each partition may be served unasked. Push is the fast path of coherence; this is what bounds
 * it: a lost message, a dropped subscriber, a paused process and a fail-over all end in a lease that runs out. It is
 * compared with the monotonic clock at every read, so a stalled process finds its leases over when it wakes.
 */
export class FeedLeases {
  /** Monotonic instants, by partition. Without a feed nothing can be missed, and they never end. */
  readonly untilMs: Float64Array;

  /** Whether leases run out at all. */
  readonly end: boolean;

  constructor(hasFeed: boolean) {
    this.end = hasFeed;
    this.untilMs = new Float64Array(PARTITIONS).fill(hasFeed ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
  }

  /** Whether every partition is vouched for at this monotonic instant. */
  vouchesForAll(nowMs: number): boolean {
    for (const untilMs of this.untilMs) if (nowMs >= untilMs) return false;
    return true;
  }

  /** Everything that was acknowledged before `sinceMs` is known here. */
  renew(partition: number, sinceMs: number): void {
    const untilMs = sinceMs + FEED_LEASE_MS;
    if (untilMs > (this.untilMs[partition] as number)) this.untilMs[partition] = untilMs;
  }
}
