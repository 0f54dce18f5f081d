import type { Reply } from './resp-parser.js';

/** Who waits for the answer to one command. One of the two is called, once. */
export interface ReplyTaker {
  take(reply: Reply): void;
  /** An error of the server (a `RespError`), or there will be no answer. */
  fail(error: Error): void;
}

const FIRST_PLACES = 64;

/** Those who wait on one connection, in the order of their commands, which is the order of the answers. */
export class ReplyRing {
  readonly #most: number;
  #places: (ReplyTaker | undefined)[] = new Array<undefined>(FIRST_PLACES).fill(undefined);
  #first = 0;
  #length = 0;

  /** @param most a power of two */
  constructor(most: number) {
    this.#most = most;
  }

  get length(): number {
    return this.#length;
  }

  /** @returns whether there was a place */
  add(taker: ReplyTaker): boolean {
    if (this.#length === this.#places.length && !this.#grow()) return false;
    this.#places[(this.#first + this.#length) & (this.#places.length - 1)] = taker;
    this.#length += 1;
    return true;
  }

  /** Whoever waits longest; undefined when nobody waits. */
  shift(): ReplyTaker | undefined {
    if (this.#length === 0) return undefined;
    const taker = this.#places[this.#first];
    this.#places[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#places.length - 1);
    this.#length -= 1;
    return taker;
  }

  #grow(): boolean {
    const { length } = this.#places;
    if (length >= this.#most) return false;
    const larger = new Array<ReplyTaker | undefined>(2 * length).fill(undefined);
    for (let i = 0; i < length; i++) larger[i] = this.#places[(this.#first + i) & (length - 1)];
    this.#places = larger;
    this.#first = 0;
    return true;
  }
}
