import type { Cancel, Clock } from '../src/core/clock.js';

interface Scheduled {
  readonly dueAtMs: number;
  readonly run: () => void;
}

/** A clock that moves only when a test says so. Its two times start apart, so that mixing them up shows. */
export class VirtualClock implements Clock {
  /** How far the wall clock may be off, by its own account. */
  uncertainMs = 0;
  #monotonicMs = 5_000;
  #wallMs = 1_700_000_000_000;
  /** Sorted by the instant at which they are due; what is due at the same instant stays in the order of asking. */
  readonly #scheduled: Scheduled[] = [];

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  uncertaintyMs(): number {
    return this.uncertainMs;
  }

  schedule(delayMs: number, run: () => void): Cancel {
    const scheduled: Scheduled = { dueAtMs: this.#monotonicMs + Math.max(0, delayMs), run };
    const after = this.#scheduled.findIndex((other) => other.dueAtMs > scheduled.dueAtMs);
    this.#scheduled.splice(after === -1 ? this.#scheduled.length : after, 0, scheduled);
    return () => {
      const at = this.#scheduled.indexOf(scheduled);
      if (at !== -1) this.#scheduled.splice(at, 1);
    };
  }

  /** How many callbacks wait; 0 shows that nothing was left running. */
  get pending(): number {
    return this.#scheduled.length;
  }

  /** Lets `ms` pass: every callback that comes due runs at its instant, in order, those scheduled meanwhile as well. */
  advance(ms: number): void {
    const untilMs = this.#monotonicMs + ms;
    while (this.#runNext(untilMs)) {}
    this.#moveTo(untilMs);
  }

  /** As `advance`, and lets promises settle before, between and after the callbacks. */
  async advanceSettled(ms: number): Promise<void> {
    const untilMs = this.#monotonicMs + ms;
    do await settled();
    while (this.#runNext(untilMs));
    this.#moveTo(untilMs);
    await settled();
  }

  /** The wall clock is set, by an operator or by NTP: it jumps, the monotonic one does not. */
  jumpWall(ms: number): void {
    this.#wallMs += ms;
  }

  #runNext(untilMs: number): boolean {
    const next = this.#scheduled[0];
    if (next === undefined || next.dueAtMs > untilMs) return false;
    this.#scheduled.shift();
    this.#moveTo(next.dueAtMs);
    next.run();
    return true;
  }

  #moveTo(instantMs: number): void {
    this.#wallMs += instantMs - this.#monotonicMs;
    this.#monotonicMs = instantMs;
  }
}

/** Resolves when every promise that could settle by now has done so. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
