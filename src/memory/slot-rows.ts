/**
 * What a hit looks at, a row of 32 bytes for each slot: half a line of the processor's cache, where a column per field
 * would take one line each. Most of what a hit costs among a million entries is waiting for such lines.
 */
const ROW_BYTES = 32;
const TIMES = ROW_BYTES / 8;
const WORDS = ROW_BYTES / 4;
/** In words, behind the time until which the entry is fresh. */
const STAMP = 2;
const DOUBTS = 3;
const USED_AT = 4;
const USES = 5;
const HELD_AT = 6;
/** In bytes. */
const PARTITION = 28;
const CONTENT = 29;

export class SlotRows {
  readonly #times: Float64Array;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;

  constructor(slots: number) {
    const rows = new ArrayBuffer(slots * ROW_BYTES);
    this.#times = new Float64Array(rows);
    this.#words = new Uint32Array(rows);
    this.#bytes = new Uint8Array(rows);
  }

  /** Monotonic ms. */
  freshUntilMs(at: number): number {
    return this.#times[at * TIMES] as number;
  }

  setFreshUntilMs(at: number, freshUntilMs: number): void {
    this.#times[at * TIMES] = freshUntilMs;
  }

  /** The state of the world (floors and doubts) under which the value was last found fit to be handed out as it is. */
  stamp(at: number): number {
    return this.#words[at * WORDS + STAMP] as number;
  }

  setStamp(at: number, stamp: number): void {
    this.#words[at * WORDS + STAMP] = stamp;
  }

  /** How many doubts had been raised when the entry came or was confirmed. */
  doubtsBefore(at: number): number {
    return this.#words[at * WORDS + DOUBTS] as number;
  }

  /** How long ago the entry came or was confirmed, in whole ms: never less than it was. */
  heldForMs(at: number, nowMs: number): number {
    return since(this.#words[at * WORDS + HELD_AT] as number, nowMs);
  }

  setHeld(at: number, nowMs: number, doubts: number): void {
    this.#words[at * WORDS + HELD_AT] = nowMs;
    this.#words[at * WORDS + DOUBTS] = doubts;
  }

  /** How long ago it was read last, in whole ms. */
  unusedForMs(at: number, nowMs: number): number {
    return since(this.#words[at * WORDS + USED_AT] as number, nowMs);
  }

  uses(at: number): number {
    return this.#words[at * WORDS + USES] as number;
  }

  use(at: number, nowMs: number): void {
    const row = at * WORDS;
    this.#words[row + USED_AT] = nowMs;
    this.#words[row + USES] = (this.#words[row + USES] as number) + 1;
  }

  partition(at: number): number {
    return this.#bytes[at * ROW_BYTES + PARTITION] as number;
  }

  /** What lies in the slot; 0 when it is free. */
  content(at: number): number {
    return this.#bytes[at * ROW_BYTES + CONTENT] as number;
  }

  setContent(at: number, content: number): void {
    this.#bytes[at * ROW_BYTES + CONTENT] = content;
  }

  /** An entry comes into a free slot. */
  begin(at: number, partition: number, nowMs: number): void {
    const row = at * WORDS;
    this.#words[row + USED_AT] = nowMs;
    this.#words[row + USES] = 0;
    this.#bytes[at * ROW_BYTES + PARTITION] = partition;
  }
}

/** Instants are kept as whole ms in 32 bits: a monotonic clock comes round after 49 days, differences hold until then. */
function since(instant: number, nowMs: number): number {
  return (nowMs - instant) >>> 0;
}
