import type { Clock } from '../core/clock.js';
import type { Level } from '../core/outcome.js';
import type { Recorder } from '../core/recorder.js';
import { Histogram } from './histogram.js';
import { LEVELS, levelRecord, type MetricsSnapshot } from './snapshot.js';

/** Each operation costs 3.3 KB here and 31 lines on every scrape. */
const OPERATIONS_MAX = 32;
/** Per level; each is a time series. */
const ERROR_TYPES_MAX = 32;
/** What is beyond these limits is counted under this name. */
const OTHER = 'other';

/** Counts in plain numbers; everything that costs more happens when a snapshot is taken. */
export class CountingRecorder implements Recorder {
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  readonly #startMs: number;
  readonly #hits = new Float64Array(LEVELS.length);
  #misses = 0;
  readonly #errors = levelRecord(() => new Map<string, number>());
  readonly #durations = new Map<string, Histogram>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAtMs = clock.wallMs();
    this.#startMs = clock.monotonicMs();
  }

  hit(level: Level): void {
    const index = indexOf(level);
    this.#hits[index] = (this.#hits[index] ?? 0) + 1;
  }

  miss(): void {
    this.#misses += 1;
  }

  duration(operation: string, ms: number): void {
    (this.#durations.get(operation) ?? this.#add(operation)).record(ms);
  }

  error(level: Level, errorType: string): void {
    const types = this.#errors[level];
    const type = types.has(errorType) || types.size < ERROR_TYPES_MAX ? errorType : OTHER;
    types.set(type, (types.get(type) ?? 0) + 1);
  }

  snapshot(): MetricsSnapshot {
    return {
      startedAtMs: this.#startedAtMs,
      spanMs: this.#clock.monotonicMs() - this.#startMs,
      hits: levelRecord((level) => this.#hits[indexOf(level)] ?? 0),
      misses: this.#misses,
      errors: levelRecord((level) => Object.fromEntries(this.#errors[level])),
      durations: Object.fromEntries([...this.#durations].map(([name, histogram]) => [name, histogram.snapshot()])),
    };
  }

  #add(operation: string): Histogram {
    const name = this.#durations.size < OPERATIONS_MAX ? operation : OTHER;
    let histogram = this.#durations.get(name);
    if (histogram === undefined) {
      histogram = new Histogram();
      this.#durations.set(name, histogram);
    }
    return histogram;
  }
}

/** A switch over constants: half the time of a look-up in an object or a Map. */
function indexOf(level: Level): number {
  switch (level) {
    case 'local':
      return 0;
    case 'distributed':
      return 1;
    case 'peer':
      return 2;
    case 'sister':
      return 3;
    case 'source':
      return 4;
  }
}
