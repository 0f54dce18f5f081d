import type { Call } from './call.js';
import type { Entry, WriteMode } from './entry.js';
import type { Level, Outcome, WriteOutcome } from './outcome.js';

/**
 * Anything that can be asked for entries. Answers are in the order of the keys. It never rejects: what goes wrong is
 * an outcome, so that nothing can be mistaken for a miss. It answers within the deadline of the call.
 */
export interface Rung {
  readonly level: Level;
  read(keys: readonly string[], call: Call, serves?: Serves, held?: HeldCopies): Promise<readonly Outcome[]>;
  /**
   * As `read`, without a promise: `taker` is told of each key when its outcome is there, perhaps before this returns. For rungs
   * that are asked often and do not look at `serves`; others leave it out.
   */
  ask?(keys: readonly string[], call: Call, held: HeldCopies | undefined, taker: OutcomeTaker): void;
}

/** Who waits for outcomes, and does not throw when told. */
export interface OutcomeTaker {
  /** @param at its place among the keys that were asked for. What is told of one again does not count. */
  take(outcome: Outcome, at: number): void;
}

/** Whether an entry may be the answer for a key, by all that was asked so far: the source has a look before it loads. */
export type Serves = (key: string, entry: Entry) => boolean;

/** A copy that the asker has and doubts. Its entry has no payload. */
export interface HeldCopy {
  readonly entry: Entry;
  /** What it takes in the asker's memory. */
  readonly sizeBytes: number;
}

/** What the asker wants confirmed: where it has the same entry, a rung may say so (`same`) instead of sending it. */
export type HeldCopies = (key: string) => HeldCopy | undefined;

/** One entry to keep; a delete is a tombstone in mode `set`. */
export interface Write {
  readonly key: string;
  readonly entry: Entry;
  readonly mode: WriteMode;
  /** The value as `Codec.copy` makes it, in place of a payload: in a process that has no tiers. */
  readonly copy?: unknown;
}

/**
 * A rung that keeps what it is given. Its one write verb keeps the newer (`mergeEntries`), atomically per key.
 * Tombstones are found like any entry. Dead entries are misses; stale ones are found. Floors are not its concern.
 */
export interface Tier extends Rung {
  write(writes: readonly Write[], call: Call): Promise<readonly WriteOutcome[]>;
  /** Gives back what it holds open; what is in flight ends within its deadline. */
  close(): Promise<void>;
}
