import type { CacheStats, LevelState } from '../core/cache.js';
import type { Labels, MetricFamily, Sample } from './exposition.js';
import { Histogram } from './histogram.js';
import { answeredBy, LEVELS, type MetricsSnapshot } from './snapshot.js';

const STATES: readonly LevelState[] = ['ok', 'degraded', 'out'];

export interface CacheNumbers {
  readonly snapshot: MetricsSnapshot;
  readonly stats: CacheStats;
  /** Of this package. */
  readonly version: string;
  /** What it runs on, as `process.version` says. */
  readonly runtime: string;
}

/**
 * Everything that a cache tells Prometheus. `level` is `local` (this process), `distributed` (the city's Redis), `peer`,
 * `sister` (another city) or `source`. The source is no level of the cache: what it answers is a miss here, so that
 * `hits / (hits + misses)` is the hit rate; hits have every other level from the start, at 0.
 */
export function cacheFamilies(numbers: CacheNumbers): readonly MetricFamily[] {
  return [...readFamilies(numbers), ...levelFamilies(numbers), buildInfo(numbers)];
}

function readFamilies({ snapshot, stats }: CacheNumbers): readonly MetricFamily[] {
  const cacheLevels = LEVELS.filter((level) => level !== 'source');
  return [
    counter(
      'fleetflow_cache_hits_total',
      'Reads that a level of the cache answered.',
      cacheLevels.map((level) => ({ labels: { level }, value: snapshot.hits[level] })),
    ),
    counter(
      'fleetflow_cache_misses_total',
      'Reads that no level of the cache answered, whether or not the source then did.',
      [{ value: answeredBy(snapshot, 'source') }],
    ),
    {
      type: 'histogram',
      name: 'fleetflow_cache_operation_duration_seconds',
      help: 'How long operations took; get:LEVEL is the asking of one level. Reads from memory are sampled.',
      samples: Object.entries(snapshot.durations).map(([operation, duration]) => ({
        labels: { operation },
        buckets: Histogram.from(duration)
          .cumulative()
          .map(([upperMs, count]) => [upperMs / 1_000, count] as const),
        sum: duration.sumMs / 1_000,
        count: duration.count,
      })),
    },
    counter(
      'fleetflow_cache_errors_total',
      'Times a level failed or was not asked, by what went wrong or why not.',
      LEVELS.flatMap((level) =>
        Object.entries(snapshot.errors[level]).map(([type, value]) => ({ labels: { level, error_type: type }, value })),
      ),
    ),
    counter('fleetflow_cache_loads_total', 'Times the source was asked; concurrent reads of a key share one.', [
      { value: stats.loads },
    ]),
    counter('fleetflow_cache_load_errors_total', 'Loads that failed.', [{ value: stats.loadErrors }]),
    counter('fleetflow_cache_stale_served_total', 'Reads answered with a stale entry.', [{ value: stats.staleServed }]),
    counter('fleetflow_cache_clamped_event_times_total', 'Event times too far in the future that were clamped.', [
      { value: stats.clampedEventTimes },
    ]),
    counter('fleetflow_cache_hot_answers_total', 'Answers of peers for keys that many ask for, which memory keeps.', [
      { value: stats.hotAnswers },
    ]),
    counter('fleetflow_cache_invalid_values_total', 'Values that the schema of their keyspace refused.', [
      { value: stats.invalidValues },
    ]),
  ];
}

function levelFamilies({ stats }: CacheNumbers): readonly MetricFamily[] {
  const present = LEVELS.flatMap((level) => {
    const of = stats.levels[level];
    return of === undefined ? [] : [{ labels: { level }, of }];
  });
  return [
    gauge(
      'fleetflow_cache_size_bytes',
      'Bytes in use in this process.',
      present.flatMap(({ labels, of }) => known(labels, of.sizeBytes)),
    ),
    gauge(
      'fleetflow_cache_entries',
      'Entries kept in this process.',
      present.flatMap(({ labels, of }) => known(labels, of.entries)),
    ),
    gauge(
      'fleetflow_cache_level_state',
      '1 for the state that the level is in, 0 for the others; degraded: some of its shards or peers do not answer.',
      present.flatMap(({ labels, of }) =>
        STATES.map((state) => ({ labels: { ...labels, state }, value: of.state === state ? 1 : 0 })),
      ),
    ),
  ];
}

function buildInfo({ stats, version, runtime }: CacheNumbers): MetricFamily {
  const labels = { version, runtime, city: stats.city, node_id: stats.nodeId };
  return gauge('fleetflow_cache_build_info', 'What runs here; always 1.', [{ labels, value: 1 }]);
}

function counter(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { type: 'counter', name, help, samples };
}

function gauge(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { type: 'gauge', name, help, samples };
}

function known(labels: Labels, value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ labels, value }];
}
