import type { Clock } from './clock.js';
import { CacheError } from './errors.js';

/** A reading of a hybrid logical clock: milliseconds since the epoch and a counter that orders what shares one. */
export interface Hlc {
  readonly ms: number;
  /** 0 to 65,535. */
  readonly counter: number;
}

/** Earlier than every reading. */
export const HLC_ZERO: Hlc = Object.freeze({ ms: 0, counter: 0 });

/** How far ahead of the local wall clock a received reading may lie; beyond it the sender's clock is wrong. */
export const HLC_DRIFT_MAX_MS = 500;

const COUNTER_MAX = 0xffff;

/** Negative, zero or positive as `a` is before, equal to or after `b`. */
export function compareHlc(a: Hlc, b: Hlc): number {
  return a.ms - b.ms || a.counter - b.counter;
}

export function laterHlc(a: Hlc, b: Hlc): Hlc {
  return compareHlc(a, b) >= 0 ? a : b;
}

/** The reading right after `reading`: none lies between the two. */
export function nextReading({ ms, counter }: Hlc): Hlc {
  return counter === COUNTER_MAX ? { ms: ms + 1, counter: 0 } : { ms, counter: counter + 1 };
}

/**
 * Hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014): readings grow strictly, stay close to the
 * wall clock, and follow every reading received from others.
 */
export class HybridClock {
  readonly #clock: Clock;
  #last = HLC_ZERO;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A reading later than every one given out or received before. */
  next(): Hlc {
    const wallMs = Math.floor(this.#clock.wallMs());
    this.#last = wallMs > this.#last.ms ? { ms: wallMs, counter: 0 } : nextReading(this.#last);
    return this.#last;
  }

  /**
   * Takes note of a reading from elsewhere, so that what happens here from now on is later than it.
   * @throws CacheError `level-failed` when it lies more than 500 ms ahead of our wall clock: following it would let
   *   one wrong clock pin every key.
   */
  receive(reading: Hlc): void {
    const aheadMs = reading.ms - this.#clock.wallMs();
    if (aheadMs > HLC_DRIFT_MAX_MS) {
      throw new CacheError(
        'level-failed',
        `a clock reading from elsewhere is ${Math.round(aheadMs)} ms ahead of this node: at most ${HLC_DRIFT_MAX_MS} ms are followed. Check the clocks (NTP) of both`,
      );
    }
    this.#last = laterHlc(this.#last, reading);
  }
}
