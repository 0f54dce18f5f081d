import { BUCKETS } from '../core/key.js';

/**
 * Buckets of which this node may have missed writes: it was given them a moment ago, or was taken for dead. What it has
 * of them is not to be believed alone, until it has been compared with what the others have.
 */
export class Doubts {
  readonly #doubted = new Uint8Array(BUCKETS);
  /** How often a bucket was doubted: what was compared before counts for nothing when it is doubted again. */
  readonly #times = new Uint32Array(BUCKETS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(bucket: number): boolean {
    return this.#size > 0 && this.#doubted[bucket] === 1;
  }

  add(bucket: number): void {
    this.#times[bucket] = (this.#times[bucket] as number) + 1;
    if (this.#doubted[bucket] === 1) return;
    this.#doubted[bucket] = 1;
    this.#size += 1;
  }

  /** Changes whenever the bucket is doubted anew. */
  timesOf(bucket: number): number {
    return this.#times[bucket] as number;
  }

  clear(bucket: number): void {
    if (this.#doubted[bucket] !== 1) return;
    this.#doubted[bucket] = 0;
    this.#size -= 1;
  }

  list(): number[] {
    if (this.#size === 0) return [];
    return Array.from(this.#doubted.keys()).filter((bucket) => this.#doubted[bucket] === 1);
  }
}
