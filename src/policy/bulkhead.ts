import { abortedError, type Call, deadlineError, remainingMs } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';

interface Waiting {
  readonly enter: () => void;
}

/**
 * A bounded number of things at a time; the others wait in order of arrival, within their deadlines, and a bounded
 * number of them.
 */
export class Bulkhead {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #atOnce: number;
  readonly #waitingMax: number;
  readonly #waiting = new Set<Waiting>();
  #running = 0;

  /** @param name what is protected, as it appears in errors */
  constructor(clock: Clock, name: string, atOnce: number, waitingMax: number) {
    this.#clock = clock;
    this.#name = name;
    this.#atOnce = atOnce;
    this.#waitingMax = waitingMax;
  }

  get running(): number {
    return this.#running;
  }

  /** @throws CacheError `overloaded`, `deadline` or `aborted`, before the work began; else what the work throws */
  async run<T>(call: Call, work: () => Promise<T>): Promise<T> {
    const { signal } = call;
    if (signal?.aborted === true) throw abortedError(`a place at ${this.#name}`, signal);
    if (remainingMs(this.#clock, call) <= 0) throw deadlineError(`a place at ${this.#name}`);
    if (this.#running < this.#atOnce) this.#running += 1;
    else await this.#wait(call);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #wait(call: Call): Promise<void> {
    const leftMs = remainingMs(this.#clock, call);
    const signal = call.signal;
    if (this.#waiting.size >= this.#waitingMax) {
      const error = new CacheError(
        'overloaded',
        `${this.#name} is overloaded: ${this.#running} at work and ${this.#waiting.size} waiting. Try again later`,
      );
      return Promise.reject(error);
    }
    return new Promise<void>((resolve, reject) => {
      const settle = () => {
        cancel();
        signal?.removeEventListener('abort', onAbort);
        this.#waiting.delete(waiting);
      };
      const waiting: Waiting = {
        enter: () => {
          settle();
          resolve();
        },
      };
      const onAbort = () => {
        settle();
        reject(abortedError(`a place at ${this.#name}`, signal));
      };
      const cancel = this.#clock.schedule(leftMs, () => {
        settle();
        reject(deadlineError(`a place at ${this.#name}`));
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiting);
    });
  }

  /** The place goes to who has waited longest, without being free in between. */
  #leave(): void {
    const [first] = this.#waiting;
    if (first === undefined) this.#running -= 1;
    else first.enter();
  }
}
