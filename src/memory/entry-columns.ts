import { type Entry, type EntryKind, makeEntry, NO_TAGS } from '../core/entry.js';
import type { Filled } from '../core/floors.js';
import { type Hlc, laterHlc } from '../core/hlc.js';

const KINDS: readonly EntryKind[] = ['value', 'absent', 'tombstone'];

/**
 * What is known of the entries of one page, one array per field: a third of what objects would take, and nothing for
 * the garbage collector to visit. Payloads and times that count down live elsewhere.
 */
export class EntryColumns {
  readonly #kinds: Uint8Array;
  readonly #eventTimesMs: Float64Array;
  readonly #hlcs: HlcColumn;
  readonly #origins: Float64Array;
  readonly #fillStarts: HlcColumn;
  readonly #fences: HlcColumn;
  readonly #createdAtsMs: Float64Array;
  readonly #staleWhileRevalidatesMs: Float64Array;
  readonly #staleIfErrorsMs: Float64Array;
  readonly #tags: (readonly string[])[];

  constructor(slots: number) {
    this.#kinds = new Uint8Array(slots);
    this.#eventTimesMs = new Float64Array(slots);
    this.#hlcs = new HlcColumn(slots);
    this.#origins = new Float64Array(slots);
    this.#fillStarts = new HlcColumn(slots);
    this.#fences = new HlcColumn(slots);
    this.#createdAtsMs = new Float64Array(slots);
    this.#staleWhileRevalidatesMs = new Float64Array(slots);
    this.#staleIfErrorsMs = new Float64Array(slots);
    this.#tags = new Array<readonly string[]>(slots).fill(NO_TAGS);
  }

  write(at: number, entry: Entry): void {
    this.#kinds[at] = KINDS.indexOf(entry.kind);
    this.#eventTimesMs[at] = entry.version.eventTimeMs;
    this.#hlcs.write(at, entry.version.hlc);
    this.#origins[at] = entry.version.origin;
    this.#fillStarts.write(at, entry.fillStart);
    this.#fences.write(at, entry.fence);
    this.#createdAtsMs[at] = entry.createdAtMs;
    this.#staleWhileRevalidatesMs[at] = entry.staleWhileRevalidateMs;
    this.#staleIfErrorsMs[at] = entry.staleIfErrorMs;
    this.#tags[at] = entry.tags.length === 0 ? NO_TAGS : entry.tags;
  }

  read(at: number, payload: Uint8Array, freshUntilMs: number): Entry {
    return makeEntry(
      this.kind(at),
      payload,
      {
        eventTimeMs: this.#eventTimesMs[at] as number,
        hlc: this.#hlcs.read(at),
        origin: this.#origins[at] as number,
      },
      this.#fillStarts.read(at),
      this.#fences.read(at),
      this.#createdAtsMs[at] as number,
      freshUntilMs,
      this.#staleWhileRevalidatesMs[at] as number,
      this.#staleIfErrorsMs[at] as number,
      this.#tags[at] as readonly string[],
    );
  }

  kind(at: number): EntryKind {
    return KINDS[this.#kinds[at] as number] as EntryKind;
  }

  /** How long past its TTL the entry is still of use. */
  staleMs(at: number): number {
    return Math.max(this.#staleWhileRevalidatesMs[at] as number, this.#staleIfErrorsMs[at] as number);
  }

  /** What a floor is compared with. */
  filled(at: number): Filled {
    const fillStart = this.#fillStarts.read(at);
    const proof = this.kind(at) === 'tombstone' ? laterHlc(fillStart, this.#fences.read(at)) : fillStart;
    return { fillStart: proof, tags: this.#tags[at] as readonly string[] };
  }

  /** Lets go of what a slot without entry would keep alive. */
  release(at: number): void {
    this.#tags[at] = NO_TAGS;
  }
}

/**
 * As `EntryColumns.filled`, of an entry that is not here yet. A tombstone counts from its fence: below it nothing can
 * come in anyway, while its fill start is only that of the data it knows of.
 */
export function filledOf(entry: Entry): Filled {
  return entry.kind === 'tombstone' ? { fillStart: laterHlc(entry.fillStart, entry.fence), tags: entry.tags } : entry;
}

class HlcColumn {
  readonly #ms: Float64Array;
  readonly #counters: Uint16Array;

  constructor(slots: number) {
    this.#ms = new Float64Array(slots);
    this.#counters = new Uint16Array(slots);
  }

  write(at: number, hlc: Hlc): void {
    this.#ms[at] = hlc.ms;
    this.#counters[at] = hlc.counter;
  }

  read(at: number): Hlc {
    return { ms: this.#ms[at] as number, counter: this.#counters[at] as number };
  }
}
