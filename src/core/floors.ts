import { compileGlob } from './glob.js';
import { compareHlc, HLC_ZERO, type Hlc, laterHlc } from './hlc.js';
import { partitionOf } from './key.js';
import { PatternIndex } from './pattern-index.js';

/** What a floor is about. `subject` is the tag, the pattern or the partition number; empty for everything. */
export interface Floor {
  readonly scope: 'all' | 'partition' | 'tag' | 'pattern';
  readonly subject: string;
  /** Nothing filled at or before this reading may be served. */
  readonly hlc: Hlc;
}

/** Most floors kept one by one. Beyond it the older half becomes one floor over everything: safe, and bounded. */
export const FLOORS_MAX = 32_768;

/**
 * A floor this much older than one that is raised is not kept any more: it becomes part of one over everything, which
 * covers nothing that was filled later. What was filled so long ago and is still alive has to be filled again.
 */
export const FLOOR_LIFE_MS = 30 * 86_400_000;
/** How much longer the oldest waits, so that many go at once. */
export const FLOOR_OVERTIME_MS = 86_400_000;

/** Everything a floor check needs to know of an entry. */
export interface Filled {
  readonly fillStart: Hlc;
  readonly tags: readonly string[];
}

/**
 * The floors known to this process. Raising one is O(1) whatever the number of entries; they are checked when an
 * entry is about to be served. `epoch` grows with every floor that is raised, so that whoever keeps entries can
 * remember up to where one was checked and compare two numbers on the next hit.
 */
export class Floors {
  readonly #most: number;
  #epoch = 0;
  #all: Hlc = HLC_ZERO;
  /** No floor that is kept one by one is older. */
  #oldestMs = Number.POSITIVE_INFINITY;
  readonly #partitions = new Map<number, Hlc>();
  readonly #tags = new Map<string, Hlc>();
  readonly #patterns = new PatternIndex<Hlc>();

  /** @param most how many are kept one by one */
  constructor(most = FLOORS_MAX) {
    this.#most = most;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get size(): number {
    return this.#partitions.size + this.#tags.size + this.#patterns.size;
  }

  /**
   * Raises a floor; one that is known to be as high already changes nothing.
   * @returns whether it was news
   * @throws CacheError `invalid-pattern` for a malformed pattern
   */
  raise(floor: Floor): boolean {
    if (compareHlc(floor.hlc, this.#known(floor)) <= 0) return false;
    switch (floor.scope) {
      case 'all':
        this.#raiseAll(floor.hlc);
        break;
      case 'partition':
        this.#partitions.set(Number(floor.subject), floor.hlc);
        break;
      case 'tag':
        this.#tags.set(floor.subject, floor.hlc);
        break;
      case 'pattern':
        this.#patterns.set(floor.subject, floor.hlc);
        break;
    }
    if (floor.scope !== 'all') this.#oldestMs = Math.min(this.#oldestMs, floor.hlc.ms);
    this.#epoch += 1;
    if (this.#oldestMs <= floor.hlc.ms - FLOOR_LIFE_MS - FLOOR_OVERTIME_MS) this.#foldOld(floor.hlc.ms - FLOOR_LIFE_MS);
    if (this.size > this.#most) this.#foldHalf();
    return true;
  }

  /** Whether an entry was filled after every floor that covers it. */
  passes(key: string, filled: Filled): boolean {
    const at = filled.fillStart;
    if (compareHlc(at, this.#all) <= 0) return false;
    if (this.#partitions.size > 0) {
      const floor = this.#partitions.get(partitionOf(key));
      if (floor !== undefined && compareHlc(at, floor) <= 0) return false;
    }
    if (this.#tags.size > 0) {
      for (const tag of filled.tags) {
        const floor = this.#tags.get(tag);
        if (floor !== undefined && compareHlc(at, floor) <= 0) return false;
      }
    }
    return !this.#patterns.some(key, (floor) => compareHlc(at, floor) <= 0);
  }

  /** Every floor, for a node that starts and for the level that keeps them. */
  list(): Floor[] {
    const floors: Floor[] = [];
    if (compareHlc(this.#all, HLC_ZERO) > 0) floors.push({ scope: 'all', subject: '', hlc: this.#all });
    for (const [partition, hlc] of this.#partitions) {
      floors.push({ scope: 'partition', subject: String(partition), hlc });
    }
    for (const [tag, hlc] of this.#tags) floors.push({ scope: 'tag', subject: tag, hlc });
    for (const [pattern, hlc] of this.#patterns.entries()) floors.push({ scope: 'pattern', subject: pattern, hlc });
    return floors;
  }

  #known(floor: Floor): Hlc {
    switch (floor.scope) {
      case 'all':
        return this.#all;
      case 'partition':
        return laterHlc(this.#all, this.#partitions.get(Number(floor.subject)) ?? HLC_ZERO);
      case 'tag':
        return laterHlc(this.#all, this.#tags.get(floor.subject) ?? HLC_ZERO);
      case 'pattern':
        return laterHlc(this.#all, this.#patterns.get(floor.subject) ?? HLC_ZERO);
    }
  }

  #raiseAll(hlc: Hlc): void {
    this.#all = hlc;
    for (const [partition, floor] of this.#partitions)
      if (compareHlc(floor, hlc) <= 0) this.#partitions.delete(partition);
    for (const [tag, floor] of this.#tags) if (compareHlc(floor, hlc) <= 0) this.#tags.delete(tag);
    for (const [pattern, floor] of this.#patterns.entries())
      if (compareHlc(floor, hlc) <= 0) this.#patterns.delete(pattern);
    this.#oldestMs = this.#kept().reduce((oldest, { ms }) => Math.min(oldest, ms), Number.POSITIVE_INFINITY);
  }

  /** The readings of those that are kept one by one. */
  #kept(): Hlc[] {
    return this.list().flatMap(({ scope, hlc }) => (scope === 'all' ? [] : [hlc]));
  }

  #foldOld(untilMs: number): void {
    const old = this.#kept().filter(({ ms }) => ms <= untilMs);
    this.#raiseAll(old.reduce(laterHlc, this.#all));
  }

  #foldHalf(): void {
    const inOrder = this.list().sort((a, b) => compareHlc(a.hlc, b.hlc));
    const median = inOrder[inOrder.length >> 1];
    if (median !== undefined) this.#raiseAll(median.hlc);
  }
}

/**
 * Which keys may be concerned by a floor; undefined when that could be any. The tags of what a flight will bring are not
 * known before it ends.
 */
export function concernedBy(floor: Floor): ((key: string) => boolean) | undefined {
  switch (floor.scope) {
    case 'all':
    case 'tag':
      return undefined;
    case 'partition':
      return (key) => partitionOf(key) === Number(floor.subject);
    case 'pattern': {
      const glob = compileGlob(floor.subject);
      return (key) => glob.matches(key);
    }
  }
}
