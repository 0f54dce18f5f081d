/** How long a reading may be used again, but for a turn of the event loop that lasts longer. */
const GRAIN_MS = 1;
/** And how often. */
const USES_MAX = 64;

/**
 * The monotonic clock, exactly or for almost nothing. An exact reading costs as much as all the rest of a hit: the
 * processor waits for everything before it. So the last one is used again for what need not be exact.
 *
 * It is not used beyond the turn of the event loop after the millisecond in which it was made, nor more than 64 times.
 * Within one long turn it may lie behind by as much as the turn has lasted: nobody may decide by it what somebody
 * else has been promised.
 */
export class Instants {
  #lastMs = 0;
  #usesLeft = 0;
  #timer: NodeJS.Timeout | undefined;
  #isArmed = false;

  /** Exact. */
  readonly exactMs = (): number => {
    this.#lastMs = performance.now();
    return this.#lastMs;
  };

  /** Not later than now, and not earlier than any exact reading before. */
  readonly recentMs = (): number => {
    if (this.#usesLeft > 0) {
      this.#usesLeft -= 1;
      return this.#lastMs;
    }
    return this.#readAgain();
  };

  #readAgain(): number {
    this.#usesLeft = USES_MAX;
    if (!this.#isArmed) this.#arm();
    return this.exactMs();
  }

  #arm(): void {
    this.#isArmed = true;
    if (this.#timer === undefined) this.#timer = setTimeout(this.#expire, GRAIN_MS).unref();
    else this.#timer.refresh();
  }

  readonly #expire = (): void => {
    this.#isArmed = false;
    this.#usesLeft = 0;
  };
}
