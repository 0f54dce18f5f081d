import { compareHlc, HLC_ZERO, type Hlc, laterHlc } from '../core/hlc.js';
import { BUCKETS } from '../core/key.js';

/**
 * What is remembered of entries that are not kept any more: per bucket the latest fence and the latest fill start
 * among them. So that what was deleted does not come back, nor what is older than a newer entry, only because the
 * store had no room for the knowledge:
 *
 *   1. a fill asks the source and is delayed
 *   2. the key is deleted, or set anew; the store keeps the tombstone, or the new entry
 *   3. the store is full, and evicts it
 *   4. the delayed fill arrives, finds nothing newer, and would be served
 *
 * The price of one mark for a whole bucket is that a write to another key of it which was issued before the mark, and
 * arrives after the eviction, is refused as well: a miss later, never a wrong answer.
 */
export class EvictedMarks {
  readonly #fences = new Array<Hlc>(BUCKETS).fill(HLC_ZERO);
  readonly #fillStarts = new Array<Hlc>(BUCKETS).fill(HLC_ZERO);

  noteFence(bucket: number, fence: Hlc): void {
    this.#fences[bucket] = laterHlc(this.fence(bucket), fence);
  }

  noteFillStart(bucket: number, fillStart: Hlc): void {
    this.#fillStarts[bucket] = laterHlc(this.fillStart(bucket), fillStart);
  }

  /** Another node knows what is to be known of the bucket. */
  forget(bucket: number): void {
    this.#fences[bucket] = HLC_ZERO;
    this.#fillStarts[bucket] = HLC_ZERO;
  }

  /** The latest delete that a key of the bucket, which is not here, may have seen. */
  fence(bucket: number): Hlc {
    return this.#fences[bucket] ?? HLC_ZERO;
  }

  /** No key of the bucket, which is not here, was filled or set later than this. */
  fillStart(bucket: number): Hlc {
    const fillStart = this.#fillStarts[bucket] ?? HLC_ZERO;
    const fence = this.fence(bucket);
    return compareHlc(fence, fillStart) > 0 ? fence : fillStart;
  }
}
