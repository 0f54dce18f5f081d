import type { Clock } from '../core/clock.js';
import { deadAtMs, type Entry, mergeEntries, type WriteMode } from '../core/entry.js';
import { decodeEntry, decodeFence, ENTRY_HEAD_BYTES, encodeEntry } from '../core/entry-format.js';
import { CacheError, toError } from '../core/errors.js';
import { compareHlc, HLC_ZERO, laterHlc } from '../core/hlc.js';
import { bucketOf } from '../core/key.js';
import { STORED, type WriteOutcome } from '../core/outcome.js';
import { EvictedMarks } from './evicted-marks.js';
import type { BucketMarks } from './handover-format.js';
import type { BucketStore, StoredEntry } from './peer-store.js';
import { NONE } from './slab-chunks.js';
import { costBytes, SlabEntries } from './slab-entries.js';

/** Looks for what has died, in passing: more than one for each entry that comes, so that they keep up. */
const PASSING_LOOKS = 8;
/** The same when room is needed. */
const NEEDED_LOOKS = 64;

/**
 * Entries in slabs outside the JavaScript heap, under a byte budget. Room is made by giving up what is dead, then
 * what is least worth keeping (`SieveQueue`); of what goes, the marks of its bucket remain. What a write costs is bounded by
 * the size of its entry: it gives up no more than takes the room of that.
 */
export class SlabPeerStore implements BucketStore {
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #maxBytes: number;
  readonly #entries: SlabEntries;
  readonly #marks = new EvictedMarks();

  constructor(clock: Pick<Clock, 'wallMs'>, maxBytes: number) {
    this.#clock = clock;
    this.#maxBytes = maxBytes;
    this.#entries = new SlabEntries(maxBytes, clock.wallMs());
  }

  get sizeBytes(): number {
    return this.#entries.sizeBytes;
  }

  get entries(): number {
    return this.#entries.size;
  }

  read(key: string): Uint8Array | undefined {
    const id = this.#live(key);
    if (id === NONE) return undefined;
    this.#entries.markUsed(id);
    return this.#entries.bytesOf(id);
  }

  find(key: string): StoredEntry | undefined {
    const id = this.#live(key);
    if (id === NONE) return undefined;
    this.#entries.markUsed(id);
    return new EntryInSlabs(this.#entries, id);
  }

  write(key: string, bytes: Uint8Array, mode: WriteMode): WriteOutcome {
    let incoming: Entry;
    try {
      incoming = decodeEntry(bytes);
    } catch (thrown) {
      return { kind: 'failed', error: toError(thrown) };
    }
    this.#giveUpDead(PASSING_LOOKS);
    const id = this.#live(key);
    if (id === NONE) return this.#writeNew(key, incoming, bytes, mode);
    const current = decodeEntry(this.#entries.bytesOf(id));
    const { entry, accepted } = mergeEntries(current, incoming, mode);
    const outcome: WriteOutcome = accepted ? STORED : { kind: 'superseded', by: entry.version };
    if (entry === current) return outcome;
    return this.#keep(key, id, entry, encoded(entry, incoming, bytes), outcome);
  }

  keysOf(bucket: number): Iterable<string> {
    return this.#entries.inBucket(bucket).map((id) => this.#entries.keyOf(id));
  }

  marksOf(bucket: number): BucketMarks {
    return { fence: this.#marks.fence(bucket), fillStart: this.#marks.fillStart(bucket) };
  }

  adoptMarks(bucket: number, marks: BucketMarks, had: { has(key: string): boolean }): void {
    this.#marks.noteFence(bucket, marks.fence);
    this.#marks.noteFillStart(bucket, marks.fillStart);
    for (const id of this.#entries.inBucket(bucket)) {
      const { kind, fillStart } = this.#fenceOf(id);
      if (kind === 'tombstone' || compareHlc(fillStart, marks.fillStart) > 0) continue;
      if (!had.has(this.#entries.keyOf(id))) this.#entries.remove(id);
    }
  }

  forget(bucket: number): void {
    for (const id of this.#entries.inBucket(bucket)) this.#entries.remove(id);
    this.#marks.forget(bucket);
  }

  evict(bucket: number): void {
    for (const id of this.#entries.inBucket(bucket)) this.#evict(id);
  }

  #writeNew(key: string, incoming: Entry, bytes: Uint8Array, mode: WriteMode): WriteOutcome {
    const bucket = bucketOf(key);
    const mark = mode === 'fill' ? this.#marks.fillStart(bucket) : this.#marks.fence(bucket);
    if (incoming.kind !== 'tombstone' && mark !== HLC_ZERO && compareHlc(incoming.fillStart, mark) <= 0) {
      return { kind: 'superseded' };
    }
    const entry = { ...incoming, fence: laterHlc(incoming.fence, this.#marks.fence(bucket)) };
    return this.#keep(key, NONE, entry, encoded(entry, incoming, bytes), STORED);
  }

  /** Keeps `entry` in place of what there is of the key; what is dead by now is only remembered. */
  #keep(key: string, id: number, entry: Entry, bytes: Uint8Array, outcome: WriteOutcome): WriteOutcome {
    const dies = deadAtMs(entry);
    const costs = costBytes(key, bytes);
    const isTooLarge = costs > this.#maxBytes;
    if (isTooLarge || !(dies > this.#clock.wallMs())) {
      // What was kept so far is older than this, and goes all the same.
      if (id !== NONE) this.#entries.remove(id);
      this.#marks.noteFence(bucketOf(key), entry.fence);
      return isTooLarge ? tooLarge(costs, this.#maxBytes) : outcome;
    }
    this.#makeRoom(key, bytes, id);
    if (id === NONE) this.#entries.add(key, bytes, dies);
    else this.#entries.replace(id, bytes, dies);
    return outcome;
  }

  #makeRoom(key: string, bytes: Uint8Array, id: number): void {
    const entries = this.#entries;
    if (id === NONE) {
      const crowdedOut = entries.crowdedOut(key);
      if (crowdedOut !== NONE) this.#evict(crowdedOut);
    }
    const needed = entries.growth(key, bytes, id);
    while (entries.free < needed) {
      if (!this.#giveUpDead(NEEDED_LOOKS, id)) this.#evict(entries.victim(id));
    }
  }

  /** Removes one entry that is dead, other than `kept`, if there is one to be found in so many looks. */
  #giveUpDead(looks: number, kept: number = NONE): boolean {
    const id = this.#entries.dead(this.#clock.wallMs(), looks);
    if (id === NONE || id === kept) return false;
    this.#bury(id);
    return true;
  }

  /** Where the entry of a key is; one that is dead is removed on the way. */
  #live(key: string): number {
    const id = this.#entries.find(key);
    if (id === NONE || this.#entries.deadAtMs(id) > this.#clock.wallMs()) return id;
    this.#bury(id);
    return NONE;
  }

  /** Removes what is dead. Nobody could be served an older entry by its absence: only its fence is remembered. */
  #bury(id: number): void {
    this.#marks.noteFence(this.#entries.bucketOf(id), this.#fenceOf(id).fence);
    this.#entries.remove(id);
  }

  #evict(id: number): void {
    const bucket = this.#entries.bucketOf(id);
    const { fence, fillStart } = this.#fenceOf(id);
    this.#marks.noteFence(bucket, fence);
    this.#marks.noteFillStart(bucket, fillStart);
    this.#entries.remove(id);
  }

  #fenceOf(id: number): ReturnType<typeof decodeFence> {
    return decodeFence(this.#entries.bytesOf(id, ENTRY_HEAD_BYTES));
  }
}

class EntryInSlabs implements StoredEntry {
  readonly length: number;
  readonly #entries: SlabEntries;
  readonly #id: number;

  constructor(entries: SlabEntries, id: number) {
    this.length = entries.lengthOf(id);
    this.#entries = entries;
    this.#id = id;
  }

  copyTo(target: Uint8Array, at: number): void {
    this.#entries.copyTo(this.#id, target, at);
  }
}

/** The bytes of `entry`: those that it came in, if the merge left it as it was. */
function encoded(entry: Entry, incoming: Entry, bytes: Uint8Array): Uint8Array {
  const isAsItCame = entry.version === incoming.version && compareHlc(entry.fence, incoming.fence) === 0;
  return isAsItCame && entry.kind !== 'tombstone' ? bytes : encodeEntry(entry);
}

function tooLarge(costs: number, maxBytes: number): WriteOutcome {
  const error = new CacheError(
    'invalid-value',
    `an entry of ${costs} bytes is larger than all that this peer may keep (${maxBytes} bytes): raise peers.maxBytes`,
    { field: 'peers.maxBytes' },
  );
  return { kind: 'failed', error };
}
