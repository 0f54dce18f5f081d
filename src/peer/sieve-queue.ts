import { NONE } from './slab-chunks.js';
import type { SlabLists } from './slab-lists.js';

/** How many entries in use are passed over before one is given up all the same: no eviction looks at everything. */
const LOOKS_MAX = 64;

/** What the queue wants to know of an entry. */
export interface SieveMarks {
  isUsed(id: number): boolean;
  clearUsed(id: number): void;
}

/**
 * Says what is least worth keeping, by SIEVE (Zhang et al., "SIEVE is simpler than LRU", NSDI 2024): entries stand in the
 * order in which they came; a hand goes from the oldest to the newest, takes the first that was not read since it came by
 * last, and leaves the others where they are. So what nobody asks for is gone before it grows old, a read costs
 * one bit, and what is read again and again stays.
 */
export class SieveQueue {
  readonly #list: SlabLists;
  readonly #marks: SieveMarks;
  #hand: number = NONE;

  /** @param list of which list 0 is used */
  constructor(list: SlabLists, marks: SieveMarks) {
    this.#list = list;
    this.#marks = marks;
  }

  add(id: number): void {
    this.#list.add(0, id);
  }

  remove(id: number): void {
    if (this.#hand === id) this.#hand = this.#list.after(0, id);
    this.#list.remove(0, id);
  }

  /** The entry to give up; never `kept`, which must not be the only one. `NONE` when there is nothing at all. */
  victim(kept: number): number {
    for (let looks = 0; ; looks++) {
      const id = this.#hand === NONE ? this.#list.first(0) : this.#hand;
      if (id === NONE) return NONE;
      this.#hand = this.#list.after(0, id);
      if (id === kept) continue;
      if (!this.#marks.isUsed(id) || looks >= LOOKS_MAX) return id;
      this.#marks.clearUsed(id);
    }
  }
}
