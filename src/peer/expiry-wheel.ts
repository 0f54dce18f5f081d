import { NONE } from './slab-chunks.js';
import type { SlabLists } from './slab-lists.js';

/** One spoke for each second of the next 68 minutes; what lives longer is passed over once in each round. */
export const SPOKES = 4_096;
const SPOKE_MS = 1_000;
/** Beyond every instant that a clock can tell. */
const FAR_MS = 8.64e15;

/**
 * Finds what is dead without looking at what lives: entries are filed by the second they die in, and seconds that are
 * over are gone through one by one, a few entries at a time. (Varghese and Lauck, "Hashed and hierarchical timing
 * wheels", 1987, scheme 6.) It says what has died a second late, at most.
 */
export class ExpiryWheel {
  readonly #lists: SlabLists;
  readonly #deadAtMs: (id: number) => number;
  /** The second that is being gone through, and what comes next of it. */
  #second: number;
  #next: number = NONE;

  /** @param lists with as many lists as there are spokes */
  constructor(lists: SlabLists, deadAtMs: (id: number) => number, wallMs: number) {
    this.#lists = lists;
    this.#deadAtMs = deadAtMs;
    this.#second = secondOf(wallMs) - 1;
  }

  add(id: number): void {
    this.#lists.add(this.#spokeOf(id), id);
  }

  /** Call it before the instant changes at which the entry dies. */
  remove(id: number): void {
    const spoke = this.#spokeOf(id);
    if (this.#next === id) this.#next = this.#lists.after(spoke, id);
    this.#lists.remove(spoke, id);
  }

  /** Something that is dead, or `NONE` after `looks` looks. */
  find(wallMs: number, looks: number): number {
    const now = secondOf(wallMs);
    if (this.#second >= now) this.#goTo(now - 1);
    else if (now - this.#second > SPOKES) this.#goTo(now - SPOKES);
    for (let i = 0; i < looks; i++) {
      const id = this.#next;
      if (id === NONE) {
        if (this.#second + 1 >= now) return NONE;
        this.#goTo(this.#second + 1);
        continue;
      }
      this.#next = this.#lists.after(this.#second % SPOKES, id);
      if (this.#deadAtMs(id) <= wallMs) return id;
    }
    return NONE;
  }

  #goTo(second: number): void {
    this.#second = second;
    this.#next = this.#lists.first(second % SPOKES);
  }

  #spokeOf(id: number): number {
    return secondOf(this.#deadAtMs(id)) % SPOKES;
  }
}

function secondOf(wallMs: number): number {
  return Math.floor(Math.min(wallMs, FAR_MS) / SPOKE_MS);
}
