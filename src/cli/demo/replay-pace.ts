/** A gap in the data is waited for no longer than this, whatever the speed. */
const GAP_MAX_MS = 30_000;

/**
 * When each ping of a replay is due. The clock of the replay follows the pings' own times, `speed` times as fast as they
 * went by; it does not turn back for pings that come late, and it does not wait out a gap of months.
 */
export class ReplayPace {
  readonly #speed: number;
  #from: { readonly replayMs: number; readonly nowMs: number } | undefined;
  #newestMs = 0;

  constructor(speed: number) {
    this.#speed = speed;
  }

  /** The time that the replay has come to, in ms since the epoch; 0 before the first ping. */
  get replayMs(): number {
    return this.#newestMs;
  }

  /** How long to wait, at the monotonic instant `nowMs`, before the ping of time `t`. */
  waitMs(t: number, nowMs: number): number {
    this.#from ??= { replayMs: t, nowMs };
    this.#newestMs = Math.max(this.#newestMs, t);
    const waitMs = this.#from.nowMs + (t - this.#from.replayMs) / this.#speed - nowMs;
    if (waitMs <= GAP_MAX_MS) return Math.max(0, waitMs);
    this.#from = { replayMs: t, nowMs };
    return 0;
  }
}
