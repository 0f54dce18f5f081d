import type { LevelState } from '../core/cache.js';
import type { Level } from '../core/outcome.js';
import {
  answeredBy,
  hitRateOf,
  LEVELS,
  levelFiguresOf,
  type MetricsSnapshot,
  mergeSnapshots,
  perSecond,
  readsOf,
  subtractSnapshot,
} from '../metrics/snapshot.js';
import type { PageLevel, PageRange } from './page-data.js';

/** The state of a level, and since when, in ms since the epoch; left out, there is no such level. */
export type LevelStates = Readonly<
  Partial<Record<Level, { readonly state: LevelState; readonly sinceMs: number | null }>>
>;

export interface ReadFigures {
  readonly readsPerSecond: number;
  readonly hitRate: number | null;
  /** Since the start. */
  readonly reads: number;
  readonly overallHitRate: number | null;
}

/**
 * Makes the figures of the last interval, and of all time, from the snapshots that each node hands in time and again. A
 * node that starts anew, or goes, takes nothing away from what was counted before.
 */
export class PageFigures {
  readonly #nodes = new Map<string, { last: MetricsSnapshot; interval: MetricsSnapshot }>();
  #overall: MetricsSnapshot = mergeSnapshots([]);

  /** The difference to the node's last snapshot becomes its interval. */
  push(node: string, snapshot: MetricsSnapshot): void {
    const interval = subtractSnapshot(snapshot, this.#nodes.get(node)?.last);
    this.#nodes.set(node, { last: snapshot, interval });
    this.#overall = mergeSnapshots([this.#overall, interval]);
  }

  /** The node no longer answers: it has no part in the interval until it hands in a snapshot again. */
  pause(node: string): void {
    const known = this.#nodes.get(node);
    if (known !== undefined) this.#nodes.set(node, { last: known.last, interval: mergeSnapshots([]) });
  }

  reads(): ReadFigures {
    return {
      readsPerSecond: this.#perSecond(readsOf),
      hitRate: hitRateOf(this.#interval()) ?? null,
      reads: readsOf(this.#overall),
      overallHitRate: hitRateOf(this.#overall) ?? null,
    };
  }

  /** Reads per second of one node; null when it has not been heard of. */
  readsPerSecond(node: string): number | null {
    const interval = this.#nodes.get(node)?.interval;
    return interval === undefined ? null : perSecond(readsOf(interval), interval);
  }

  /** All levels, nearest first. */
  levels(states: LevelStates): readonly PageLevel[] {
    const interval = this.#interval();
    return LEVELS.map((level) => ({
      level,
      state: states[level]?.state ?? 'none',
      sinceMs: states[level]?.sinceMs ?? null,
      hitsPerSecond: this.#perSecond((one) => answeredBy(one, level)),
      now: rangeOf(interval, level),
      overall: rangeOf(this.#overall, level),
    }));
  }

  /** Node by node: one that was away for a while has a longer interval than the others. */
  #perSecond(count: (interval: MetricsSnapshot) => number): number {
    return [...this.#nodes.values()].reduce((sum, { interval }) => sum + perSecond(count(interval), interval), 0);
  }

  #interval(): MetricsSnapshot {
    return mergeSnapshots([...this.#nodes.values()].map(({ interval }) => interval));
  }
}

function rangeOf(snapshot: MetricsSnapshot, level: Level): PageRange {
  const { hitRate, p50Ms, p99Ms } = levelFiguresOf(snapshot, level);
  return { hitRate: hitRate ?? null, p50Ms: p50Ms ?? null, p99Ms: p99Ms ?? null };
}
