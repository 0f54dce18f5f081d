import type { Call } from './call.js';
import { remainingMs } from './call.js';
import type { Clock } from './clock.js';

/** Those who wait for something to happen to a key. Bounded by the flights that they belong to. */
export class KeyWaits {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves when the key is woken, or at the deadline of the call. */
  wait(key: string, call: Call): Promise<void> {
    return new Promise<void>((resolve) => {
      const waiters = this.#waiting.get(key) ?? new Set();
      this.#waiting.set(key, waiters);
      const end = () => {
        cancel();
        waiters.delete(end);
        if (waiters.size === 0 && this.#waiting.get(key) === waiters) this.#waiting.delete(key);
        resolve();
      };
      const cancel = this.#clock.schedule(Math.max(0, remainingMs(this.#clock, call)), end);
      waiters.add(end);
    });
  }

  wake(key: string): void {
    const waiters = this.#waiting.get(key);
    if (waiters === undefined) return;
    for (const end of [...waiters]) end();
  }

  /** Wakes all whose key `concerns` says so; all, when left out. */
  wakeAll(concerns?: (key: string) => boolean): void {
    for (const key of [...this.#waiting.keys()]) if (concerns === undefined || concerns(key)) this.wake(key);
  }
}
