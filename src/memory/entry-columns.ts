import { type Entry, type EntryKind, makeEntry, NO_TAGS } from '../core/entry.js';
import type { Filled } from '../core/floors.js';
import { laterHlc } from '../core/hlc.js';
import { HlcColumn, RareColumn, RepeatedColumn } from './columns.js';

const KINDS: readonly EntryKind[] = ['value', 'absent', 'tombstone'];

/**
 * What is known of the entries of one page, one array per field: a fifth of what objects would take, and nothing for
 * the garbage collector to visit. What most entries do not have takes nothing while no entry of the page has it.
 * Payloads and times that count down live elsewhere.
 */
export class EntryColumns {
  readonly #slots: number;
  readonly #kinds: Uint8Array;
  readonly #eventTimesMs: Float64Array;
  readonly #hlcs: HlcColumn;
  readonly #origins: RepeatedColumn;
  readonly #fillStarts: HlcColumn;
  readonly #fences: HlcColumn;
  readonly #createdAtsMs: Float64Array;
  readonly #staleWhileRevalidatesMs: RareColumn;
  readonly #staleIfErrorsMs: RareColumn;
  #tags: (readonly string[])[] | undefined;

  constructor(slots: number) {
    this.#slots = slots;
    this.#kinds = new Uint8Array(slots);
    this.#eventTimesMs = new Float64Array(slots);
    this.#hlcs = new HlcColumn(slots);
    this.#origins = new RepeatedColumn(slots);
    this.#fillStarts = new HlcColumn(slots);
    this.#fences = new HlcColumn(slots);
    this.#createdAtsMs = new Float64Array(slots);
    this.#staleWhileRevalidatesMs = new RareColumn(slots);
    this.#staleIfErrorsMs = new RareColumn(slots);
  }

  write(at: number, entry: Entry): void {
    this.#kinds[at] = KINDS.indexOf(entry.kind);
    this.#eventTimesMs[at] = entry.version.eventTimeMs;
    this.#hlcs.write(at, entry.version.hlc);
    this.#origins.write(at, entry.version.origin);
    this.#fillStarts.write(at, entry.fillStart);
    this.#fences.write(at, entry.fence);
    this.#createdAtsMs[at] = entry.createdAtMs;
    this.#staleWhileRevalidatesMs.write(at, entry.staleWhileRevalidateMs);
    this.#staleIfErrorsMs.write(at, entry.staleIfErrorMs);
    this.#writeTags(at, entry.tags);
  }

  read(at: number, payload: Uint8Array, freshUntilMs: number): Entry {
    return makeEntry(
      this.kind(at),
      payload,
      {
        eventTimeMs: this.#eventTimesMs[at] as number,
        hlc: this.#hlcs.read(at),
        origin: this.#origins.read(at),
      },
      this.#fillStarts.read(at),
      this.#fences.read(at),
      this.#createdAtsMs[at] as number,
      freshUntilMs,
      this.#staleWhileRevalidatesMs.read(at),
      this.#staleIfErrorsMs.read(at),
      this.#tagsOf(at),
    );
  }

  kind(at: number): EntryKind {
    return KINDS[this.#kinds[at] as number] as EntryKind;
  }

  /** How long past its TTL the entry is still of use. */
  staleMs(at: number): number {
    return Math.max(this.#staleWhileRevalidatesMs.read(at), this.#staleIfErrorsMs.read(at));
  }

  /** What a floor is compared with. */
  filled(at: number): Filled {
    const fillStart = this.#fillStarts.read(at);
    const proof = this.kind(at) === 'tombstone' ? laterHlc(fillStart, this.#fences.read(at)) : fillStart;
    return { fillStart: proof, tags: this.#tagsOf(at) };
  }

  /** Lets go of what a slot without entry would keep alive. */
  release(at: number): void {
    this.#writeTags(at, NO_TAGS);
  }

  #tagsOf(at: number): readonly string[] {
    return this.#tags?.[at] ?? NO_TAGS;
  }

  #writeTags(at: number, tags: readonly string[]): void {
    if (tags.length > 0) this.#tags ??= new Array<readonly string[]>(this.#slots).fill(NO_TAGS);
    if (this.#tags !== undefined) this.#tags[at] = tags.length === 0 ? NO_TAGS : tags;
  }
}

/**
 * As `EntryColumns.filled`, of an entry that is not here yet. A tombstone counts from its fence: below it nothing can
 * come in anyway, while its fill start is only that of the data it knows of.
 */
export function filledOf(entry: Entry): Filled {
  return entry.kind === 'tombstone' ? { fillStart: laterHlc(entry.fillStart, entry.fence), tags: entry.tags } : entry;
}
