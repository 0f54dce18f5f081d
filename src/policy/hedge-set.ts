import { HedgeBudget } from './hedge-budget.js';
import { HedgeDelay } from './hedge-delay.js';

/** What is waited for a part that has not answered often enough yet. */
const FIRST_MS = 10;
/** A timer ends no earlier. */
const LEAST_MS = 1;

export interface HedgeSetOptions {
  /** Told how long the first one had been waited for when another one was asked too. */
  onHedged(waitedMs: number): void;
  /** Told how long a read took that the second one answered. */
  onWon(tookMs: number): void;
  /** Told when the budget did not allow it. */
  onRefused(): void;
}

/** When to ask a second part for what a first one has not answered: after its usual time, and within a budget of all reads. */
export class HedgeSet {
  readonly #options: HedgeSetOptions;
  readonly #budget = new HedgeBudget();
  readonly #delays = new Map<string, HedgeDelay>();

  constructor(options: HedgeSetOptions) {
    this.#options = options;
  }

  /** So many keys are asked of a part. @returns how long to wait for it before another one is asked too, in ms */
  delayMs(part: string, keys: number): number {
    this.#budget.earn(keys);
    return Math.max(LEAST_MS, this.#delays.get(part)?.ms ?? FIRST_MS);
  }

  /** @returns for how many of `keys` another one may be asked now */
  grant(keys: number, waitedMs: number): number {
    const granted = this.#budget.spend(keys);
    if (granted > 0) this.#options.onHedged(waitedMs);
    if (granted < keys) this.#options.onRefused();
    return granted;
  }

  won(tookMs: number): void {
    this.#options.onWon(tookMs);
  }

  /** A part took so long to answer, or longer: it was given up then. */
  note(part: string, tookMs: number): void {
    let delay = this.#delays.get(part);
    if (delay === undefined) {
      delay = new HedgeDelay();
      this.#delays.set(part, delay);
    }
    delay.note(tookMs);
  }

  forget(part: string): void {
    this.#delays.delete(part);
  }
}
