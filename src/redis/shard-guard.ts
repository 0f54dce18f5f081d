import type { Call } from '../core/call.js';

/**
 * What stands around every call to one shard: a breaker, a limit on what is in flight. It may refuse to do the work,
 * with a `CacheError` `breaker-open` or `overloaded`; the level then says that it was skipped, not that it failed.
 */
export interface ShardGuard {
  /** @param shard address of the primary */
  run<T>(shard: string, call: Call, work: () => Promise<T>): Promise<T>;
}

export const NO_GUARD: ShardGuard = Object.freeze({
  run: <T>(_shard: string, _call: Call, work: () => Promise<T>): Promise<T> => work(),
});
