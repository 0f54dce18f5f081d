import type { EvictionPolicy } from './eviction.js';
import { FREQUENCY_MAX, FrequencySketch } from './frequency-sketch.js';

/** How much of the room is the window's, and what the rest takes from it. */
export interface Tuning {
  /** Share of the window, 0 to 1. With 1 the policy is LRU. */
  readonly window: number;
  /** A candidate asked for this often is taken even if the victim was asked for more often. */
  readonly welcome: number;
  /** Share of the candidates asked for this often that is taken: an old favourite must not keep its place for ever. */
  readonly welcomeShare: number;
}

const WINDOW = 0;
const PROBATION = 1;
const PROTECTED = 2;
/** Of those that others ask for often. */
const FAVORED = 3;
const LISTS = 4;

/** Of what is not the window's, the share of what was read there again. */
const PROTECTED_SHARE = 0.8;
/** Of all, the share that is kept for what others ask for often. The rest is left to those who are read here. */
const FAVORED_SHARE = 0.1;
/** Frequencies are halved each time that there were so many uses per entry. */
const USES_PER_AGE = 10;
/** What is among the latest so-manieth of its list is not moved to its front: it is there, and moving costs. */
const LATEST_SHARE = 8;
/** Most entries that change lists after one use: the rest follows with the next ones. */
const MOVES_MAX = 4;
/** Most victims that one candidate is weighed against. */
const RIVALS_MAX = 16;
/** How long what may be worth more than it counts has to wait. */
const PATIENCE = 4;
/** What is so many times heavier than others, and too heavy for the window, has to be worth it before it comes in. */
const OVERWEIGHT = 8;

/** What is provided for at once: such arrays take no memory before they are written to, and need not be copied. */
const BEGUN_SLOTS_MAX = 1 << 20;

/** A row per slot, side by side since they are used together: previous, next, hash of the key, weight. */
const ROW = 4;
const NEXT = 1;
const HASH = 2;
const WEIGHT = 3;

/**
 * A state per slot, all that nearly every hit looks at: frequency in the low bits, then the list, then a mark for the
 * caller, then when it was moved. That counts up to 16 million moves and begins anew: who was not moved for so long may
 * pass for one of the latest, at one hit in a thousand.
 */
const LIST_SHIFT = 4;
const LIST_MASK = 3;
const MARKED = 64;
const MOVED_SHIFT = 8;
const MOVED_MASK = 0xff_ffff;

/**
 * W-TinyLFU with the parameters given (Einziger, Eytan, Friedman, Manes, "Adaptive Software Cache Management",
 * Middleware 2018). New entries live in a window, in order of use. What the window has no room for is a candidate for
 * the main part; it is taken there if it was asked for more often than whom it would displace, and evicted otherwise.
 * The main part is a segmented LRU: who is read there is protected from those who never were.
 *
 * Differences, each measured with traces:
 * - Those who are here are counted exactly, in four bits each, and poured into the sketch when they go. A hit then costs
 *   one word and no look at the sketch, and the estimates are better.
 * - Entries have weights. A candidate is weighed against as many victims as have its weight together ("Lightweight Robust
 *   Size Aware Cache Management", ACM TOS 2022: aggregated victims).
 * - What others ask for often (`favor`) is in a list of its own, as far as a share of the room goes: no tuning and no flood
 *   of other keys displaces it. What is beyond that share is the window's again.
 * - A candidate that was asked for a few times may be welcome whatever the victim's frequency (`Tuning`): where favourites
 *   change that is better by 5 points and more.
 */
export class WindowTinyLfu implements EvictionPolicy {
  #tuning: Tuning;
  /** Of a xorshift generator: who is welcome must not be foreseen by those who would flood the cache. */
  #chance: number;
  #rows: Int32Array;
  #states: Uint32Array;
  /** First and last of each list, -1 for none. First is the least recently used. */
  readonly #first = new Int32Array(LISTS).fill(-1);
  readonly #last = new Int32Array(LISTS).fill(-1);
  readonly #counts = new Int32Array(LISTS);
  readonly #listWeights = new Float64Array(LISTS);
  #entries = 0;
  #weight = 0;
  #end = 0;
  #moves = 0;
  #uses = 0;
  readonly #sketch: FrequencySketch;

  /**
   * @param seed any number: of who is welcome
   * @param slots how many there will be, about
   */
  constructor(tuning: Tuning, seed: number, slots: number) {
    this.#tuning = tuning;
    this.#chance = (seed | 0) === 0 ? 1 : seed | 0;
    const begun = Math.min(slots, BEGUN_SLOTS_MAX);
    this.#rows = new Int32Array(begun * ROW);
    this.#states = new Uint32Array(begun);
    this.#sketch = new FrequencySketch(slots);
  }

  get entries(): number {
    return this.#entries;
  }

  /** Of all entries. */
  get weight(): number {
    return this.#weight;
  }

  get tuning(): Tuning {
    return this.#tuning;
  }

  set tuning(tuning: Tuning) {
    this.#tuning = tuning;
  }

  admits(keyHash: number, weight: number, hot = false): boolean {
    if (!this.#isOverweight(weight) || (hot && weight <= FAVORED_SHARE * this.#weight)) return true;
    const frequency = Math.min(this.#sketch.frequency(keyHash) + 1, FREQUENCY_MAX);
    if (this.#isWorth(frequency, weight)) return true;
    this.#count();
    this.#sketch.raise(keyHash, frequency);
    return false;
  }

  onInsert(slot: number, keyHash: number, weight: number): void {
    if (slot >= this.#states.length) this.#grow(slot);
    if (slot >= this.#end) this.#end = slot + 1;
    this.#count();
    this.#shrinkWindow();
    const known = this.#sketch.frequency(keyHash);
    this.#rows[slot * ROW + HASH] = keyHash;
    this.#rows[slot * ROW + WEIGHT] = weight;
    this.#states[slot] = known < FREQUENCY_MAX ? known + 1 : known;
    this.#entries += 1;
    this.#weight += weight;
    if (this.#entries > this.#sketch.entries) this.#sketch.grow();
    this.#append(slot, this.#isOverweight(weight) ? PROBATION : WINDOW);
  }

  onHit(slot: number): void {
    this.hit(slot);
  }

  /** As `onHit`. @returns whether the slot is marked */
  hit(slot: number): boolean {
    let state = this.#states[slot] as number;
    if ((state & FREQUENCY_MAX) < FREQUENCY_MAX) this.#states[slot] = ++state;
    this.#count();
    const list = (state >> LIST_SHIFT) & LIST_MASK;
    // Nearly all hits end here: what is asked for often is among the latest of its list.
    const age = (this.#moves - (state >>> MOVED_SHIFT)) & MOVED_MASK;
    if (list === PROBATION) this.#protect(slot);
    else if (age * LATEST_SHARE >= (this.#counts[list] as number)) {
      this.#unlink(slot, list);
      this.#append(slot, list);
    }
    return (state & MARKED) !== 0;
  }

  favor(slot: number): void {
    this.#unlink(slot, this.#listOf(slot));
    this.#append(slot, FAVORED);
  }

  onResize(slot: number, weight: number): void {
    const more = weight - this.weightOf(slot);
    if (more === 0) return;
    this.#rows[slot * ROW + WEIGHT] = weight;
    this.#weight += more;
    const list = this.#listOf(slot);
    this.#listWeights[list] = (this.#listWeights[list] as number) + more;
  }

  onRemove(slot: number): void {
    this.#unlink(slot, this.#listOf(slot));
    this.#sketch.raise(this.#rows[slot * ROW + HASH] as number, this.#frequencyOf(slot));
    this.#entries -= 1;
    this.#weight -= this.weightOf(slot);
    this.#states[slot] = 0;
  }

  victim(): number {
    this.#shrinkFavored();
    const candidate = this.#first[WINDOW] as number;
    const rival = this.#firstOfMain();
    if (rival < 0) return candidate;
    if (candidate < 0 || (this.#listWeights[WINDOW] as number) < this.#tuning.window * this.#weight) return rival;
    if (!this.#isWorth(this.#frequencyOf(candidate), this.weightOf(candidate))) return candidate;
    this.#unlink(candidate, WINDOW);
    this.#append(candidate, PROBATION);
    return rival;
  }

  clear(): void {
    this.#first.fill(-1);
    this.#last.fill(-1);
    this.#counts.fill(0);
    this.#listWeights.fill(0);
    this.#states.fill(0, 0, this.#end);
    this.#sketch.clear();
    this.#entries = 0;
    this.#weight = 0;
    this.#end = 0;
    this.#uses = 0;
  }

  hashOf(slot: number): number {
    return this.#rows[slot * ROW + HASH] as number;
  }

  weightOf(slot: number): number {
    // As it was given, up to 32 bits, though the row has signs.
    return (this.#rows[slot * ROW + WEIGHT] as number) >>> 0;
  }

  /** Marks a slot until its entry is gone. */
  mark(slot: number, isMarked: boolean): void {
    const state = this.#states[slot] as number;
    this.#states[slot] = isMarked ? state | MARKED : state & ~MARKED;
  }

  /** Visits all slots, the least useful first. */
  forEach(visit: (slot: number) => void): void {
    for (const list of [PROBATION, WINDOW, PROTECTED, FAVORED]) {
      for (let slot = this.#first[list] as number; slot >= 0; slot = this.#rows[slot * ROW + NEXT] as number) {
        visit(slot);
      }
    }
  }

  #firstOfMain(): number {
    const first = this.#first[PROBATION] as number;
    return first >= 0 ? first : (this.#first[PROTECTED] as number);
  }

  #isOverweight(weight: number): boolean {
    return weight > this.#tuning.window * this.#weight && weight * this.#entries > OVERWEIGHT * this.#weight;
  }

  /** Whether the main part takes a candidate in the place of those at its end. */
  #isWorth(frequency: number, weight: number): boolean {
    let rival = this.#firstOfMain();
    let rivals = 0;
    let theirFrequency = 0;
    let theirWeight = 0;
    while (rival >= 0 && theirWeight < weight && rivals < RIVALS_MAX) {
      theirFrequency += this.#frequencyOf(rival);
      theirWeight += this.weightOf(rival);
      rivals += 1;
      const next = this.#rows[rival * ROW + NEXT] as number;
      rival = next < 0 && this.#listOf(rival) === PROBATION ? (this.#first[PROTECTED] as number) : next;
    }
    // Of the last, or of those behind it, only a part has to go for this one.
    theirFrequency *= weight / theirWeight;
    if (frequency > theirFrequency) return true;
    // It may have been asked for more often than can be counted: then it will soon have luck. To be wrong costs as many
    // loads as it displaces entries, so the luckier it must be.
    if (frequency === FREQUENCY_MAX && rivals > 1) return this.#draw() * theirFrequency * PATIENCE < 1;
    const { welcome, welcomeShare } = this.#tuning;
    return frequency >= welcome * rivals && (welcomeShare === 1 || this.#draw() < welcomeShare);
  }

  #protect(slot: number): void {
    this.#unlink(slot, PROBATION);
    this.#append(slot, PROTECTED);
    const others = (this.#listWeights[WINDOW] as number) + (this.#listWeights[FAVORED] as number);
    const most = (this.#weight - others) * PROTECTED_SHARE;
    for (let moves = 0; moves < MOVES_MAX && (this.#listWeights[PROTECTED] as number) > most; moves++) {
      const first = this.#first[PROTECTED] as number;
      if (first === slot) return;
      this.#unlink(first, PROTECTED);
      this.#append(first, PROBATION);
    }
  }

  /** What the window has no room for, though there is room elsewhere, goes there. */
  #shrinkWindow(): void {
    const most = this.#tuning.window * this.#weight;
    for (let moves = 0; moves < MOVES_MAX && (this.#listWeights[WINDOW] as number) > most; moves++) {
      const first = this.#first[WINDOW] as number;
      this.#unlink(first, WINDOW);
      this.#append(first, PROBATION);
    }
  }

  /** Only when something has to go: until then all of them are here, and their share of the room is not known. */
  #shrinkFavored(): void {
    const most = FAVORED_SHARE * this.#weight;
    for (let moves = 0; moves < MOVES_MAX && (this.#listWeights[FAVORED] as number) > most; moves++) {
      const first = this.#first[FAVORED] as number;
      this.#unlink(first, FAVORED);
      this.#append(first, WINDOW);
    }
  }

  #count(): void {
    this.#uses += 1;
    if (this.#uses <= this.#entries * USES_PER_AGE) return;
    this.#uses = 0;
    this.#sketch.age();
    for (let slot = 0; slot < this.#end; slot++) {
      const state = this.#states[slot] as number;
      this.#states[slot] = ((state & FREQUENCY_MAX) >>> 1) | (state & ~FREQUENCY_MAX);
    }
  }

  #frequencyOf(slot: number): number {
    return (this.#states[slot] as number) & FREQUENCY_MAX;
  }

  #listOf(slot: number): number {
    return ((this.#states[slot] as number) >> LIST_SHIFT) & LIST_MASK;
  }

  #append(slot: number, list: number): void {
    const rows = this.#rows;
    const row = slot * ROW;
    const last = this.#last[list] as number;
    rows[row] = last;
    rows[row + NEXT] = -1;
    if (last < 0) this.#first[list] = slot;
    else rows[last * ROW + NEXT] = slot;
    this.#last[list] = slot;
    this.#counts[list] = (this.#counts[list] as number) + 1;
    this.#listWeights[list] = (this.#listWeights[list] as number) + this.weightOf(slot);
    this.#moves = (this.#moves + 1) & MOVED_MASK;
    const kept = (this.#states[slot] as number) & (FREQUENCY_MAX | MARKED);
    this.#states[slot] = kept | (list << LIST_SHIFT) | (this.#moves << MOVED_SHIFT);
  }

  #unlink(slot: number, list: number): void {
    const rows = this.#rows;
    const previous = rows[slot * ROW] as number;
    const next = rows[slot * ROW + NEXT] as number;
    if (previous < 0) this.#first[list] = next;
    else rows[previous * ROW + NEXT] = next;
    if (next < 0) this.#last[list] = previous;
    else rows[next * ROW] = previous;
    this.#counts[list] = (this.#counts[list] as number) - 1;
    this.#listWeights[list] = (this.#listWeights[list] as number) - this.weightOf(slot);
  }

  /** Uniform in [0, 1) (Marsaglia, "Xorshift RNGs", 2003). */
  #draw(): number {
    let x = this.#chance;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#chance = x;
    return (x >>> 0) / 0x1_0000_0000;
  }

  #grow(slot: number): void {
    const slots = Math.max(this.#states.length * 2, slot + 1);
    const rows = new Int32Array(slots * ROW);
    rows.set(this.#rows);
    this.#rows = rows;
    const states = new Uint32Array(slots);
    states.set(this.#states);
    this.#states = states;
  }
}
