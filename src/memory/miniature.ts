import { type Tuning, WindowTinyLfu } from './window-tiny-lfu.js';

/** Of the table of slots; a power of 2 above twice the entries keeps its runs short. */
const TABLE_RATIO = 2;
const TABLE_GROWTH = 2;
const EMPTY = -1;

/**
 * What a cache of some weight would do with another tuning: entries without keys or values, known by their hashes.
 */
export class Miniature {
  readonly tuning: Tuning;
  readonly #mostWeight: number;
  readonly #policy: WindowTinyLfu;
  /** Hashes with open addressing: the slot of each, or `EMPTY`. */
  #table: Int32Array;
  readonly #free: number[] = [];
  #slots = 0;
  #hits = 0;

  /** @param entries how many it will have, about */
  constructor(tuning: Tuning, mostWeight: number, entries: number, seed: number) {
    this.tuning = tuning;
    this.#mostWeight = mostWeight;
    this.#policy = new WindowTinyLfu(tuning, seed, entries);
    let size = 16;
    while (size < entries * TABLE_RATIO) size *= 2;
    this.#table = new Int32Array(size).fill(EMPTY);
  }

  /** How many of the uses would have found their entry, since it was asked last. */
  takeHits(): number {
    const hits = this.#hits;
    this.#hits = 0;
    return hits;
  }

  use(hash: number, weight: number): void {
    const at = this.#find(hash);
    const slot = this.#table[at] as number;
    if (slot !== EMPTY) {
      this.#hits += 1;
      this.#policy.hit(slot);
      return;
    }
    const isFull = this.#policy.weight + weight > this.#mostWeight;
    if (weight > this.#mostWeight || (isFull && !this.#policy.admits(hash, weight))) return;
    while (this.#policy.weight + weight > this.#mostWeight) this.#evict();
    this.#insert(hash, weight);
  }

  #insert(hash: number, weight: number): void {
    const slot = this.#free.pop() ?? this.#slots++;
    if (this.#slots * TABLE_GROWTH > this.#table.length) this.#growTable();
    this.#policy.onInsert(slot, hash, weight);
    this.#table[this.#find(hash)] = slot;
  }

  #evict(): void {
    const slot = this.#policy.victim();
    this.#forget(this.#find(this.#policy.hashOf(slot)));
    this.#policy.onRemove(slot);
    this.#free.push(slot);
  }

  /** Where the slot of a hash is, or would be. */
  #find(hash: number): number {
    const mask = this.#table.length - 1;
    for (let at = home(hash) & mask; ; at = (at + 1) & mask) {
      const slot = this.#table[at] as number;
      if (slot === EMPTY || this.#policy.hashOf(slot) === hash) return at;
    }
  }

  /** Empties a place, and moves up those behind it that would not be found any more (Knuth, TAOCP 3, 6.4 R). */
  #forget(gone: number): void {
    const mask = this.#table.length - 1;
    let hole = gone;
    for (let at = (hole + 1) & mask; this.#table[at] !== EMPTY; at = (at + 1) & mask) {
      const slot = this.#table[at] as number;
      const distance = (at - (home(this.#policy.hashOf(slot)) & mask)) & mask;
      if (distance < ((at - hole) & mask)) continue;
      this.#table[hole] = slot;
      hole = at;
    }
    this.#table[hole] = EMPTY;
  }

  #growTable(): void {
    const slots = this.#table.filter((slot) => slot !== EMPTY);
    this.#table = new Int32Array(this.#table.length * 2).fill(EMPTY);
    for (const slot of slots) this.#table[this.#find(this.#policy.hashOf(slot))] = slot;
  }
}

/** Those in one miniature have some bits of their hashes in common: their places must depend on the others. */
function home(hash: number): number {
  return Math.imul(hash, 0xc2b2ae3d) >>> 8;
}
