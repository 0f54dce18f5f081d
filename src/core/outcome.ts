import type { Entry } from './entry.js';
import type { Version } from './version.js';

/** The levels, nearest first: this process, the city's Redis, the peers, a sister city, the source. */
export type Level = 'local' | 'distributed' | 'peer' | 'sister' | 'source';

/** Why a rung was not asked. */
export type SkipReason = 'breaker-open' | 'overloaded' | 'no-time' | 'not-ready' | 'no-owner';

/**
 * What a rung answers for one key. Miss, skipped and failed are three things: a miss is knowledge ("I do not have
 * it"), a skip and a failure are not, and only after a miss may the rung be filled.
 */
export type Outcome =
  | Found
  | { readonly kind: 'miss' }
  | { readonly kind: 'skipped'; readonly why: SkipReason }
  | { readonly kind: 'failed'; readonly error: Error };

export interface Found {
  readonly kind: 'found';
  readonly entry: Entry;
  /** Who has it, when that is not the rung that was asked. */
  readonly level?: Level;
  /** Whoever gave it may have lost something newer, or somebody nearer did not answer, who may know better. */
  readonly unsure?: boolean;
  /** It is the very entry that the asker holds, and comes without its payload. */
  readonly same?: true;
  /** Many ask for it, more often than the asker alone can know: its memory should keep it. Says nothing about the entry. */
  readonly hot?: boolean;
  /** An owner of the key gave it that has everything acknowledged before it was asked: see `OWNER_LEASE_MS`. */
  readonly lent?: boolean;
}

export const MISS: Outcome = Object.freeze({ kind: 'miss' });

/** What a level did with a write. `superseded`: it keeps something newer, `by` when it says what. `none`: there is no such level. */
export type WriteOutcome =
  | { readonly kind: 'stored' }
  | { readonly kind: 'superseded'; readonly by?: Version }
  | { readonly kind: 'skipped'; readonly why: SkipReason }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'none' };

export const STORED: WriteOutcome = Object.freeze({ kind: 'stored' });
