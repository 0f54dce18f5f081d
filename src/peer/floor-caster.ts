import { type Call, waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { Floor } from '../core/floors.js';
import { REQUEST_MAX_MS } from './limits.js';

/** Floors that wait at most for one peer: what fits into one request. It fetches what it did not get. */
const WAITING_MAX = 4_096;

interface Waiting {
  readonly floor: Floor;
  readonly done: (error: Error | undefined) => void;
}

/** Tells one peer floors: one request at a time, and what comes meanwhile leaves together with the next. */
export class FloorCaster {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #send: (floors: readonly Floor[], call: Call) => Promise<void>;
  #waiting: Waiting[] = [];
  #sending = false;

  /** @param name of the peer, as it appears in errors */
  constructor(clock: Clock, name: string, send: (floors: readonly Floor[], call: Call) => Promise<void>) {
    this.#clock = clock;
    this.#name = name;
    this.#send = send;
  }

  /** Resolves when the peer has it. @throws CacheError, within the deadline of the call, when it has not */
  tell(floor: Floor, call: Call): Promise<void> {
    if (this.#waiting.length >= WAITING_MAX) {
      return Promise.reject(
        new CacheError('overloaded', `${WAITING_MAX} floors wait for ${this.#name} already: it fetches them later`),
      );
    }
    const told = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ floor, done: (error) => (error === undefined ? resolve() : reject(error)) });
    });
    void this.#flush();
    return waitWithin(this.#clock, call, this.#name, told);
  }

  async #flush(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#waiting.length > 0) {
      const leaving = this.#waiting;
      this.#waiting = [];
      const error = await this.#trySend(leaving.map(({ floor }) => floor));
      for (const { done } of leaving) done(error);
    }
    this.#sending = false;
  }

  async #trySend(floors: readonly Floor[]): Promise<Error | undefined> {
    const deadlineAtMs = this.#clock.monotonicMs() + REQUEST_MAX_MS;
    try {
      await this.#send(floors, { deadlineAtMs, signal: undefined, reason: 'write' });
      return undefined;
    } catch (thrown) {
      return toError(thrown);
    }
  }
}
