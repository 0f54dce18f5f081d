import { type Call, waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';

/**
 * What stands around every call to one shard: a wait, a breaker. It may refuse to do the work, with a `CacheError`
 * `breaker-open` or `overloaded`; the level then says that it was skipped, not that it failed.
 */
export interface ShardGuard {
  /**
   * Waits for the work no longer than the call allows; the guard may be less patient.
   * @param shard address of the primary
   * @param keys how many the work asks for
   */
  run<T>(shard: string, call: Call, work: () => Promise<T>, keys: number): Promise<T>;
}

/** Nothing but the deadlines of the calls. */
export function deadlinesOnly(clock: Clock): ShardGuard {
  return { run: (shard, call, work) => waitWithin(clock, call, `redis ${shard}`, work()) };
}
