import { type Call, waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { toError } from '../core/errors.js';

/** What answers every question, whatever it is about. */
type Failed = { readonly kind: 'failed'; readonly error: Error };

/** The answers that one caller waits for; they may come in several replies. */
export class Ticket<O> {
  readonly #answers: (O | Failed | undefined)[];
  readonly #all: Promise<void>;
  readonly #told: (at: number, answer: O | Failed) => void;
  #left: number;
  #finish: () => void = () => {};
  #abandoned = false;

  /** @param told of each answer as it comes */
  constructor(count: number, told: (at: number, answer: O | Failed) => void = () => {}) {
    this.#answers = new Array(count).fill(undefined);
    this.#left = count;
    this.#told = told;
    this.#all = new Promise((resolve) => {
      this.#finish = resolve;
    });
    if (count === 0) this.#finish();
  }

  /** Nobody waits for it any more. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  settle(index: number, answer: O | Failed): void {
    if (this.#abandoned || this.#answers[index] !== undefined) return;
    this.#answers[index] = answer;
    this.#left -= 1;
    if (this.#left === 0) this.#finish();
    this.#told(index, answer);
  }

  /** All answers in order, no later than the call allows; what is missing by then failed for that. Never rejects. */
  async answers(clock: Clock, call: Call, name: string): Promise<readonly (O | Failed)[]> {
    let failed: Failed | undefined;
    try {
      await waitWithin(clock, call, name, this.#all);
    } catch (thrown) {
      failed = { kind: 'failed', error: toError(thrown) };
    }
    this.#abandoned = true;
    if (failed === undefined) return this.#answers as (O | Failed)[];
    const missing = failed;
    return this.#answers.map((answer) => answer ?? missing);
  }
}
