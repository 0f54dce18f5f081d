import { type Call, remainingMs } from './call.js';
import type { Clock } from './clock.js';

/** A wait that was begun; it may end before anybody awaits it. */
export interface KeyWait {
  readonly ended: Promise<void>;
  /** Nobody will await it. */
  cancel(): void;
}

/** Those who wait for something to happen to a key. Bounded by the flights that they belong to. */
export class KeyWaits {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins a wait that ends when the key is woken, or at the deadline of the call. */
  begin(key: string, call: Call): KeyWait {
    const waiters = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiters);
    let resolve: () => void = () => {};
    const ended = new Promise<void>((onEnd) => {
      resolve = onEnd;
    });
    const end = () => {
      stopTimer();
      waiters.delete(end);
      if (waiters.size === 0 && this.#waiting.get(key) === waiters) this.#waiting.delete(key);
      resolve();
    };
    const stopTimer = this.#clock.schedule(Math.max(0, remainingMs(this.#clock, call)), end);
    waiters.add(end);
    return { ended, cancel: end };
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
