import type { Cancel, Clock } from './clock.js';

/** How fast two clocks may run apart, ms per ms: 200 ppm, twice what a cheap crystal does. */
const DRIFT = 2e-4;

/** What one exchange with a server of time told. */
interface Sample {
  /** The server's time less the monotonic clock of this process. */
  readonly aheadMs: number;
  /** Half the round trip: the server read its clock at some moment of it. */
  readonly errorMs: number;
  /** Monotonic. */
  readonly takenAtMs: number;
}

/**
 * The time of a city: that of its Redis primaries, as nearly as this process can know it, and how nearly that is. All nodes
 * of a city ask the same primaries, so they agree however wrong their own clocks are (Cristian, "Probabilistic clock
 * synchronization", 1989). Between exchanges it runs on the monotonic clock; a wall clock that is set changes nothing.
 * Before the first exchange it is this machine's.
 */
export class CityClock implements Clock {
  readonly #base: Clock;
  readonly #best = new Map<string, Sample>();
  #aheadMs: number | undefined;

  constructor(base: Clock) {
    this.#base = base;
  }

  monotonicMs(): number {
    return this.#base.monotonicMs();
  }

  wallMs(): number {
    return this.#aheadMs === undefined ? this.#base.wallMs() : this.#base.monotonicMs() + this.#aheadMs;
  }

  uncertaintyMs(): number {
    const ahead = this.#aheadMs;
    if (ahead === undefined) return 0;
    const nowMs = this.#base.monotonicMs();
    let widestMs = 0;
    for (const sample of this.#best.values()) {
      widestMs = Math.max(widestMs, Math.abs(sample.aheadMs - ahead) + errorAt(sample, nowMs));
    }
    return widestMs;
  }

  schedule(delayMs: number, run: () => void): Cancel {
    return this.#base.schedule(delayMs, run);
  }

  /**
   * An exchange with a server. The one with the shortest round trip counts until drift has made it worse than a new one.
   * @param server who was asked
   * @param sentAtMs monotonic instant before the question was sent
   * @param serverMs what the server said, ms since the epoch
   */
  learn(server: string, sentAtMs: number, serverMs: number): void {
    const nowMs = this.#base.monotonicMs();
    const sample: Sample = {
      aheadMs: serverMs - (sentAtMs + nowMs) / 2,
      errorMs: (nowMs - sentAtMs) / 2,
      takenAtMs: nowMs,
    };
    const best = this.#best.get(server);
    if (best !== undefined && errorAt(best, nowMs) < sample.errorMs) return;
    this.#best.set(server, sample);
    this.#settle();
  }

  /** The server is no primary any more. */
  forget(server: string): void {
    // The last one stays: an old reading of the city's time is better than this machine's.
    if (this.#best.size > 1 && this.#best.delete(server)) this.#settle();
  }

  /** The median: one primary whose clock is wrong does not move it. */
  #settle(): void {
    const ahead = [...this.#best.values()].map(({ aheadMs }) => aheadMs).sort((a, b) => a - b);
    this.#aheadMs = ahead[(ahead.length - 1) >> 1];
  }
}

function errorAt(sample: Sample, nowMs: number): number {
  return sample.errorMs + (nowMs - sample.takenAtMs) * DRIFT;
}
