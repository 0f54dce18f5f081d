import type { LevelStats } from './cache.js';
import type { Level } from './outcome.js';
import type { Recorder } from './recorder.js';

interface LevelTally {
  hits: number;
  misses: number;
  errors: number;
  skipped: number;
}

const SKIPS: ReadonlySet<string> = new Set(['breaker-open', 'overloaded', 'no-time', 'not-ready', 'no-owner']);

/** Counts what `stats()` tells, and passes everything on to the recorder of the metrics. */
export class Tally implements Recorder {
  readonly #next: Recorder;
  readonly #levels = new Map<Level, LevelTally>();
  #localHits = 0;
  #localSampledMs = 0;
  #localSamples = 0;
  #slowMs = 0;
  misses = 0;
  loads = 0;
  loadErrors = 0;
  staleServed = 0;
  clampedEventTimes = 0;
  hotAnswers = 0;
  invalidValues = 0;

  constructor(next: Recorder) {
    this.#next = next;
  }

  hit(level: Level): void {
    if (level === 'local') this.#localHits += 1;
    else this.#level(level).hits += 1;
    this.#next.hit(level);
  }

  miss(): void {
    this.misses += 1;
    this.#next.miss();
  }

  /** A read that the source answered: a miss of the cache, and for the recorder an answer of that level. */
  loaded(): void {
    this.misses += 1;
    this.#next.hit('source');
  }

  missedAt(level: Level): void {
    this.#level(level).misses += 1;
  }

  duration(operation: string, ms: number): void {
    if (operation === 'get') {
      this.#slowMs += ms;
    } else if (operation === 'get:local') {
      this.#localSampledMs += ms;
      this.#localSamples += 1;
    }
    this.#next.duration(operation, ms);
  }

  error(level: Level, errorType: string): void {
    if (SKIPS.has(errorType)) this.#level(level).skipped += 1;
    else this.#level(level).errors += 1;
    this.#next.error(level, errorType);
  }

  get hits(): number {
    let hits = this.#localHits;
    for (const level of this.#levels.values()) hits += level.hits;
    return hits;
  }

  /** Mean time of a read. Hits in this process are timed by sample, the others one by one. */
  get meanReadMs(): number {
    const reads = this.hits + this.misses;
    if (reads === 0) return 0;
    const localMs = this.#localSamples === 0 ? 0 : (this.#localSampledMs / this.#localSamples) * this.#localHits;
    return (localMs + this.#slowMs) / reads;
  }

  levelHits(level: Level): number {
    return level === 'local' ? this.#localHits : this.#level(level).hits;
  }

  levelStats(level: Level, here: Pick<LevelStats, 'sizeBytes' | 'entries' | 'state'>): LevelStats {
    return { ...this.#level(level), hits: this.levelHits(level), ...here };
  }

  #level(level: Level): LevelTally {
    let tally = this.#levels.get(level);
    if (tally === undefined) {
      tally = { hits: 0, misses: 0, errors: 0, skipped: 0 };
      this.#levels.set(level, tally);
    }
    return tally;
  }
}
