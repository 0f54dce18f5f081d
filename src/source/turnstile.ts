import { type Call, waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import { checkWaiting } from './load-call.js';

class Waiter {
  admit: () => void = noop;
  refuse: (error: CacheError) => void = noop;
  readonly turn = new Promise<void>((resolve, reject) => {
    this.admit = resolve;
    this.refuse = reject;
  });
}

/**
 * Lets a bounded number in at a time; the others wait in line, first come first served, no longer than their call
 * allows and no more than `waitingMax` of them.
 */
export class Turnstile {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #insideMax: number;
  readonly #waitingMax: number;
  readonly #waiting = new Set<Waiter>();
  #inside = 0;
  #closed = false;

  /** @param name what is behind it, as it appears in errors */
  constructor(clock: Clock, name: string, limits: { readonly insideMax: number; readonly waitingMax: number }) {
    this.#clock = clock;
    this.#name = name;
    this.#insideMax = limits.insideMax;
    this.#waitingMax = limits.waitingMax;
  }

  /**
   * Waits for a place, does the work in it and gives the place back when the work has settled.
   * @throws CacheError `overloaded`, `deadline`, `aborted` or `closed` when there was no place; what the work throws
   */
  async run<T>(call: Call, work: () => Promise<T>): Promise<T> {
    await this.#enter(call);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** Nobody gets in any more; who waits is told so, who is inside is left alone. */
  close(): void {
    this.#closed = true;
    for (const waiter of this.#waiting) waiter.refuse(this.#closedError());
    this.#waiting.clear();
  }

  async #enter(call: Call): Promise<void> {
    if (this.#closed) throw this.#closedError();
    checkWaiting(this.#clock, call, this.#name);
    if (this.#inside < this.#insideMax) {
      this.#inside += 1;
      return;
    }
    if (this.#waiting.size >= this.#waitingMax) {
      throw new CacheError(
        'overloaded',
        `${this.#name} has ${this.#insideMax} requests under way and ${this.#waitingMax} waiting: try again later`,
      );
    }
    await this.#wait(call);
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#inside -= 1;
      return;
    }
    this.#waiting.delete(next);
    next.admit();
  }

  async #wait(call: Call): Promise<void> {
    const waiter = new Waiter();
    this.#waiting.add(waiter);
    try {
      await waitWithin(this.#clock, call, `a free place at ${this.#name}`, waiter.turn);
    } catch (error) {
      // No longer in line: the place was given, or refused, in the very moment in which the caller gave up.
      if (!this.#waiting.delete(waiter)) void waiter.turn.then(() => this.#leave(), noop);
      throw error;
    }
  }

  #closedError(): CacheError {
    return new CacheError('closed', `${this.#name} is closed`);
  }
}

function noop(): void {}
