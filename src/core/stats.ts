import type { CacheStats, LevelState, LevelStats } from './cache.js';
import type { LocalTier } from './local.js';
import type { Level } from './outcome.js';
import type { Tally } from './tally.js';
import type { Tier } from './tier.js';

export interface StatsParts {
  readonly city: string;
  readonly origin: number;
  readonly tally: Tally;
  readonly local: LocalTier;
  readonly tiers: readonly Tier[];
  levelState(level: Level): LevelState;
  /** What a level holds in this process. */
  levelSize(level: Level): { readonly sizeBytes: number | undefined; readonly entries: number | undefined };
}

/** What `cache.stats()` tells. */
export function cacheStats({ tally, local, tiers, city, origin, levelState, levelSize }: StatsParts): CacheStats {
  const reads = tally.hits + tally.misses;
  const share = (hits: number): number => (reads === 0 ? 0 : hits / reads);
  const levels: Partial<Record<Level, LevelStats>> = {
    local: tally.levelStats('local', { sizeBytes: local.sizeBytes, entries: local.entries, state: 'ok' }),
  };
  for (const { level } of tiers) {
    levels[level] = tally.levelStats(level, { ...levelSize(level), state: levelState(level) });
  }
  return {
    nodeId: nodeIdOf(origin),
    city,
    reads,
    hits: tally.hits,
    misses: tally.misses,
    l1HitRate: share(tally.levelHits('local')),
    l2HitRate: share(tally.levelHits('distributed')),
    l3HitRate: share(tally.levelHits('peer')),
    overallHitRate: share(tally.hits),
    avgResponseTimeMs: tally.meanReadMs,
    loads: tally.loads,
    loadErrors: tally.loadErrors,
    staleServed: tally.staleServed,
    clampedEventTimes: tally.clampedEventTimes,
    hotAnswers: tally.hotAnswers,
    invalidValues: tally.invalidValues,
    levels,
  };
}

/** A node's id, as 12 hex digits. */
export function nodeIdOf(origin: number): string {
  return origin.toString(16).padStart(12, '0');
}
