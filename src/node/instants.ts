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
  /** In an array, where V8 reads and writes it without an object for each number. */
  readonly #lastMs = new Float64Array(1);
  #usesLeft = 0;
  #timer: NodeJS.Timeout | undefined;
  #isArmed = false;

  /** Exact. */
  readonly exactMs = (): number => {
    const nowMs = performance.now();
    this.#lastMs[0] = nowMs;
    return nowMs;
  };

  /** Not later than now, and not earlier than any exact reading before. */
  readonly recentMs = (): number => {
    if (this.#usesLeft > 0) this.#usesLeft -= 1;
    else this.#readAgain();
    return this.#lastMs[0] as number;
  };

  #readAgain(): void {
    this.#usesLeft = USES_MAX;
    if (!this.#isArmed) this.#arm();
    this.exactMs();
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
