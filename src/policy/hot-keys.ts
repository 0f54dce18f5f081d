import { SpaceSaving } from './space-saving.js';

const WINDOW_MS = 1_000;
/** So often within a window. Who keeps a key in memory asks for it once in a long while: these are many who do not. */
const HOT_READS = 32;
/**
 * A key is found for certain if it is read `HOT_READS` times and a 1,024th of all reads more: at 50,000 a second, 81
 * times. At most a megabyte of keys.
 */
const COUNTERS = 1_024;

/**
 * Which keys are asked for often, by windows of one second: those that were in the last one, and those that have been in
 * this one so far. Never says so of a key that was not; of one that was it may, when very much else is asked for.
 */
export class HotKeys {
  readonly #summary = new SpaceSaving(COUNTERS);
  #startMs = Number.NEGATIVE_INFINITY;
  #last: ReadonlySet<string> = new Set();
  #hot = new Set<string>();

  /** One more read of a key. @returns whether it is hot */
  note(key: string, nowMs: number): boolean {
    const forMs = nowMs - this.#startMs;
    if (forMs >= WINDOW_MS) {
      // What was hot before a window without reads is not hot any more.
      this.#last = forMs < 2 * WINDOW_MS ? this.#hot : new Set();
      this.#hot = new Set();
      this.#summary.clear();
      this.#startMs = forMs < 2 * WINDOW_MS ? this.#startMs + WINDOW_MS : nowMs;
    }
    if (this.#summary.add(key) >= HOT_READS && this.#hot.size < COUNTERS) this.#hot.add(key);
    return this.#hot.has(key) || this.#last.has(key);
  }
}
