import { type Entry, type EntryKind, makeEntry, NO_TAGS } from '../core/entry.js';
import type { Filled } from '../core/floors.js';
import { compareHlc, HLC_ZERO, type Hlc, laterHlc } from '../core/hlc.js';
import { compareVersions, type Version } from '../core/version.js';
import { HlcColumn, RareColumn, RepeatedColumn, readHlc, writeHlc } from './columns.js';

const KINDS: readonly EntryKind[] = ['value', 'absent', 'tombstone'];

/** What every entry has and every put reads or writes, side by side: event time, creation, reading of the version, fill start. */
const ROW_BYTES = 32;
const TIMES = ROW_BYTES / 8;
const WORDS = ROW_BYTES / 4;
/** In times. */
const CREATED = 1;
/** In words, behind the two times. */
const HLC = 4;
const FILL_START = 6;

/**
 * What is known of the entries of one page: a fifth of what objects would take, and nothing for the garbage collector to
 * visit. What a byte is enough for, and what most entries do not have, lies in columns; the latter take nothing while no
 * entry of the page has such. Payloads and times that count down live elsewhere.
 */
export class EntryColumns {
  readonly #slots: number;
  readonly #kinds: Uint8Array;
  readonly #times: Float64Array;
  readonly #words: Uint32Array;
  readonly #origins: RepeatedColumn;
  readonly #fences: HlcColumn;
  readonly #staleWhileRevalidatesMs: RareColumn;
  readonly #staleIfErrorsMs: RareColumn;
  #tags: (readonly string[])[] | undefined;

  constructor(slots: number) {
    this.#slots = slots;
    const rows = new ArrayBuffer(slots * ROW_BYTES);
    this.#kinds = new Uint8Array(slots);
    this.#times = new Float64Array(rows);
    this.#words = new Uint32Array(rows);
    this.#origins = new RepeatedColumn(slots);
    this.#fences = new HlcColumn(slots);
    this.#staleWhileRevalidatesMs = new RareColumn(slots);
    this.#staleIfErrorsMs = new RareColumn(slots);
  }

  write(at: number, entry: Entry): void {
    const { version } = entry;
    this.#kinds[at] = KINDS.indexOf(entry.kind);
    this.#times[at * TIMES] = version.eventTimeMs;
    this.#times[at * TIMES + CREATED] = entry.createdAtMs;
    writeHlc(this.#words, at * WORDS + HLC, version.hlc);
    writeHlc(this.#words, at * WORDS + FILL_START, entry.fillStart);
    this.#origins.write(at, version.origin);
    this.#fences.write(at, entry.fence);
    this.#staleWhileRevalidatesMs.write(at, entry.staleWhileRevalidateMs);
    this.#staleIfErrorsMs.write(at, entry.staleIfErrorMs);
    this.#writeTags(at, entry.tags);
  }

  read(at: number, payload: Uint8Array, freshUntilMs: number): Entry {
    return makeEntry(
      this.kind(at),
      payload,
      this.#versionAt(at),
      this.#fillStartAt(at),
      this.#fences.read(at),
      this.#times[at * TIMES + CREATED] as number,
      freshUntilMs,
      this.#staleWhileRevalidatesMs.read(at),
      this.#staleIfErrorsMs.read(at),
      this.#tagsOf(at),
    );
  }

  /**
   * Whether a set of `entry` simply takes the place of what is here: its version is newer, and neither knows of a delete.
   * That is what `mergeEntries` would find, without an object of what is here.
   */
  isReplacedBy(at: number, { kind, version, fillStart, fence }: Entry): boolean {
    if (kind === 'tombstone' || !this.#fences.isZero(at) || compareHlc(fence, HLC_ZERO) !== 0) return false;
    if (compareHlc(fillStart, HLC_ZERO) <= 0) return false;
    const newer = version.eventTimeMs - (this.#times[at * TIMES] as number);
    return newer > 0 || (newer === 0 && compareVersions(version, this.#versionAt(at)) > 0);
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
    const fillStart = this.#fillStartAt(at);
    const proof = this.kind(at) === 'tombstone' ? laterHlc(fillStart, this.#fences.read(at)) : fillStart;
    return { fillStart: proof, tags: this.#tagsOf(at) };
  }

  /** Lets go of what a slot without entry would keep alive. */
  release(at: number): void {
    this.#writeTags(at, NO_TAGS);
  }

  #versionAt(at: number): Version {
    return {
      eventTimeMs: this.#times[at * TIMES] as number,
      hlc: readHlc(this.#words, at * WORDS + HLC),
      origin: this.#origins.read(at),
    };
  }

  #fillStartAt(at: number): Hlc {
    return readHlc(this.#words, at * WORDS + FILL_START);
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
