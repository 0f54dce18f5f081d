import type { Call } from '../core/call.js';
import type { Cancel, Clock } from '../core/clock.js';
import { decodeEntry } from '../core/entry-format.js';
import { BUCKETS, bucketOf } from '../core/key.js';
import { encodeVersion } from '../core/version.js';
import type { Doubts } from './doubts.js';
import type { HandoverPage, HandoverRequest } from './handover-format.js';
import { BATCH_BYTES_MAX, BATCH_KEYS_MAX, REQUEST_MAX_MS } from './limits.js';
import type { Member } from './member.js';
import type { BucketStore } from './peer-store.js';
import type { PeerTransport } from './transport.js';
import type { WireWrite } from './wire.js';

export interface HandoverParts {
  readonly clock: Clock;
  readonly self: Member;
  readonly doubts: Doubts;
  readonly store: Omit<BucketStore, 'sizeBytes' | 'entries' | 'find'>;
  readonly transport: Pick<PeerTransport, 'handover' | 'write'>;
  /** Of the placement. */
  epoch(): string;
  /** Everybody who may have something of a bucket, this node among them. */
  holdersOf(bucket: number): readonly Member[];
  isSuspect(id: string): boolean;
  /** Nothing is doubted any more. */
  readonly onSure: () => void;
}

/** Buckets that are asked for at a time. */
const ASKED_MAX = 64;
/** How much a node takes over in a second, at most: a quarter of a 1 Gbit/s link, so that answers go before it. */
const BYTES_PER_MS = 32_768;
/** Between two pages at least, that others get their turn. */
const PAUSE_MS = 2;
/** Until those who could not be asked are asked again. */
const RETRY_MS = 200;
/** After that long without anybody to compare with, what is doubted is given up. */
const PATIENCE_MS = 60_000;
/** Buckets that are cleared of what this node does not hold, at a time. */
const SWEPT_AT_ONCE = 8;

/** How far the comparison of a bucket has come. */
interface Progress {
  /** `Doubts.timesOf` when it began. */
  readonly times: number;
  readonly sinceMs: number;
  /** Who has told all that it has. */
  readonly told: Set<string>;
}

/**
 * Takes over what this node is to keep. For each bucket in doubt it asks those who hold it for all that they have, and
 * lets everything pass the fence: `mergeEntries` in mode `fill`, so that nothing old wins, whoever brings it. When
 * somebody who is sure has told everything, or else everybody, the bucket is in doubt no more. What this node has and
 * the other one lacks is told back, so that the replicas end up equal.
 *
 * What the other one has evicted is known by its marks, which come with the bucket:
 *   1. a fill of `k` asks the source, and is delayed
 *   2. `k` is deleted; A keeps the tombstone, evicts it later and remembers the mark
 *   3. B takes the bucket over from A, which has nothing of `k` to tell
 *   4. the delayed fill arrives at B. If before the bucket is complete, it is thrown out with the marks; if after, refused.
 */
export class Handover {
  readonly #parts: HandoverParts;
  readonly #progress = new Map<number, Progress>();
  #running = false;
  #closed = false;
  #cancel: Cancel | undefined;
  #wake: () => void = () => {};
  #sweptTo: number = BUCKETS;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
  }

  /** Begins, unless it is under way; whatever is doubted meanwhile is taken over too. */
  start(): void {
    if (this.#running || this.#closed) return;
    this.#running = true;
    void this.#run();
  }

  /** Clears what this node does not hold any more, in the background. */
  sweep(): void {
    this.#sweptTo = 0;
    this.start();
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#wake();
  }

  async #run(): Promise<void> {
    const { doubts, onSure } = this.#parts;
    while (!this.#closed && doubts.size > 0) {
      const isDone = await this.#round();
      if (!isDone) await this.#pause(RETRY_MS);
    }
    this.#progress.clear();
    if (!this.#closed) onSure();
    while (!this.#closed && this.#sweptTo < BUCKETS && doubts.size === 0) {
      this.#sweepSome();
      await this.#pause(PAUSE_MS);
    }
    this.#running = false;
    if (doubts.size > 0) this.start();
  }

  /** Asks everybody once for what it may have. @returns whether anything came of it */
  async #round(): Promise<boolean> {
    const shares = new Map<Member, number[]>();
    let cleared = 0;
    for (const bucket of this.#parts.doubts.list()) {
      const next = this.#nextSource(bucket);
      if (next === 'nobody') cleared += 1;
      else if (next !== undefined) shares.set(next, [...(shares.get(next) ?? []), bucket]);
    }
    let isDone = cleared > 0;
    for (const [member, buckets] of shares) {
      for (let at = 0; at < buckets.length && !this.#closed; at += ASKED_MAX) {
        if (!(await this.#takeOver(member, buckets.slice(at, at + ASKED_MAX)))) break;
        isDone = true;
      }
    }
    return isDone;
  }

  /** Whom to ask next about a bucket; `nobody` when it is in doubt no more; undefined when those cannot be asked now. */
  #nextSource(bucket: number): Member | 'nobody' | undefined {
    const { doubts, self, holdersOf, isSuspect, clock, store } = this.#parts;
    const times = doubts.timesOf(bucket);
    let progress = this.#progress.get(bucket);
    if (progress === undefined || progress.times !== times) {
      progress = { times, sinceMs: clock.monotonicMs(), told: new Set() };
      this.#progress.set(bucket, progress);
    }
    const { told, sinceMs } = progress;
    const holders = holdersOf(bucket);
    const left = holders.filter((member) => member !== self && !told.has(member.id));
    const isLate = clock.monotonicMs() - sinceMs > PATIENCE_MS;
    if (left.length === 0 || !holders.includes(self) || isLate) {
      // Nobody to compare with for so long: what may be outdated is given up rather than believed.
      if (isLate && left.length > 0) store.evict(bucket);
      this.#finish(bucket);
      return 'nobody';
    }
    return left.find(({ id }) => !isSuspect(id));
  }

  /** @returns whether it told everything that it has of these buckets */
  async #takeOver(member: Member, buckets: readonly number[]): Promise<boolean> {
    const { store, transport, epoch } = this.#parts;
    let left = buckets;
    let after: string | undefined;
    let had = new Map<string, string>();
    while (left.length > 0) {
      let page: HandoverPage;
      try {
        page = await transport.handover(member.address, { epoch: epoch(), buckets: left, after }, this.#call());
      } catch {
        return false;
      }
      if (this.#closed || (page.buckets.length === 0 && page.entries.length === 0)) return false;
      let bytes = 0;
      for (const entry of page.entries) {
        bytes += entry.bytes.length;
        store.write(entry.key, entry.bytes, 'fill');
        had.set(entry.key, versionOf(entry.bytes));
      }
      for (const { bucket, sure, marks } of page.buckets) {
        store.adoptMarks(bucket, marks, had);
        await this.#tellBack(member, bucket, had);
        this.#progress.get(bucket)?.told.add(member.id);
        if (sure && this.#progress.get(bucket)?.times === this.#parts.doubts.timesOf(bucket)) this.#finish(bucket);
      }
      left = left.slice(page.buckets.length);
      after = page.entries.at(-1)?.key;
      if (after !== undefined && bucketOf(after) !== left[0]) after = undefined;
      // What came of a bucket that is not complete yet.
      had = new Map([...had].filter(([key]) => bucketOf(key) === left[0]));
      await this.#pause(Math.max(PAUSE_MS, bytes / BYTES_PER_MS));
    }
    return true;
  }

  /** Tells a member what it lacks of a bucket. What it does not take, it lacks: the next write brings it. */
  async #tellBack(member: Member, bucket: number, had: ReadonlyMap<string, string>): Promise<void> {
    const { store, transport } = this.#parts;
    let writes: WireWrite[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      const leaving = writes;
      writes = [];
      bytes = 0;
      if (leaving.length > 0) await transport.write(member.address, leaving, this.#call());
    };
    for (const key of store.keysOf(bucket)) {
      const own = store.read(key);
      if (own === undefined || had.get(key) === versionOf(own)) continue;
      writes.push({ key, mode: 'fill', bytes: own });
      bytes += own.length;
      if (writes.length >= BATCH_KEYS_MAX || bytes >= BATCH_BYTES_MAX) await flush();
    }
    await flush();
  }

  #finish(bucket: number): void {
    this.#progress.delete(bucket);
    this.#parts.doubts.clear(bucket);
  }

  #sweepSome(): void {
    const { self, holdersOf, store } = this.#parts;
    const end = Math.min(BUCKETS, this.#sweptTo + SWEPT_AT_ONCE);
    for (; this.#sweptTo < end; this.#sweptTo++) {
      if (!holdersOf(this.#sweptTo).includes(self)) store.forget(this.#sweptTo);
    }
  }

  #call(): Call {
    const deadlineAtMs = this.#parts.clock.monotonicMs() + REQUEST_MAX_MS;
    return { deadlineAtMs, signal: undefined, reason: 'warm-up' };
  }

  #pause(forMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#cancel = this.#parts.clock.schedule(forMs, resolve);
    });
  }
}

/**
 * Answers a handover from a store: as much as fits into one page. Nothing, while the other side goes by another epoch:
 * what is written from now on has to reach it, and does so only when both place by the same members.
 */
export function handOver(
  store: Pick<BucketStore, 'read' | 'keysOf' | 'marksOf'>,
  doubts: Pick<Doubts, 'has'>,
  { buckets, after: first, ...request }: HandoverRequest,
  epoch: string,
): HandoverPage {
  const entries: { key: string; bytes: Uint8Array }[] = [];
  const complete: HandoverPage['buckets'][number][] = [];
  if (request.epoch !== epoch) return { buckets: [], entries: [] };
  let room = BATCH_BYTES_MAX;
  let after = first;
  for (const bucket of buckets) {
    const keys = [...store.keysOf(bucket)].sort();
    for (const key of keys) {
      if (after !== undefined && key <= after) continue;
      // At least one entry in each page, and no more than can be counted.
      if ((room <= 0 && entries.length > 0) || entries.length >= ENTRIES_MAX) return { buckets: complete, entries };
      const bytes = store.read(key);
      if (bytes === undefined) continue;
      entries.push({ key, bytes });
      room -= key.length + bytes.length;
    }
    after = undefined;
    complete.push({ bucket, sure: !doubts.has(bucket), marks: store.marksOf(bucket) });
  }
  return { buckets: complete, entries };
}

const ENTRIES_MAX = 4_096;

function versionOf(bytes: Uint8Array): string {
  const { version, fence, kind } = decodeEntry(bytes);
  return `${kind} ${encodeVersion(version)} ${fence.ms}.${fence.counter}`;
}
