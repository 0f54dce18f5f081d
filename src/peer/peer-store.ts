import type { WriteMode } from '../core/entry.js';
import type { WriteOutcome } from '../core/outcome.js';
import type { BucketMarks } from './handover-format.js';

/** An encoded entry where it lies in a store. Good until something is next written there: copy it before that. */
export interface StoredEntry {
  readonly length: number;
  copyTo(target: Uint8Array, at: number): void;
}

/** The entries that this node keeps for all: encoded, so that keeping and sending them costs no decoding. */
export interface PeerStore {
  /** A copy of the entry as `encodeEntry` wrote it, unless it is dead. */
  read(key: string): Uint8Array | undefined;
  /** As `read`, without the copy: for who is about to copy it himself. */
  find(key: string): StoredEntry | undefined;
  /** Keeps the newer (`mergeEntries`). Copies what it keeps. `failed` for what cannot be read or is too large. */
  write(key: string, bytes: Uint8Array, mode: WriteMode): WriteOutcome;
  /** What it holds, with what holding it costs. */
  readonly sizeBytes: number;
  readonly entries: number;
}

/** A store whose buckets can be handed over. */
export interface BucketStore extends PeerStore {
  /** As they are now, in no order; some may be dead. */
  keysOf(bucket: number): Iterable<string>;
  /** What is remembered of the entries of a bucket that were evicted. */
  marksOf(bucket: number): BucketMarks;
  /**
   * Remembers what another store does, which has of the bucket exactly what is in `had`: what is here, not there, and no
   * newer than what was evicted there, goes.
   */
  adoptMarks(bucket: number, marks: BucketMarks, had: { has(key: string): boolean }): void;
  /** Gives up what is kept of a bucket, and remembers that it was evicted. */
  evict(bucket: number): void;
  /** Gives up all that is known of a bucket: others keep it. */
  forget(bucket: number): void;
}
