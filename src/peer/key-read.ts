import type { Outcome } from '../core/outcome.js';
import type { Member } from './member.js';
import type { PeerRead } from './transport.js';

const NOBODY: readonly Member[] = [];

/** Collects what is said of one key. */
export interface Answer {
  take(read: PeerRead): void;
  /** Somebody has it who is sure of it. */
  readonly isFound: boolean;
  /** What it comes to, by all that was said so far. */
  readonly outcome: Outcome;
}

/** What one member was asked, and has not answered. */
export interface Open {
  /** Nobody waits for one of its keys any more. */
  drop(): void;
}

/** Who waits for the outcomes of keys, each at its place. */
export interface OutcomeTaker {
  take(outcome: Outcome, at: number): void;
}

/** One key that is read: whom it may be asked of, and how far that has come. */
export class KeyRead {
  readonly key: string;
  readonly answer: Answer;
  /** Those that may be asked, in the order in which they are to be. */
  others: readonly Member[] = NOBODY;
  /** All of them are needed: what is here is doubted, or the members are changing. */
  atOnce = false;
  /** How many of the others were asked. */
  asked = 0;
  /** What was asked and is not answered. */
  readonly open: Open[] = [];
  /** Nobody waits for it any more. */
  isOver = false;
  readonly #reader: OutcomeTaker;
  readonly #at: number;

  /** @param at its place among the keys that `reader` waits for */
  constructor(key: string, answer: Answer, reader: OutcomeTaker, at: number) {
    this.key = key;
    this.answer = answer;
    this.#reader = reader;
    this.#at = at;
  }

  /** Gives up what is still open of it, and tells its reader what it came to. */
  end(): void {
    this.isOver = true;
    for (const one of this.open) one.drop();
    this.#reader.take(this.answer.outcome, this.#at);
  }
}

/** Waits for some keys, and has their outcomes in order when the last of them is there. */
export class Reading implements OutcomeTaker {
  readonly #outcomes: Outcome[];
  readonly #resolve: (outcomes: readonly Outcome[]) => void;
  #missing: number;

  constructor(keys: number, resolve: (outcomes: readonly Outcome[]) => void) {
    this.#outcomes = new Array<Outcome>(keys);
    this.#missing = keys;
    this.#resolve = resolve;
    if (keys === 0) resolve(this.#outcomes);
  }

  take(outcome: Outcome, at: number): void {
    this.#outcomes[at] = outcome;
    this.#missing -= 1;
    if (this.#missing === 0) this.#resolve(this.#outcomes);
  }
}
