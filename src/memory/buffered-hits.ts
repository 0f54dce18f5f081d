import type { EvictionPolicy } from './eviction.js';

/** How many hits are told at a time. */
const HITS = 64;

/**
 * Tells a policy of hits some dozens at a time, as Caffeine does. What a policy keeps of a slot lies far from what the
 * hit has just looked at: told one by one, each hit waits for it. Of many in a row the processor fetches several at
 * once. The policy hears the same in the same order: whatever else it is told or asked, it is told the hits first.
 */
export class BufferedHits implements EvictionPolicy {
  readonly #policy: EvictionPolicy;
  readonly #slots = new Int32Array(HITS);
  #count = 0;

  constructor(policy: EvictionPolicy) {
    this.#policy = policy;
  }

  admits(keyHash: number, weight: number): boolean {
    this.#tell();
    return this.#policy.admits(keyHash, weight);
  }

  onInsert(slot: number, keyHash: number, weight: number): void {
    this.#tell();
    this.#policy.onInsert(slot, keyHash, weight);
  }

  onHit(slot: number): void {
    this.#slots[this.#count++] = slot;
    if (this.#count === HITS) this.#tell();
  }

  onResize(slot: number, weight: number): void {
    this.#tell();
    this.#policy.onResize(slot, weight);
  }

  onRemove(slot: number): void {
    this.#tell();
    this.#policy.onRemove(slot);
  }

  victim(): number {
    this.#tell();
    return this.#policy.victim();
  }

  clear(): void {
    this.#count = 0;
    this.#policy.clear();
  }

  #tell(): void {
    for (let i = 0; i < this.#count; i++) this.#policy.onHit(this.#slots[i] as number);
    this.#count = 0;
  }
}
