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
 * Hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014): readings grow strictly, stay close to the wall
 * clock, and follow every reading received from others.
 *
 * The nodes of a city do not read the same time at the same moment, and how much they may differ is known. So what
 * must be refused later is dated late and what must not pass is dated early, and no skew between two nodes turns that
 * round:
 *
 *   1. A asks a source. It dates the fill by the lower end of what the time may be: not after the true time.
 *   2. B deletes the key and dates the fence by the upper end: not before the true time.
 *   3. 2 came after 1, so the fence is later than the fill, whatever A's and B's clocks say. The fill is refused.
 *
 * The price is a spare load when something is filled just after a delete elsewhere.
 */
export class HybridClock {
  readonly #clock: Clock;
  #last = HLC_ZERO;
  /** The latest fence or floor that was issued here or heard of. */
  #fence = HLC_ZERO;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A reading later than every one given out or received before.
   * @param wallMs what the clock says, for who has asked it just now
   */
  next(wallMs = this.#clock.wallMs()): Hlc {
    return this.#advance(Math.floor(wallMs));
  }

  /** A reading for a fence or a floor: later than everything that was issued or asked for anywhere before now. */
  late(): Hlc {
    this.#fence = this.#advance(Math.ceil(this.#clock.wallMs() + this.#clock.uncertaintyMs()));
    return this.#fence;
  }

  /**
   * A reading for the beginning of a fill or a set: earlier than every fence and set that is issued anywhere from now
   * on, and later than the fences known here. For both to hold, wait `untilPastMs` before the source is asked.
   * @param patienceMs how long the caller would wait; a fence that is further ahead is not passed
   * @param wallMs what the clock says, for who has asked it just now
   */
  early(patienceMs = Number.POSITIVE_INFINITY, wallMs = this.#clock.wallMs()): Hlc {
    const early = { ms: Math.floor(wallMs - this.#clock.uncertaintyMs()) - 1, counter: 0 };
    if (compareHlc(early, this.#fence) > 0) return early;
    const after = nextReading(this.#fence);
    return this.untilPastMs(after) > patienceMs ? early : after;
  }

  /** How long it takes until the time has surely come to `reading`, in ms; mostly nothing. */
  untilPastMs(reading: Hlc): number {
    return Math.max(0, reading.ms - Math.floor(this.#clock.wallMs() - this.#clock.uncertaintyMs()));
  }

  /**
   * Takes note of a fence or a floor from elsewhere, so that what happens here from now on is later than it.
   * @throws CacheError `level-failed` when it lies more than 500 ms ahead of our wall clock: following it would let
   *   one wrong clock pin every key.
   */
  receive(reading: Hlc): void {
    const aheadMs = this.aheadMs(reading);
    if (aheadMs > HLC_DRIFT_MAX_MS) {
      throw new CacheError(
        'level-failed',
        `a clock reading from elsewhere is ${Math.round(aheadMs)} ms ahead of this node: at most ${HLC_DRIFT_MAX_MS} ms are followed. Check the clocks (NTP) of both`,
      );
    }
    this.#last = laterHlc(this.#last, reading);
    this.#fence = laterHlc(this.#fence, reading);
  }

  /** How far `reading` lies ahead of every time that it may be now, in ms; not above 0 when it does not. */
  aheadMs({ ms }: Pick<Hlc, 'ms'>): number {
    return ms - this.#clock.wallMs() - this.#clock.uncertaintyMs();
  }

  /** As `receive`; a clock that is too far ahead is not followed, and what it fences is refused until its time has come. */
  follow(reading: Hlc): void {
    try {
      this.receive(reading);
    } catch {
      // Told by whoever can name the sender.
    }
  }

  #advance(wallMs: number): Hlc {
    this.#last = wallMs > this.#last.ms ? { ms: wallMs, counter: 0 } : nextReading(this.#last);
    return this.#last;
  }
}
