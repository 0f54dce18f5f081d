import type { Level } from '../core/outcome.js';
import { Histogram, type HistogramSnapshot } from './histogram.js';

/**
 * What one process counted, as plain data: it survives JSON. `subtractSnapshot` makes the window between two of the same
 * process, `mergeSnapshots` the sum over several processes; subtract first, then merge.
 */
export interface MetricsSnapshot {
  /** When the counting began, in ms since the epoch. Two snapshots of one process have the same. */
  readonly startedAtMs: number;
  /** How long was counted. */
  readonly spanMs: number;
  /** Reads that each level answered. What the source answers may be counted here or as a miss: see `answeredBy`. */
  readonly hits: Readonly<Record<Level, number>>;
  /** Reads that no level answered. */
  readonly misses: number;
  readonly errors: Readonly<Record<Level, Counts>>;
  /** By operation. Hits of this process's memory may be sampled: a count here need not be a count of calls. */
  readonly durations: Readonly<Record<string, HistogramSnapshot>>;
}

type Counts = Readonly<Record<string, number>>;

/** Of all reads of a snapshot, what one level answered. */
export interface LevelFigures {
  readonly hits: number;
  /** Share of all reads, 0 to 1; undefined when there was no read. */
  readonly hitRate: number | undefined;
  readonly hitsPerSecond: number;
  /** How long asking this level took, whatever came of it; undefined when that was not measured. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

export function levelRecord<T>(of: (level: Level) => T): Readonly<Record<Level, T>> {
  return {
    local: of('local'),
    distributed: of('distributed'),
    peer: of('peer'),
    sister: of('sister'),
    source: of('source'),
  };
}

/** All levels, nearest first. */
export const LEVELS = Object.keys(levelRecord(() => 0)) as readonly Level[];

const EMPTY: MetricsSnapshot = {
  startedAtMs: 0,
  spanMs: 0,
  hits: levelRecord(() => 0),
  misses: 0,
  errors: levelRecord(() => ({})),
  durations: {},
};

/** The sum of what several processes counted during the same time. */
export function mergeSnapshots(snapshots: readonly MetricsSnapshot[]): MetricsSnapshot {
  const [first, ...others] = snapshots;
  return others.reduce(mergeTwo, first ?? EMPTY);
}

function mergeTwo(a: MetricsSnapshot, b: MetricsSnapshot): MetricsSnapshot {
  return {
    startedAtMs: Math.min(a.startedAtMs, b.startedAtMs),
    spanMs: Math.max(a.spanMs, b.spanMs),
    hits: levelRecord((level) => a.hits[level] + b.hits[level]),
    misses: a.misses + b.misses,
    errors: levelRecord((level) => mergeRecords(a.errors[level], b.errors[level], (x, y) => x + y)),
    durations: mergeRecords(a.durations, b.durations, (x, y) => {
      const sum = Histogram.from(x);
      sum.merge(y);
      return sum.snapshot();
    }),
  };
}

/**
 * What a process counted after `earlier`. When it has started anew in between, or there is no earlier snapshot, that is
 * all of `later`.
 */
export function subtractSnapshot(later: MetricsSnapshot, earlier: MetricsSnapshot | undefined): MetricsSnapshot {
  if (earlier === undefined || earlier.startedAtMs !== later.startedAtMs) return later;
  return {
    startedAtMs: later.startedAtMs,
    spanMs: later.spanMs - earlier.spanMs,
    hits: levelRecord((level) => later.hits[level] - earlier.hits[level]),
    misses: later.misses - earlier.misses,
    errors: levelRecord((level) => subtractRecords(later.errors[level], earlier.errors[level], (x, y) => x - y)),
    durations: subtractRecords(later.durations, earlier.durations, (x, y) => {
      const rest = Histogram.from(x);
      rest.subtract(y);
      return rest.snapshot();
    }),
  };
}

export function readsOf(snapshot: MetricsSnapshot): number {
  return LEVELS.reduce((sum, level) => sum + snapshot.hits[level], snapshot.misses);
}

/** Share of reads, 0 to 1, that were answered without the source; undefined when there was no read. */
export function hitRateOf(snapshot: MetricsSnapshot): number | undefined {
  const reads = readsOf(snapshot);
  return reads === 0 ? undefined : (reads - answeredBy(snapshot, 'source')) / reads;
}

/** Reads that a level answered; for the source, all that no level of the cache did, whatever the source then said. */
export function answeredBy(snapshot: MetricsSnapshot, level: Level): number {
  return level === 'source' ? snapshot.hits.source + snapshot.misses : snapshot.hits[level];
}

/** `count` things over the span of the snapshot, per second. */
export function perSecond(count: number, snapshot: MetricsSnapshot): number {
  return snapshot.spanMs > 0 ? (count * 1_000) / snapshot.spanMs : 0;
}

/** The quantiles of an operation in ms, in the order of `ps`; see `Histogram.quantile` for the error. */
export function quantilesOf(
  snapshot: MetricsSnapshot,
  operation: string,
  ps: readonly number[],
): readonly (number | undefined)[] {
  const duration = ownValue(snapshot.durations, operation);
  const histogram = duration === undefined ? undefined : Histogram.from(duration);
  return ps.map((p) => histogram?.quantile(p));
}

/** The times are those of the operation `get:<level>`. */
export function levelFiguresOf(snapshot: MetricsSnapshot, level: Level): LevelFigures {
  const reads = readsOf(snapshot);
  const hits = answeredBy(snapshot, level);
  const [p50Ms, p99Ms] = quantilesOf(snapshot, `get:${level}`, [0.5, 0.99]);
  return {
    hits,
    hitRate: reads === 0 ? undefined : hits / reads,
    hitsPerSecond: perSecond(hits, snapshot),
    p50Ms,
    p99Ms,
  };
}

function mergeRecords<T>(
  a: Readonly<Record<string, T>>,
  b: Readonly<Record<string, T>>,
  merge: (a: T, b: T) => T,
): Readonly<Record<string, T>> {
  const merged = new Map(Object.entries(a));
  for (const [key, value] of Object.entries(b)) {
    const other = merged.get(key);
    merged.set(key, other === undefined ? value : merge(other, value));
  }
  return Object.fromEntries(merged);
}

function subtractRecords<T>(
  later: Readonly<Record<string, T>>,
  earlier: Readonly<Record<string, T>>,
  subtract: (later: T, earlier: T) => T,
): Readonly<Record<string, T>> {
  return Object.fromEntries(
    Object.entries(later).map(([key, value]) => {
      const before = ownValue(earlier, key);
      return [key, before === undefined ? value : subtract(value, before)];
    }),
  );
}

/** Keys come from elsewhere: one called `constructor` must not find what every object inherits. */
function ownValue<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
