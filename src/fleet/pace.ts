/** Least pause while the database is loaded, and longest pause ever, in ms. */
const LOADED_PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 5_000;
/** Slower than this many times its best the database is taken to be loaded; what is faster than 20 ms never is. */
const LOADED_FACTOR = 2;
const QUICK_MS = 20;

/**
 * How long background work leaves the database alone between two batches. An idle one gets as much rest as the batch
 * took; a loaded one at least twice as much and never less than 100 ms; a failing one ever more.
 */
export class Pace {
  #bestMs = Number.POSITIVE_INFINITY;
  #failures = 0;

  /** Batches that failed since one succeeded. */
  get failures(): number {
    return this.#failures;
  }

  /** @returns the pause after a batch that took `latencyMs` */
  afterSuccess(latencyMs: number): number {
    this.#failures = 0;
    this.#bestMs = Math.min(this.#bestMs, latencyMs);
    const isLoaded = latencyMs > Math.max(QUICK_MS, this.#bestMs * LOADED_FACTOR);
    const pauseMs = isLoaded ? Math.max(LOADED_PAUSE_MIN_MS, 2 * latencyMs) : latencyMs;
    return Math.min(pauseMs, PAUSE_MAX_MS);
  }

  /** @returns the pause after a batch that failed */
  afterFailure(): number {
    this.#failures += 1;
    return Math.min(LOADED_PAUSE_MIN_MS * 2 ** this.#failures, PAUSE_MAX_MS);
  }
}
