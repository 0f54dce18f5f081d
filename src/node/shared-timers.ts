import type { Cancel } from '../core/clock.js';

/** What is due within so many ms of each other ends together: up to so much late, never early. */
const GRAIN_MS = 4;

interface Waiting {
  readonly run: () => void;
  before: Waiting | undefined;
  after: Waiting | undefined;
}

/**
 * Many delays on few timers. A timer of Node's costs more than most of what is waited for, and hardly any of them ever
 * fires: they are deadlines. Those that end in the same few milliseconds share one here, which is set once and never
 * taken back; joining and leaving moves two pointers. There are no more timers than grains in the longest delay.
 * (After the hashed wheels of Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987.)
 */
export class SharedTimers {
  readonly #turns = new Map<number, Turn>();

  /** Calls `run` once, `delayMs` from now or up to 4 ms later. Does not keep the process alive. */
  schedule(delayMs: number, run: () => void): Cancel {
    const nowMs = performance.now();
    const number = Math.ceil((nowMs + delayMs) / GRAIN_MS);
    let turn = this.#turns.get(number);
    if (turn === undefined) {
      turn = new Turn();
      this.#turns.set(number, turn);
      this.#arm(number, turn, nowMs);
    }
    return turn.add(run);
  }

  #arm(number: number, turn: Turn, nowMs: number): void {
    const timer = setTimeout(
      () => {
        const lateMs = performance.now();
        // Node counts its delays from the beginning of a turn of the event loop, and so may be early by our clock.
        if (lateMs < number * GRAIN_MS) return this.#arm(number, turn, lateMs);
        this.#turns.delete(number);
        turn.runAll();
      },
      Math.ceil(number * GRAIN_MS - nowMs),
    );
    timer.unref();
  }
}

/** Those who wait for one instant, in the order in which they came. */
class Turn {
  #first: Waiting | undefined;
  #last: Waiting | undefined;

  add(run: () => void): Cancel {
    const waiting: Waiting = { run, before: this.#last, after: undefined };
    if (this.#last === undefined) this.#first = waiting;
    else this.#last.after = waiting;
    this.#last = waiting;
    return () => this.#remove(waiting);
  }

  runAll(): void {
    while (this.#first !== undefined) {
      const { run } = this.#first;
      this.#remove(this.#first);
      try {
        run();
      } catch (thrown) {
        // As from a timer of its own: it ends the process if nobody objects, and holds up nobody else.
        queueMicrotask(() => {
          throw thrown;
        });
      }
    }
  }

  #remove(waiting: Waiting): void {
    const { before, after } = waiting;
    if (before === undefined && this.#first !== waiting) return;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    waiting.before = undefined;
    waiting.after = undefined;
  }
}
