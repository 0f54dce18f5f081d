import type { LevelState } from '../core/cache.js';
import type { Level } from '../core/outcome.js';

/**
 * What the page shows, sent whole each second as a server-sent event. Instants are ms since the epoch. `null` stands for
 * what is not known or does not apply, and is shown as a dash.
 */
export interface PageData {
  readonly title: string;
  readonly city: string;
  readonly uptimeMs: number;
  readonly nodes: readonly PageNode[];
  readonly totals: PageTotals;
  /** Nearest first. */
  readonly levels: readonly PageLevel[];
  /** What happened to the levels, newest first. */
  readonly log: readonly PageLogLine[];
}

export interface PageNode {
  readonly name: string;
  readonly address: string;
  /** Whether it answered when it was last asked. */
  readonly ok: boolean;
  readonly readsPerSecond: number | null;
  /** In its memory: its own copies and what it keeps for others. */
  readonly entries: number | null;
  readonly sizeBytes: number | null;
  /** How many nodes of the city it sees, itself included. */
  readonly members: number | null;
}

/** Of all nodes together. Per second: over the last interval. The rest: since the start. */
export interface PageTotals {
  readonly readsPerSecond: number;
  readonly writesPerSecond: number;
  /** Share of the reads of the last interval, 0 to 1, that were answered without the source. */
  readonly hitRate: number | null;
  readonly databaseQueriesPer1000Reads: number | null;
  readonly reads: number;
  readonly failedReads: number;
  readonly staleServed: number;
}

export interface PageLevel {
  readonly level: Level;
  /** `none`: there is no such level here. */
  readonly state: LevelState | 'none';
  /** Since when it is in this state. */
  readonly sinceMs: number | null;
  readonly hitsPerSecond: number;
  /** Over the last interval. */
  readonly now: PageRange;
  /** Since the start. */
  readonly overall: PageRange;
}

export interface PageRange {
  /** Share of all reads, 0 to 1, that this level answered; for the source, those that no level of the cache did. */
  readonly hitRate: number | null;
  /** How long asking this level took. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface PageLogLine {
  readonly atMs: number;
  readonly text: string;
}
