import type { Call } from './call.js';
import type { Hlc } from './hlc.js';

/**
 * What an office says to the wish to load a key.
 * - `granted`: load it, and either fill the entry or release the lease.
 * - `busy`: somebody else in the city is loading it; wait for the end.
 * - `filled`: somebody filled it since; read it again.
 * - `unavailable`: the office cannot be asked.
 */
export type LeaseAnswer = 'granted' | 'busy' | 'filled' | 'unavailable';

/**
 * Grants the right to fill missing entries from their source: one per key and city at a time. A lease ends when the
 * key is filled, written, deleted or released, and by itself after a while, so that a holder's death costs one lease time.
 */
export interface LeaseOffice {
  /**
   * @param since a reading taken before the levels were read: an entry filled later is one that the reader missed
   * @returns one answer per key, in order; never rejects
   */
  acquire(keys: readonly string[], since: Hlc, call: Call): Promise<readonly LeaseAnswer[]>;
  /** Gives back leases that will not end in a fill. Never rejects. */
  release(keys: readonly string[], call: Call): Promise<void>;
  /** Resolves when the lease of a key may have ended, at the latest at the deadline of the call. Never rejects. */
  ended(key: string, call: Call): Promise<void>;
}

/** Longest time that a lease holds without being renewed; also the longest that others wait for its holder, in ms. */
export const LEASE_MS = 3_000;
