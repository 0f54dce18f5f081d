import type { Cache } from '../core/cache.js';
import { ChangeInvalidation, type ChangeInvalidationStats } from '../fleet/change-invalidation.js';
import { changeFamilies } from '../metrics/change-families.js';
import { renderExposition } from '../metrics/exposition.js';
import { ChangeFeed, forgetChanges } from '../source/change-feed.js';
import type { ChangeFeedStats } from '../source/change-records.js';
import { systemChance, systemClock } from './system-clock.js';

export type ChangeFollowingStats = ChangeFeedStats & ChangeInvalidationStats;

export interface ChangeOptions {
  readonly cache: Cache;
  /** How far behind a replication slot may be, in bytes of the log, before it is given up for floors. Default 1 GiB. */
  readonly lagMaxBytes?: number;
  /** Told of what goes wrong; it is tried again whatever this does. */
  readonly onError?: (error: Error) => void;
}

/** Brings what others write to the fleet's tables to a cache, until it is closed. */
export interface ChangeFollowing extends AsyncDisposable {
  stats(): ChangeFollowingStats;
  /** The same as text for Prometheus. */
  metricsText(): string;
  close(): Promise<void>;
}

/**
 * Every node of a city opens one; one of them reads, the others stand by. The city is that of the cache. Nothing has to
 * be there but the migrated tables.
 */
export function followChanges(url: string, { cache, lagMaxBytes, onError }: ChangeOptions): ChangeFollowing {
  const invalidation = new ChangeInvalidation(cache);
  const feed = new ChangeFeed({
    url,
    city: cache.stats().city,
    target: invalidation,
    clock: systemClock,
    chance: systemChance,
    ...(lagMaxBytes !== undefined && { lagMaxBytes }),
    ...(onError !== undefined && { onError }),
  });
  const stats = () => ({ ...feed.stats(), ...invalidation.stats() });
  const close = async () => {
    await feed.close();
    invalidation.close();
  };
  return {
    stats,
    metricsText: () => renderExposition(changeFamilies(stats())),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * For a city that is not to follow changes any more: removes its replication slot, or its place in the outbox. Otherwise
 * the database keeps what it has not read.
 * @throws CacheError also while one of its nodes reads
 */
export function forgetCity(url: string, city: string): Promise<void> {
  return forgetChanges(url, city);
}
