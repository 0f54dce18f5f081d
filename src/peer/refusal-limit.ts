/** What a node that has just started with a mistake in its configuration, or a person who tries, does not reach. */
const BURST = 100;
const PER_SECOND = 20;
/** Addresses that are counted at a time; the one that was refused longest ago makes room. */
const ADDRESSES_MAX = 1_024;

interface Bucket {
  tokens: number;
  atMs: number;
}

/**
 * How often an address may be refused: a token bucket for each. Only refusals count, and only they are limited: a
 * request that is signed as it should be never waits for what others behind its address do.
 */
export class RefusalLimit {
  readonly #buckets = new Map<string, Bucket>();

  /** Notes a refusal. @param nowMs monotonic @returns whether the address may still be told why */
  take(address: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(address) ?? { tokens: BURST, atMs: nowMs };
    this.#buckets.delete(address);
    if (this.#buckets.size >= ADDRESSES_MAX) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    this.#buckets.set(address, bucket);
    bucket.tokens = Math.min(BURST, bucket.tokens + ((nowMs - bucket.atMs) * PER_SECOND) / 1_000);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
