import type { EvictionPolicy } from './eviction.js';
import { Miniature } from './miniature.js';
import { type Tuning, WindowTinyLfu } from './window-tiny-lfu.js';

/** From frequency to recency. The last one is LRU. */
const TUNINGS: readonly Tuning[] = [
  { window: 0.01, welcome: 3, welcomeShare: 1 / 64 },
  { window: 0.05, welcome: 3, welcomeShare: 1 },
  { window: 0.2, welcome: 3, welcomeShare: 1 },
  { window: 0.5, welcome: 3, welcomeShare: 1 },
  { window: 1, welcome: 0, welcomeShare: 1 },
];
const LRU = TUNINGS.length - 1;

/** A miniature has no fewer entries than this, unless the cache has. */
const MINIATURE_ENTRIES = 512;
/** The miniatures are compared each time that there were so many uses per entry of theirs... */
const USES_PER_LOOK = 0.1;
const LOOK_USES_LEAST = 25;
/** ...and what they did before counts a little less. */
const MEMORY = 0.995;
/** By how much another tuning must have been better: share of the uses, and standard deviations. */
const LEAD_LEAST = 0.002;
const LEAD_DEVIATIONS = 0.25;
/** When the number of entries has changed by this factor, the miniatures are not like the cache any more. */
const POPULATION_CHANGE = 2;

/**
 * W-TinyLFU that finds its tuning by itself. No fixed one holds: with a window of 1 % it is the best there is on scans
 * and loops, and finds 2 % where LRU finds 33 %. Climbing towards more hits, as Caffeine does, needs dozens of samples
 * of ten cache sizes each, and its samples say more of the workload than of the window.
 *
 * So the tunings are tried beside each other, on the same uses: each runs a miniature of the cache (Waldspurger,
 * Saemundson, Ahmad, Park, "Cache Modeling and Optimization using Miniature Simulations", USENIX ATC 2017), which sees
 * only keys whose hashes fall into a sample, so a cache of a million entries pays for one use in a thousand. The
 * tuning whose miniature has found most takes over when its lead is more than noise. Nothing moves then: the window
 * fills or empties with the uses that follow.
 *
 * It begins as LRU, and with nothing at all until there is no room left for the first time.
 */
export class AdaptiveEviction implements EvictionPolicy {
  readonly #seed: number;
  readonly #policy: WindowTinyLfu;
  #tuning = LRU;
  #miniatures: readonly Miniature[] = [];
  /** Hashes whose upper bits are all 0 are in the sample; 32 means every hash. */
  #sampleShift = 32;
  /** How many entries there were when the miniatures were made. */
  #population = 0;
  readonly #found = new Float64Array(TUNINGS.length);
  #lookedAt = 0;
  #uses = 0;
  #usesPerLook = 0;

  /**
   * @param seed any number that those who choose the keys do not know: it keeps them from planning what is evicted
   * @param slots how many there will be, about
   */
  constructor(seed: number, slots: number) {
    this.#seed = seed | 0;
    this.#policy = new WindowTinyLfu(TUNINGS[LRU] as Tuning, seed, slots);
  }

  admits(keyHash: number, weight: number, hot = false): boolean {
    const hash = this.#mix(keyHash);
    if (this.#policy.admits(hash, weight, hot)) return true;
    if (this.#isSampled(hash)) this.#use(hash, weight);
    return false;
  }

  onInsert(slot: number, keyHash: number, weight: number): void {
    const hash = this.#mix(keyHash);
    this.#policy.onInsert(slot, hash, weight);
    if (!this.#isSampled(hash)) return;
    this.#policy.mark(slot, true);
    this.#use(hash, weight);
  }

  onHit(slot: number): void {
    if (this.#policy.hit(slot)) this.#use(this.#policy.hashOf(slot), this.#policy.weightOf(slot));
  }

  /** Is no use: what the reads here would find without it is what the miniatures are to say. */
  favor(slot: number): void {
    this.#policy.favor(slot);
  }

  onResize(slot: number, weight: number): void {
    this.#policy.onResize(slot, weight);
  }

  onRemove(slot: number): void {
    this.#policy.onRemove(slot);
  }

  victim(): number {
    const { entries } = this.#policy;
    const isOther = entries > this.#population * POPULATION_CHANGE || entries * POPULATION_CHANGE < this.#population;
    if (isOther && entries > 0) this.#makeMiniatures();
    return this.#policy.victim();
  }

  clear(): void {
    this.#policy.clear();
    this.#miniatures = [];
    this.#population = 0;
    this.#sampleShift = 32;
  }

  /** Which keys are sampled, and which share counters, is not to be known outside. */
  #mix(keyHash: number): number {
    const mixed = Math.imul(keyHash ^ this.#seed, 0x9e3779b1);
    return mixed ^ (mixed >>> 15);
  }

  #isSampled(hash: number): boolean {
    return this.#miniatures.length > 0 && (this.#sampleShift === 32 || hash >>> this.#sampleShift === 0);
  }

  /** Miniatures of the cache as it is now, with those of its entries that are in the sample. */
  #makeMiniatures(): void {
    const { entries, weight } = this.#policy;
    this.#population = entries;
    let halvings = 0;
    while (entries >>> (halvings + 1) >= MINIATURE_ENTRIES) halvings += 1;
    this.#sampleShift = 32 - halvings;
    const share = 2 ** -halvings;
    const size = Math.ceil(entries * share);
    this.#miniatures = TUNINGS.map((tuning, i) => new Miniature(tuning, weight * share, size, this.#seed + i));
    this.#policy.forEach((slot) => {
      const hash = this.#policy.hashOf(slot);
      const isSampled = this.#isSampled(hash);
      this.#policy.mark(slot, isSampled);
      if (isSampled) for (const miniature of this.#miniatures) miniature.use(hash, this.#policy.weightOf(slot));
    });
    for (const miniature of this.#miniatures) miniature.takeHits();
    this.#found.fill(0);
    this.#lookedAt = 0;
    this.#uses = 0;
    this.#usesPerLook = Math.max(LOOK_USES_LEAST, Math.round(size * USES_PER_LOOK));
  }

  #use(hash: number, weight: number): void {
    for (const miniature of this.#miniatures) miniature.use(hash, weight);
    this.#uses += 1;
    if (this.#uses >= this.#usesPerLook) this.#look();
  }

  /** Takes the tuning that has found most, if it is better by more than chance. */
  #look(): void {
    this.#lookedAt = this.#lookedAt * MEMORY + this.#uses;
    this.#uses = 0;
    let best = 0;
    this.#miniatures.forEach((miniature, i) => {
      this.#found[i] = (this.#found[i] as number) * MEMORY + miniature.takeHits();
      if ((this.#found[i] as number) > (this.#found[best] as number)) best = i;
    });
    const lead = (this.#found[best] as number) - (this.#found[this.#tuning] as number);
    const least = Math.max(LEAD_LEAST * this.#lookedAt, LEAD_DEVIATIONS * Math.sqrt(this.#lookedAt));
    if (lead <= least) return;
    this.#tuning = best;
    this.#policy.tuning = TUNINGS[best] as Tuning;
  }
}
