/** Slots of a generation; three quarters are filled at most, so that a look-up stays short. */
const SLOTS = 2 ** 18;
const REQUESTS_MAX = (SLOTS / 4) * 3;

/** `stale`: it may have been seen and forgotten. `full`: it cannot be remembered, so it must not be done. */
export type Sighting = 'first' | 'again' | 'stale' | 'full';

interface Generation {
  /** Two words of each signature; both 0 where a slot is free. */
  readonly words: Uint32Array;
  count: number;
}

/**
 * Which requests were accepted already, so that none is done twice. Each is remembered by 64 bits of its signature, in
 * the generation of the time that it was signed at. A generation spans all times that are accepted at one moment, so two
 * of them are enough, and 4 MiB hold both however many requests there are.
 *
 * At the limit, 196,608 requests signed within one span, it refuses what it could not remember rather than forget what
 * it did. Where the clock of this node is set back by more than a span, it begins anew: those who sign go by that clock
 * too, and would be locked out else.
 */
export class NonceWindow {
  readonly #spanMs: number;
  readonly #max: number;
  #newest = Number.NEGATIVE_INFINITY;
  #current = newGeneration();
  #previous = newGeneration();

  /** @param toleranceMs how far before or after now the time of a request may lie */
  constructor(toleranceMs: number, max = REQUESTS_MAX) {
    this.#spanMs = 2 * toleranceMs;
    this.#max = max;
  }

  /** @param mac at least 8 bytes; @param timeMs when it was signed: no further from `nowMs` than the tolerance */
  remember(mac: Buffer, timeMs: number, nowMs: number): Sighting {
    this.#turnTo(Math.floor((nowMs + this.#spanMs / 2) / this.#spanMs));
    const behind = this.#newest - Math.floor(timeMs / this.#spanMs);
    if (behind > 1) return 'stale';
    return this.#add(behind === 1 ? this.#previous : this.#current, mac);
  }

  #turnTo(newest: number): void {
    const steps = newest - this.#newest;
    if (steps === 0 || steps === -1) return;
    this.#newest = newest;
    const oldest = this.#previous;
    clear(oldest);
    if (steps !== 1) clear(this.#current);
    this.#previous = this.#current;
    this.#current = oldest;
  }

  #add(generation: Generation, mac: Buffer): Sighting {
    const { words } = generation;
    const low = mac.readUInt32LE(0);
    // A slot of zeros is a free one.
    const high = mac.readUInt32LE(4) || 1;
    let slot = low & (SLOTS - 1);
    for (; words[2 * slot + 1] !== 0; slot = (slot + 1) & (SLOTS - 1)) {
      if (words[2 * slot] === low && words[2 * slot + 1] === high) return 'again';
    }
    if (generation.count >= this.#max) return 'full';
    words[2 * slot] = low;
    words[2 * slot + 1] = high;
    generation.count += 1;
    return 'first';
  }
}

function newGeneration(): Generation {
  return { words: new Uint32Array(2 * SLOTS), count: 0 };
}

function clear(generation: Generation): void {
  if (generation.count > 0) generation.words.fill(0);
  generation.count = 0;
}
