import { PARTITIONS } from '../core/key.js';

/** What is kept of one delete, with a key of 40 bytes: tombstone, grave and their places. Measured on Redis 7.0. */
const GRAVE_BYTES = 512;
/** What deletes may have of a server's memory: nothing of it can be evicted. */
const MEMORY_SHARE = 1 / 16;
/** 4 GiB of memory in a city: half a million deletes. */
const GRAVES_MAX = 2_048;
const GRAVES_MIN = 16;

/**
 * How many deletes are kept of one partition: what a sixteenth of the servers' memory holds. Beyond it the oldest are
 * given up for the grave floor, which costs spare loads but never brings anything back.
 */
export class GraveBound {
  readonly #limits = new Map<string, number>();
  #most = GRAVES_MAX;

  get most(): number {
    return this.#most;
  }

  /**
   * A server said how much it may hold.
   * @param shards how many there are; each has the same share of the partitions
   */
  learn(address: string, maxBytes: number | undefined, shards: number): void {
    if (maxBytes === undefined) this.#limits.delete(address);
    else this.#limits.set(address, maxBytes);
    const smallest = Math.min(...this.#limits.values());
    const fits = (smallest * Math.max(1, shards) * MEMORY_SHARE) / PARTITIONS / GRAVE_BYTES;
    this.#most = Math.min(GRAVES_MAX, Math.max(GRAVES_MIN, Math.floor(fits)));
  }

  forget(address: string): void {
    this.#limits.delete(address);
  }
}

/** Whether a server evicts what has no TTL as well: tombstones, sequences, floors. */
export function evictsAnything(policy: string | undefined): boolean {
  return policy?.startsWith('allkeys-') === true;
}
