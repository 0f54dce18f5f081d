import type { Clock } from '../core/clock.js';
import type { Entry } from '../core/entry.js';
import { decodeEntry } from '../core/entry-format.js';
import { CacheError } from '../core/errors.js';
import { HLC_DRIFT_MAX_MS, type Hlc, type HybridClock } from '../core/hlc.js';
import { EVENT_TIME_AHEAD_MAX_MS } from '../core/version.js';

export interface DriftParts {
  readonly clock: Pick<Clock, 'uncertaintyMs'>;
  readonly hlc: Pick<HybridClock, 'aheadMs'>;
}

/** What another node sent shows that its clock and ours are further apart than two clocks of a city may be. */
export class DriftError extends CacheError {
  constructor(what: string, byMs: number, where: 'ahead of' | 'behind') {
    super(
      'level-failed',
      `${what} is ${Math.round(byMs)} ms ${where} the clock of the node that refuses it: at most ${HLC_DRIFT_MAX_MS} ms are accepted. Check the clocks (NTP) of both`,
    );
    this.name = 'DriftError';
  }
}

/**
 * Keeps out whoever's clock has drifted. What such a node says is refused as a whole, at each way in: none of it is
 * corrected, for a wrong clock that is followed pins keys, and one that is guessed at loses writes.
 */
export class DriftGate {
  readonly #parts: DriftParts;

  constructor(parts: DriftParts) {
    this.#parts = parts;
  }

  /** @throws DriftError */
  checkReading(reading: Hlc): void {
    this.#check('a clock reading that it sent', this.#parts.hlc.aheadMs(reading));
  }

  /** @throws DriftError */
  checkEntry({ version, fillStart, fence }: Pick<Entry, 'version' | 'fillStart' | 'fence'>): void {
    // Whoever wrote it has clamped it by its own clock.
    const clampedMs = version.eventTimeMs - EVENT_TIME_AHEAD_MAX_MS;
    // One look at the clock for every entry that is read: which of them it is matters only when it is wrong.
    const latestMs = Math.max(version.hlc.ms, fillStart.ms, fence.ms, clampedMs);
    if (this.#aheadMs(latestMs) <= HLC_DRIFT_MAX_MS) return;
    this.checkReading(version.hlc);
    this.checkReading(fillStart);
    this.checkReading(fence);
    this.#check('the event time of an entry', this.#aheadMs(clampedMs));
  }

  /** What cannot be read is let through, to whoever says so. @throws DriftError */
  checkEncoded(bytes: Uint8Array): void {
    let entry: Entry;
    try {
      entry = decodeEntry(bytes);
    } catch {
      return;
    }
    this.checkEntry(entry);
  }

  /**
   * When a request was sent, as its sender says. It may have been long under way, so only a time ahead tells.
   * @throws DriftError
   */
  checkSent(timeMs: number): void {
    this.#check('the time of the request', this.#aheadMs(timeMs));
  }

  /**
   * When an answer was given, as its sender says: not before it was asked for, and not after it came.
   * @throws DriftError
   */
  checkAnswered(timeMs: number, askedAtMs: number): void {
    this.#check('the clock of the node that answered', this.#aheadMs(timeMs));
    const behindMs = askedAtMs - this.#parts.clock.uncertaintyMs() - timeMs;
    if (behindMs > HLC_DRIFT_MAX_MS) throw new DriftError('the clock of the node that answered', behindMs, 'behind');
  }

  #aheadMs(ms: number): number {
    return this.#parts.hlc.aheadMs({ ms });
  }

  #check(what: string, aheadMs: number): void {
    if (aheadMs > HLC_DRIFT_MAX_MS) throw new DriftError(what, aheadMs, 'ahead of');
  }
}
