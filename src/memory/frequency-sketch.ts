/** Counters saturate here; half of it is what ageing leaves. */
export const FREQUENCY_MAX = 15;

/** A block is a cache line: four rows of 32 counters, four bits each. */
const BLOCK_WORDS = 16;
const ROW_WORDS = 4;
/** Entries per block: 8 bytes for each. With half of it the hit ratio of small caches falls by a point. */
const BLOCK_ENTRIES = 8;
/** It begins small, and doubles until it is as large as it will be needed. */
const FIRST_BLOCKS = 64;
const HALVED = 0x7777_7777;

/**
 * How often a key was asked for lately, estimated from its hash alone: a count-min sketch (Cormode, Muthukrishnan 2005) of
 * four-bit counters that are halved from time to time, as TinyLFU keeps it (Einziger, Friedman, Manes, "TinyLFU: A Highly
 * Efficient Cache Admission Policy", ACM TOS 2017), with all counters of a key in one cache line.
 *
 * It only serves to remember what is gone, since those who are here are counted exactly, where they are.
 */
export class FrequencySketch {
  #words: Uint32Array;
  #blocks: number;

  /** @param most how many entries there will be at most: it grows up to that and, if need be, beyond */
  constructor(most: number) {
    this.#blocks = Math.ceil(most / BLOCK_ENTRIES);
    while (this.#blocks > FIRST_BLOCKS) this.#blocks = Math.ceil(this.#blocks / 2);
    this.#words = new Uint32Array(this.#blocks * BLOCK_WORDS);
  }

  /** For how many entries it is large enough. */
  get entries(): number {
    return this.#blocks * BLOCK_ENTRIES;
  }

  /** 0 to 15; never less than it was counted, but for ageing. */
  frequency(hash: number): number {
    const words = this.#words;
    const block = this.#blockOf(hash);
    let picks = picksOf(hash);
    let least = FREQUENCY_MAX;
    for (let row = 0; row < BLOCK_WORDS; row += ROW_WORDS) {
      const count = ((words[block + row + (picks & 3)] as number) >>> (picks & 28)) & FREQUENCY_MAX;
      if (count < least) least = count;
      picks >>>= 5;
    }
    return least;
  }

  /** From now on the key was asked for `frequency` times at least. */
  raise(hash: number, frequency: number): void {
    const words = this.#words;
    const block = this.#blockOf(hash);
    let picks = picksOf(hash);
    for (let row = 0; row < BLOCK_WORDS; row += ROW_WORDS) {
      const at = block + row + (picks & 3);
      const shift = picks & 28;
      const word = words[at] as number;
      const count = (word >>> shift) & FREQUENCY_MAX;
      if (count < frequency) words[at] = word + ((frequency - count) << shift);
      picks >>>= 5;
    }
  }

  /** What was long ago counts half. */
  age(): void {
    const words = this.#words;
    for (let i = 0; i < words.length; i++) words[i] = ((words[i] as number) >>> 1) & HALVED;
  }

  /** Tells twice as many keys apart. Every block becomes two with the same counts: nothing is forgotten. */
  grow(): void {
    const before = this.#words;
    const words = new Uint32Array(before.length * 2);
    for (let from = 0; from < before.length; from += BLOCK_WORDS) {
      const to = from * 2;
      // By hand: a view of each block would cost several times as much, while everybody waits.
      for (let i = 0; i < BLOCK_WORDS; i++) {
        const word = before[from + i] as number;
        words[to + i] = word;
        words[to + BLOCK_WORDS + i] = word;
      }
    }
    this.#words = words;
    this.#blocks *= 2;
  }

  clear(): void {
    this.#words.fill(0);
  }

  #blockOf(hash: number): number {
    // Its upper bits, of a range that need not be a power of 2 (Lemire 2019): so doubling splits every block.
    return Math.floor(((Math.imul(hash, 0x9e3779b1) >>> 0) * this.#blocks) / 0x1_0000_0000) * BLOCK_WORDS;
  }
}

/** Five bits for each row: two for the word, three for the counter in it. */
function picksOf(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x85ebca77);
  return mixed ^ (mixed >>> 13);
}
