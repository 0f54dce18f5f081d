import { CacheError } from '../core/errors.js';
import { BUCKETS, hashKey, KEY_BYTES_MAX, utf8Length } from '../core/key.js';
import { ExpiryWheel, SPOKES } from './expiry-wheel.js';
import { SieveQueue } from './sieve-queue.js';
import { CHUNK_BYTES, NONE, SlabChunks } from './slab-chunks.js';
import { SlabLists } from './slab-lists.js';

/**
 * What a chunk takes of the budget: itself, the link to the next one, and its share of the table of hashes, which has at
 * most one place for each two chunks.
 */
const CHUNK_COST_BYTES = CHUNK_BYTES + 4 + 2;

// The head of an entry, in words. After it come the key, in UTF-8, and the bytes.
const HASH = 0;
const CHAINED = 1;
const KEY_BYTES = 2;
const VALUE_BYTES = 3;
/** In doubles. */
const DEAD_AT = 2;
const IN_BUCKET = 6;
const IN_WHEEL = 8;
const IN_QUEUE = 10;
const HEAD_BYTES = 48;
/** Beside the length of the key. */
const USED = 1 << 16;

/** Entries of one place in the table. More only come together on purpose, and then the oldest of them goes. */
const CHAINED_MAX = 64;

/**
 * Encoded entries by key, all of them and all that finds them outside the JavaScript heap: the collector has nothing to
 * look at, however many there are. An entry is a chain of chunks, named by the id of its first: a head, the key, the
 * bytes. The table of hashes is as large as it will ever have to be from the start (the system gives its pages as they are
 * used), so that it never has to be built anew.
 *
 * Ids are valid until the entry is removed.
 */
export class SlabEntries {
  readonly #chunks: SlabChunks;
  readonly #firsts: Int32Array;
  readonly #shift: number;
  readonly #buckets: SlabLists;
  readonly #wheel: ExpiryWheel;
  readonly #queue: SieveQueue;
  readonly #keyBytes = Buffer.alloc(KEY_BYTES_MAX);
  #size = 0;

  constructor(maxBytes: number, wallMs: number) {
    const capacity = Math.floor(maxBytes / CHUNK_COST_BYTES);
    const chunks = new SlabChunks(capacity);
    this.#chunks = chunks;
    // One place for two to four chunks, which is about what an entry takes.
    const bits = Math.max(1, Math.floor(Math.log2(Math.max(2, capacity / 2))));
    this.#firsts = new Int32Array(2 ** bits);
    this.#shift = 32 - bits;
    this.#buckets = new SlabLists(chunks, IN_BUCKET, BUCKETS);
    this.#wheel = new ExpiryWheel(new SlabLists(chunks, IN_WHEEL, SPOKES), (id) => this.deadAtMs(id), wallMs);
    this.#queue = new SieveQueue(new SlabLists(chunks, IN_QUEUE, 1), {
      isUsed: (id) => (chunks.word(id, KEY_BYTES) & USED) !== 0,
      clearUsed: (id) => chunks.setWord(id, KEY_BYTES, chunks.word(id, KEY_BYTES) & ~USED),
    });
  }

  get size(): number {
    return this.#size;
  }

  get sizeBytes(): number {
    return this.#chunks.used * CHUNK_COST_BYTES;
  }

  /**
   * The id of the entry, or `NONE`.
   * @throws CacheError `invalid-key` for a key that `checkKey` refuses for its length
   */
  find(key: string): number {
    const length = this.#encodeKey(key);
    const hash = hashKey(key) | 0;
    const chunks = this.#chunks;
    let id = this.#firsts[this.#placeOf(hash)] as number;
    while (id !== NONE) {
      const isIt =
        chunks.word(id, HASH) === hash &&
        (chunks.word(id, KEY_BYTES) & ~USED) === length &&
        chunks.equals(id, HEAD_BYTES, this.#keyBytes, length);
      if (isIt) return id;
      id = chunks.word(id, CHAINED);
    }
    return NONE;
  }

  /** A copy. Of the first `length` bytes at most. */
  bytesOf(id: number, length = Number.POSITIVE_INFINITY): Uint8Array {
    const bytes = Buffer.allocUnsafe(Math.min(length, this.#chunks.word(id, VALUE_BYTES)));
    this.#chunks.read(id, HEAD_BYTES + this.#keyLength(id), bytes, 0, bytes.length);
    return bytes;
  }

  lengthOf(id: number): number {
    return this.#chunks.word(id, VALUE_BYTES);
  }

  copyTo(id: number, target: Uint8Array, at: number): void {
    this.#chunks.read(id, HEAD_BYTES + this.#keyLength(id), target, at, this.lengthOf(id));
  }

  keyOf(id: number): string {
    const length = this.#keyLength(id);
    this.#chunks.read(id, HEAD_BYTES, this.#keyBytes, 0, length);
    return this.#keyBytes.toString('utf8', 0, length);
  }

  deadAtMs(id: number): number {
    return this.#chunks.double(id, DEAD_AT);
  }

  bucketOf(id: number): number {
    return this.#chunks.word(id, HASH) & (BUCKETS - 1);
  }

  markUsed(id: number): void {
    this.#chunks.setWord(id, KEY_BYTES, this.#chunks.word(id, KEY_BYTES) | USED);
  }

  /** All of a bucket. */
  inBucket(bucket: number): number[] {
    const ids: number[] = [];
    for (let id = this.#buckets.first(bucket); id !== NONE; id = this.#buckets.after(bucket, id)) ids.push(id);
    return ids;
  }

  /** Chunks that are not in use. */
  get free(): number {
    return this.#chunks.capacity - this.#chunks.used;
  }

  /** How many chunks more it takes to keep `bytes` in place of what there is under `id`, or anew if that is `NONE`. */
  growth(key: string, bytes: Uint8Array, id: number): number {
    const needed = chunksOf(utf8Length(key) + bytes.length);
    return id === NONE ? needed : needed - chunksOf(this.#keyLength(id) + this.#chunks.word(id, VALUE_BYTES));
  }

  /** Keeps a copy of `bytes` under a key that is not there. Call it with room for them. */
  add(key: string, bytes: Uint8Array, deadAtMs: number): void {
    const chunks = this.#chunks;
    const length = this.#encodeKey(key);
    const hash = hashKey(key) | 0;
    const id = chunks.take(chunksOf(length + bytes.length));
    chunks.setWord(id, HASH, hash);
    chunks.setWord(id, KEY_BYTES, length);
    chunks.setWord(id, VALUE_BYTES, bytes.length);
    chunks.setDouble(id, DEAD_AT, deadAtMs);
    chunks.write(id, HEAD_BYTES, this.#keyBytes, length);
    chunks.write(id, HEAD_BYTES + length, bytes, bytes.length);
    const place = this.#placeOf(hash);
    chunks.setWord(id, CHAINED, this.#firsts[place] as number);
    this.#firsts[place] = id;
    this.#buckets.add(this.bucketOf(id), id);
    this.#wheel.add(id);
    this.#queue.add(id);
    this.#size += 1;
  }

  /** Keeps a copy of `bytes` in place of what there is. Call it with room for them. */
  replace(id: number, bytes: Uint8Array, deadAtMs: number): void {
    const chunks = this.#chunks;
    const length = this.#keyLength(id);
    this.#wheel.remove(id);
    chunks.resize(id, chunksOf(length + bytes.length));
    chunks.setWord(id, VALUE_BYTES, bytes.length);
    chunks.setDouble(id, DEAD_AT, deadAtMs);
    chunks.write(id, HEAD_BYTES + length, bytes, bytes.length);
    this.#wheel.add(id);
  }

  remove(id: number): void {
    const chunks = this.#chunks;
    const place = this.#placeOf(chunks.word(id, HASH));
    const following = chunks.word(id, CHAINED);
    if (this.#firsts[place] === id) {
      this.#firsts[place] = following;
    } else {
      let before = this.#firsts[place] as number;
      while (chunks.word(before, CHAINED) !== id) before = chunks.word(before, CHAINED);
      chunks.setWord(before, CHAINED, following);
    }
    this.#buckets.remove(this.bucketOf(id), id);
    this.#wheel.remove(id);
    this.#queue.remove(id);
    chunks.release(id);
    this.#size -= 1;
  }

  /** One that is dead, found in at most `looks` looks, or `NONE`. */
  dead(wallMs: number, looks: number): number {
    return this.#wheel.find(wallMs, looks);
  }

  /** The one that is least worth keeping, other than `kept`. */
  victim(kept: number): number {
    return this.#queue.victim(kept);
  }

  /** The oldest of those at the place of `key`, when they are too many to look through; else `NONE`. */
  crowdedOut(key: string): number {
    let id = this.#firsts[this.#placeOf(hashKey(key) | 0)] as number;
    if (id === NONE) return NONE;
    let count = 1;
    for (let next = this.#chunks.word(id, CHAINED); next !== NONE; next = this.#chunks.word(id, CHAINED)) {
      id = next;
      count += 1;
    }
    return count >= CHAINED_MAX ? id : NONE;
  }

  #keyLength(id: number): number {
    return this.#chunks.word(id, KEY_BYTES) & ~USED;
  }

  /** Spread anew (Knuth's multiplicative hashing): a node has only the keys of its buckets, which share the low bits. */
  #placeOf(hash: number): number {
    return Math.imul(hash, 0x9e3779b1) >>> this.#shift;
  }

  /** @returns how long it is, in `#keyBytes` */
  #encodeKey(key: string): number {
    const { length } = key;
    const bytes = this.#keyBytes;
    if (length <= KEY_BYTES_MAX) {
      let i = 0;
      for (; i < length; i++) {
        const unit = key.charCodeAt(i);
        if (unit >= 0x80) break;
        bytes[i] = unit;
      }
      if (i === length) return length;
    }
    const needed = utf8Length(key);
    if (needed > KEY_BYTES_MAX) {
      throw new CacheError('invalid-key', `a key of ${needed} bytes: at most ${KEY_BYTES_MAX} are allowed`, {
        field: 'key',
      });
    }
    return bytes.write(key, 0, 'utf8');
  }
}

/** What one entry takes of the budget. */
export function costBytes(key: string, bytes: Uint8Array): number {
  return chunksOf(utf8Length(key) + bytes.length) * CHUNK_COST_BYTES;
}

function chunksOf(contentBytes: number): number {
  return Math.ceil((HEAD_BYTES + contentBytes) / CHUNK_BYTES);
}
