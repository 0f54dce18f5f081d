import { type Call, deadlineError, remainingMs, waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';

export interface RateLimitOptions {
  /** Requests per second that may leave, on average. */
  readonly perSecond: number;
  /** Requests that may leave at once after a pause. */
  readonly burst: number;
}

/** How long nothing is asked after the other side has said that there were too many: doubled each time it says so again. */
const PAUSE_MIN_MS = 1_000;
const PAUSE_MAX_MS = 60_000;

/**
 * Keeps requests below the rate that somebody else allows: a bucket of tokens, in the form of the generic cell rate algorithm
 * (ITU-T I.371), which needs one instant and no timer while nobody waits. And it believes who says that there were too many:
 * then nothing leaves for a while, and who asks is told so at once.
 */
export class RateLimit {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #everyMs: number;
  readonly #toleranceMs: number;
  /** When the next request could leave if they came evenly; it lies in the past while there are tokens. */
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #closedUntilMs = Number.NEGATIVE_INFINITY;
  #pauseMs = PAUSE_MIN_MS;

  /** @param name whose rate it is, as it appears in errors */
  constructor(clock: Clock, name: string, { perSecond, burst }: RateLimitOptions) {
    this.#clock = clock;
    this.#name = name;
    this.#everyMs = 1_000 / perSecond;
    this.#toleranceMs = (burst - 1) * this.#everyMs;
  }

  /**
   * Waits until a request may leave.
   * @throws CacheError `overloaded` while the other side is left alone, `deadline` when it would be too late, at once;
   *   `aborted`
   */
  async enter(call: Call): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#closedUntilMs) {
      const leftMs = Math.ceil(this.#closedUntilMs - nowMs);
      throw new CacheError(
        'overloaded',
        `${this.#name} has refused requests for their number, and is not asked for ${leftMs} ms more: ask less, or raise its quota`,
      );
    }
    const atMs = Math.max(this.#nextAtMs, nowMs);
    const waitMs = atMs - this.#toleranceMs - nowMs;
    if (waitMs >= remainingMs(this.#clock, call)) throw deadlineError(`the rate limit of ${this.#name}`);
    this.#nextAtMs = atMs + this.#everyMs;
    if (waitMs <= 0) return;
    let cancel = (): void => {};
    const over = new Promise<void>((resolve) => {
      cancel = this.#clock.schedule(waitMs, resolve);
    });
    try {
      await waitWithin(this.#clock, call, `the rate limit of ${this.#name}`, over);
    } finally {
      cancel();
    }
  }

  /** The other side says that there were too many requests. */
  refused(): void {
    this.#closedUntilMs = this.#clock.monotonicMs() + this.#pauseMs;
    this.#pauseMs = Math.min(PAUSE_MAX_MS, this.#pauseMs * 2);
  }

  /** The other side has answered. */
  accepted(): void {
    this.#pauseMs = PAUSE_MIN_MS;
  }
}
