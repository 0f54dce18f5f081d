import type { Entry, WriteMode } from './entry.js';
import type { WriteOutcome } from './outcome.js';

/** Told apart from every value, `undefined` (an absent entry) among them. */
export const NOT_HERE: unique symbol = Symbol('not here');

/**
 * Whether what `LocalTier.read` gave is an answer: no value is a symbol. To compare it with this one is a call for V8,
 * which does not know that a module's symbol stays the same, and takes a tenth of a hit.
 */
export function isHere(found: unknown): boolean {
  return typeof found !== 'symbol';
}

/** An entry of this process with what is known about its use. */
export interface LocalEntry {
  /** Its payload is empty: `value` holds it decoded. */
  readonly entry: Entry;
  readonly value: unknown;
  /** Wall ms of the last read of it, and how many there were since it came here. */
  readonly lastAccessedMs: number;
  readonly accessCount: number;
  /** Wall ms at which this copy was put or confirmed here. */
  readonly heldSinceMs: number;
  /** Whether the feed vouches for it now; without that it is doubted: outdated, perhaps, by more than is promised. */
  readonly trusted: boolean;
  /** What it takes of this level's budget. */
  readonly sizeBytes: number;
}

/**
 * The level in this process: synchronous, and the only one that keeps decoded values. It applies floors itself: what
 * is below one is not here.
 */
export interface LocalTier {
  /**
   * The value when it is fresh and trusted (undefined for an absent entry), else `NOT_HERE`. The hit path: allocates
   * nothing.
   */
  read(key: string): unknown;
  /** What is here, fresh, stale or a tombstone, but not dead nor below a floor. Does not count as a use. */
  find(key: string): LocalEntry | undefined;
  /**
   * Keeps the newer (`mergeEntries`). A fill of the very data that are here confirms them: what is kept stays as it is,
   * decoded, and is no longer doubted. May decline silently to keep what it has no room for.
   * @param copy the value as `Codec.copy` makes it, in place of a payload
   * @param hot it is worth its room, whatever is known here of how often it is asked for. How long it may be used is
   *   the same as for everything else
   */
  put(key: string, entry: Entry, mode: WriteMode, copy?: unknown, hot?: boolean): WriteOutcome;
  /** As a fill of the very data that are here, without its payload. Does nothing when something else is here by now. */
  confirm(key: string, told: Entry): void;
  /** Forgets the copy here; says nothing about the entry elsewhere. */
  drop(key: string): void;
  /** Forgets every copy. */
  dropAll(): void;
  /**
   * The copies of a partition (of all, when left out) that are here now may be outdated. Each is doubted until a put
   * confirms or replaces it.
   */
  doubt(partition?: number): void;
  readonly sizeBytes: number;
  readonly entries: number;
}
