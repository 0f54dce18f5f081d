import { NONE, type SlabChunks } from './slab-chunks.js';

/** Doubly linked lists of chains, oldest first. The links lie in two words of the chains themselves. */
export class SlabLists {
  readonly #chunks: SlabChunks;
  readonly #next: number;
  readonly #previous: number;
  readonly #firsts: Int32Array;

  /** @param at the first of two words for the links */
  constructor(chunks: SlabChunks, at: number, lists: number) {
    this.#chunks = chunks;
    this.#next = at;
    this.#previous = at + 1;
    this.#firsts = new Int32Array(lists);
  }

  /** The oldest, or `NONE`. */
  first(list: number): number {
    return this.#firsts[list] as number;
  }

  /** The one that came after it, or `NONE`. */
  after(list: number, id: number): number {
    // The last one leads to the first.
    const next = this.#chunks.word(id, this.#next);
    return next === this.#firsts[list] ? NONE : next;
  }

  add(list: number, id: number): void {
    const first = this.#firsts[list] as number;
    if (first === NONE) {
      this.#firsts[list] = id;
      this.#link(id, id);
      return;
    }
    this.#link(this.#chunks.word(first, this.#previous), id);
    this.#link(id, first);
  }

  remove(list: number, id: number): void {
    const next = this.#chunks.word(id, this.#next);
    if (next === id) {
      this.#firsts[list] = NONE;
      return;
    }
    this.#link(this.#chunks.word(id, this.#previous), next);
    if (this.#firsts[list] === id) this.#firsts[list] = next;
  }

  #link(id: number, next: number): void {
    this.#chunks.setWord(id, this.#next, next);
    this.#chunks.setWord(next, this.#previous, id);
  }
}
