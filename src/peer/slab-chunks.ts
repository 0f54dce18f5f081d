/** What one piece holds. Measured: with 64 bytes the links take what is saved at the ends, with 256 the ends do. */
export const CHUNK_BYTES = 128;
/** No chunk: ids begin at 1. */
export const NONE = 0;

const WORDS = CHUNK_BYTES / 4;
const DOUBLES = CHUNK_BYTES / 8;
const SLAB_SHIFT = 13;
/** Chunks in one slab of 1 MiB: small enough to be asked for within a millisecond, large enough to be few. */
const SLAB_CHUNKS = 1 << SLAB_SHIFT;
const SLAB_MASK = SLAB_CHUNKS - 1;
/** Up to here a loop is faster than what makes views and calls the runtime. */
const SHORT_BYTES = 192;

interface Slab {
  readonly bytes: Uint8Array;
  /** The same bytes, as numbers. */
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  /** The chunk that follows, or is free after, each. */
  readonly next: Int32Array;
}

/**
 * Memory outside the JavaScript heap, in slabs of 1 MiB that are cut into chunks of one size; what is larger than a
 * chunk lies in a chain of them, as files lie in the clusters of a FAT. A chain is asked for, made longer or shorter, and
 * given back chunk by chunk, in any order, whatever the sizes: nothing is ever moved, so there is no compaction that
 * could hold anybody up, and no size class that could run out while others have room. Slabs are asked for as needed,
 * and stay.
 *
 * Offsets count from the beginning of a chain. Numbers must lie within its first chunk.
 */
export class SlabChunks {
  /** How many chunks there may be. */
  readonly capacity: number;
  readonly #slabs: Slab[] = [];
  /** Ids from here on were never used. */
  #fresh = 1;
  #firstFree = NONE;
  #used = 0;
  /** The chunk behind what `#runFrom` found last: a pair for each of them would have to be collected. */
  #afterRun = NONE;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get used(): number {
    return this.#used;
  }

  /**
   * A chain of `count` chunks, with anything in it.
   * @param count at least 1; never more than there are free
   */
  take(count: number): number {
    const first = this.#takeOne();
    this.#append(first, count - 1);
    return first;
  }

  /** Makes a chain `count` chunks long; what it keeps of it stays as it is. */
  resize(first: number, count: number): void {
    let last = first;
    for (let length = 1; length < count; length++) {
      const next = this.#next(last);
      if (next === NONE) {
        this.#append(last, count - length);
        return;
      }
      last = next;
    }
    const rest = this.#next(last);
    if (rest === NONE) return;
    this.#setNext(last, NONE);
    this.release(rest);
  }

  /** Gives a chain back. */
  release(first: number): void {
    let last = first;
    this.#used -= 1;
    for (let next = this.#next(last); next !== NONE; next = this.#next(last)) {
      this.#used -= 1;
      last = next;
    }
    this.#setNext(last, this.#firstFree);
    this.#firstFree = first;
  }

  word(id: number, at: number): number {
    return this.#slab(id).words[(id & SLAB_MASK) * WORDS + at] as number;
  }

  setWord(id: number, at: number, value: number): void {
    this.#slab(id).words[(id & SLAB_MASK) * WORDS + at] = value;
  }

  double(id: number, at: number): number {
    return this.#slab(id).doubles[(id & SLAB_MASK) * DOUBLES + at] as number;
  }

  setDouble(id: number, at: number, value: number): void {
    this.#slab(id).doubles[(id & SLAB_MASK) * DOUBLES + at] = value;
  }

  /** Copies the first `length` of `source` into a chain. */
  write(first: number, offset: number, source: Uint8Array, length: number): void {
    let id = this.#chunkAt(first, offset);
    let at = offset % CHUNK_BYTES;
    for (let done = 0; done < length; at = 0) {
      const bytes = this.#runFrom(id, at, length - done);
      copy(source, done, this.#slab(id).bytes, (id & SLAB_MASK) * CHUNK_BYTES + at, bytes);
      done += bytes;
      id = this.#afterRun;
    }
  }

  /** Fills `length` bytes of `target`, from `start` on, from a chain. */
  read(first: number, offset: number, target: Uint8Array, start: number, length: number): void {
    let id = this.#chunkAt(first, offset);
    let at = offset % CHUNK_BYTES;
    for (let done = 0; done < length; at = 0) {
      const bytes = this.#runFrom(id, at, length - done);
      copy(this.#slab(id).bytes, (id & SLAB_MASK) * CHUNK_BYTES + at, target, start + done, bytes);
      done += bytes;
      id = this.#afterRun;
    }
  }

  /** Whether a chain has the first `length` of `bytes` at `offset`. */
  equals(first: number, offset: number, bytes: Uint8Array, length: number): boolean {
    let isEqual = true;
    let id = this.#chunkAt(first, offset);
    let at = offset % CHUNK_BYTES;
    for (let done = 0; done < length && isEqual; at = 0) {
      const run = this.#runFrom(id, at, length - done);
      const slab = this.#slab(id).bytes;
      const start = (id & SLAB_MASK) * CHUNK_BYTES + at;
      for (let i = 0; i < run && isEqual; i++) isEqual = slab[start + i] === bytes[done + i];
      done += run;
      id = this.#afterRun;
    }
    return isEqual;
  }

  /** The chunk of a chain that has a place. */
  #chunkAt(first: number, offset: number): number {
    let id = first;
    for (let left = offset; left >= CHUNK_BYTES; left -= CHUNK_BYTES) id = this.#next(id);
    return id;
  }

  /** How many bytes, `most` at most, lie side by side from a place of a chunk on; the chunk behind them is `#afterRun`. */
  #runFrom(id: number, at: number, most: number): number {
    const { next } = this.#slab(id);
    let last = id;
    let room = CHUNK_BYTES - at;
    let following = next[last & SLAB_MASK] as number;
    while (room < most && following === last + 1 && (following & SLAB_MASK) !== 0) {
      last = following;
      room += CHUNK_BYTES;
      following = next[last & SLAB_MASK] as number;
    }
    this.#afterRun = following;
    return Math.min(room, most);
  }

  #append(last: number, count: number): void {
    let tail = last;
    for (let i = 0; i < count; i++) {
      const id = this.#takeOne();
      this.#setNext(tail, id);
      tail = id;
    }
  }

  #takeOne(): number {
    let id = this.#firstFree;
    if (id === NONE) {
      id = this.#fresh++;
      if (id >>> SLAB_SHIFT === this.#slabs.length) this.#slabs.push(newSlab());
    } else {
      this.#firstFree = this.#next(id);
    }
    this.#used += 1;
    this.#setNext(id, NONE);
    return id;
  }

  #next(id: number): number {
    return this.#slab(id).next[id & SLAB_MASK] as number;
  }

  #setNext(id: number, next: number): void {
    this.#slab(id).next[id & SLAB_MASK] = next;
  }

  #slab(id: number): Slab {
    return this.#slabs[id >>> SLAB_SHIFT] as Slab;
  }
}

/** The system gives memory of this size untouched, and page by page as it is used. */
function newSlab(): Slab {
  const buffer = new ArrayBuffer(SLAB_CHUNKS * CHUNK_BYTES);
  return {
    bytes: new Uint8Array(buffer),
    words: new Int32Array(buffer),
    doubles: new Float64Array(buffer),
    next: new Int32Array(SLAB_CHUNKS),
  };
}

function copy(source: Uint8Array, sourceAt: number, target: Uint8Array, targetAt: number, length: number): void {
  if (length > SHORT_BYTES) {
    target.set(source.subarray(sourceAt, sourceAt + length), targetAt);
    return;
  }
  for (let i = 0; i < length; i++) target[targetAt + i] = source[sourceAt + i] as number;
}
