import type { VehicleId } from './domain.js';

/** Rounds for which a thing counts as still asked for after it was asked for last. */
const ROUNDS_KEPT = 5;

interface Wanted {
  roundsLeft: number;
  /** How often since it was taken note of last. */
  asked: number;
  /** Monotonic ms before which it need not be looked at. */
  lookAtMs: number;
}

/**
 * Which vehicles one kind of thing is asked for. Noting costs one look-up and reads no clock, for it happens at every
 * read. When it is full, what is new has to wait until a round has let go of what nobody asks for any more.
 */
export class Demand {
  readonly #max: number;
  readonly #wanted = new Map<VehicleId, Wanted>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#wanted.size;
  }

  note(id: VehicleId): void {
    const known = this.#wanted.get(id);
    if (known !== undefined) {
      known.roundsLeft = ROUNDS_KEPT;
      known.asked += 1;
    } else if (this.#wanted.size < this.#max) {
      this.#wanted.set(id, { roundsLeft: ROUNDS_KEPT, asked: 1, lookAtMs: 0 });
    }
  }

  /** What was asked for since the last time, and how often. */
  *takeAsked(): Iterable<readonly [id: VehicleId, times: number]> {
    for (const [id, wanted] of this.#wanted) {
      if (wanted.asked > 0) yield [id, wanted.asked];
      wanted.asked = 0;
    }
  }

  /** Begins a round: lets go of what is no longer asked for, and says what is to be looked at. */
  due(nowMs: number): VehicleId[] {
    const due: VehicleId[] = [];
    for (const [id, wanted] of this.#wanted) {
      if (wanted.roundsLeft === 0) {
        this.#wanted.delete(id);
        continue;
      }
      wanted.roundsLeft -= 1;
      if (wanted.lookAtMs <= nowMs) due.push(id);
    }
    return due;
  }

  /** There is nothing to do for it before `atMs`. */
  postpone(id: VehicleId, atMs: number): void {
    const wanted = this.#wanted.get(id);
    if (wanted !== undefined) wanted.lookAtMs = atMs;
  }
}
