import { HLC_ZERO, type Hlc } from '../core/hlc.js';

const TWO_32 = 2 ** 32;
/** So many different values of a column are known by a byte. */
const KNOWN_MAX = 256;

/** A reading in two words: 48 bits of time and 16 of counter. */
export function writeHlc(words: Uint32Array, at: number, { ms, counter }: Hlc): void {
  // An array of words takes the lower 32 bits by itself, several times as fast as a remainder of doubles.
  words[at] = ms;
  words[at + 1] = (Math.floor(ms / TWO_32) << 16) | counter;
}

export function readHlc(words: Uint32Array, at: number): Hlc {
  const high = words[at + 1] as number;
  return { ms: (high >>> 16) * TWO_32 + (words[at] as number), counter: high & 0xffff };
}

/** Readings of which nearly all are zero. Takes nothing before there is another. */
export class HlcColumn {
  readonly #slots: number;
  #words: Uint32Array | undefined;

  constructor(slots: number) {
    this.#slots = slots;
  }

  write(at: number, hlc: Hlc): void {
    if (this.#words === undefined) {
      if (hlc.ms === 0 && hlc.counter === 0) return;
      this.#words = new Uint32Array(2 * this.#slots);
    }
    writeHlc(this.#words, 2 * at, hlc);
  }

  read(at: number): Hlc {
    return this.#words === undefined ? HLC_ZERO : readHlc(this.#words, 2 * at);
  }

  isZero(at: number): boolean {
    return this.#words === undefined || (this.#words[2 * at] === 0 && this.#words[2 * at + 1] === 0);
  }
}

/** Numbers of which nearly all are 0. Takes nothing before there is another. */
export class RareColumn {
  readonly #slots: number;
  #values: Float64Array | undefined;

  constructor(slots: number) {
    this.#slots = slots;
  }

  write(at: number, value: number): void {
    if (this.#values === undefined) {
      if (value === 0) return;
      this.#values = new Float64Array(this.#slots);
    }
    this.#values[at] = value;
  }

  read(at: number): number {
    return this.#values === undefined ? 0 : (this.#values[at] as number);
  }
}

/** Numbers of which there are few different ones: a byte each while there are 256 at most, 8 from then on. */
export class RepeatedColumn {
  #known: number[] = [];
  #places: Uint8Array;
  #values: Float64Array | undefined;

  constructor(slots: number) {
    this.#places = new Uint8Array(slots);
  }

  write(at: number, value: number): void {
    if (this.#values !== undefined) {
      this.#values[at] = value;
      return;
    }
    let place = this.#known.indexOf(value);
    if (place < 0 && this.#known.length === KNOWN_MAX) {
      this.#spread()[at] = value;
      return;
    }
    if (place < 0) place = this.#known.push(value) - 1;
    this.#places[at] = place;
  }

  read(at: number): number {
    return (this.#values === undefined ? this.#known[this.#places[at] as number] : this.#values[at]) as number;
  }

  #spread(): Float64Array {
    const values = Float64Array.from(this.#places, (place) => this.#known[place] ?? 0);
    this.#values = values;
    this.#known = [];
    this.#places = new Uint8Array(0);
    return values;
  }
}
