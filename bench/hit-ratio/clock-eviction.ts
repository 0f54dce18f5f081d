const EMPTY = 0;
const IN_USE = 1;
const REFERENCED = 2;

/**
 * CLOCK, the second-chance policy (Corbató, "A Paging Experiment with the Multics System", 1968), which ours was before: a
 * hand goes round the slots; an entry that was read since it last came by is spared once, the first that was not is the
 * victim.
 */
export class ClockEviction {
  #states = new Uint8Array(1_024);
  /** One behind the highest slot ever used. */
  #end = 0;
  #hand = 0;

  onInsert(slot: number): void {
    if (slot >= this.#states.length) this.#grow(slot);
    if (slot >= this.#end) this.#end = slot + 1;
    this.#states[slot] = IN_USE;
  }

  onHit(slot: number): void {
    this.#states[slot] = REFERENCED;
  }

  onRemove(slot: number): void {
    this.#states[slot] = EMPTY;
  }

  victim(): number {
    // The first round may have to take every second chance; then the second one finds a victim.
    for (let step = 0; step < 2 * this.#end; step++) {
      const slot = this.#hand;
      this.#hand = slot + 1 < this.#end ? slot + 1 : 0;
      if (this.#states[slot] === IN_USE) return slot;
      if (this.#states[slot] === REFERENCED) this.#states[slot] = IN_USE;
    }
    return -1;
  }

  clear(): void {
    this.#states.fill(EMPTY);
    this.#end = 0;
    this.#hand = 0;
  }

  #grow(slot: number): void {
    const states = new Uint8Array(Math.max(this.#states.length * 2, slot + 1));
    states.set(this.#states);
    this.#states = states;
  }
}
