import { BUCKETS } from '../core/key.js';
import type { Member } from './member.js';
import { type Placement, placeBuckets } from './placement.js';

/** Most members that held a bucket before and are still told of what is written to it. */
const PREVIOUS_MAX = 4;

/**
 * Who keeps what, now and until a change has settled: the owners by the placement, and after them those who held the
 * bucket before. Both are written to and read from, until all members say that they have what they are to keep; so
 * whoever still goes by the old owners, and whoever goes by the new ones already, meet in every bucket.
 */
export class Ownership {
  readonly #self: Member;
  #placement: Placement;
  #holders: readonly (readonly Member[])[];
  #isSettled = true;

  constructor(self: Member, replicas: number) {
    this.#self = self;
    this.#placement = placeBuckets([self], replicas);
    this.#holders = this.#placement.owners;
  }

  get epoch(): string {
    return this.#placement.epoch;
  }

  /** Nobody holds a bucket who does not own it. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  ownersOf(bucket: number): readonly Member[] {
    return this.#placement.owners[bucket] ?? [];
  }

  /** The owners, and those who held it before. */
  holdersOf(bucket: number): readonly Member[] {
    return this.#holders[bucket] ?? [];
  }

  /** Whether some hold a bucket who do not own it. */
  isChanging(bucket: number): boolean {
    return !this.#isSettled && this.holdersOf(bucket).length > this.ownersOf(bucket).length;
  }

  /**
   * Places anew.
   * @param members who own from now on
   * @param there everybody who can be asked, by id, those among them who own nothing any more
   * @returns the buckets that this node holds from now on and did not before
   */
  place(members: readonly Member[], replicas: number, there: ReadonlyMap<string, Member>): readonly number[] {
    const before = this.#holders;
    this.#placement = placeBuckets(members, replicas);
    const added: number[] = [];
    this.#isSettled = true;
    this.#holders = this.#placement.owners.map((owners, bucket) => {
      const held = before[bucket] ?? [];
      if (owners.includes(this.#self) && !held.includes(this.#self)) added.push(bucket);
      const previous = held
        .flatMap(({ id }) => there.get(id) ?? [])
        .filter((member) => !owners.some(({ id }) => id === member.id))
        .slice(0, PREVIOUS_MAX);
      if (previous.length === 0) return owners;
      this.#isSettled = false;
      return [...owners, ...previous];
    });
    return added;
  }

  /** Who held a bucket before holds it no more. */
  settle(): void {
    this.#holders = this.#placement.owners;
    this.#isSettled = true;
  }

  /** The buckets that this node holds. */
  held(): number[] {
    const buckets: number[] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      if (this.holdersOf(bucket).includes(this.#self)) buckets.push(bucket);
    }
    return buckets;
  }
}
