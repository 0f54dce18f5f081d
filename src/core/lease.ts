import type { Call } from './call.js';
import type { Hlc } from './hlc.js';

/**
 * What an office says to the wish to load a key.
 * - `granted`: load it, then fill the entry, or release the lease. `occupied`: there is a fresh entry, which may have
 *   come since the levels were read; look at it before loading.
 * - `busy`: somebody else in the city is loading it. `ended` resolves when that may be over, at the latest when the
 *   lease runs out or the call does; it never rejects, and it does not miss an end that comes before it is awaited.
 * - `filled`: somebody filled it since; read it again.
 * - `unavailable`: the office cannot be asked.
 */
export type LeaseAnswer =
  | { readonly kind: 'granted'; readonly occupied?: boolean }
  | { readonly kind: 'busy'; readonly ended: Promise<void> }
  | { readonly kind: 'filled' }
  | { readonly kind: 'unavailable' };

/** Names the holder of leases, so that nobody else's is renewed or released. */
export type LeaseToken = string;

/**
 * Grants the right to fill missing entries from their source: one per key and city at a time. A lease ends when the key is
 * filled, written, deleted or released, and by itself after `LEASE_MS`, so a holder's death costs one lease time and
 * one more load.
 */
export interface LeaseOffice {
  /**
   * @param since a reading taken before the levels were read: an entry filled later is one that the reader missed
   * @returns one answer per key, in order; never rejects
   */
  acquire(keys: readonly string[], token: LeaseToken, since: Hlc, call: Call): Promise<readonly LeaseAnswer[]>;
  /** Lets leases that are still held last for another `LEASE_MS`. Never rejects. */
  renew(keys: readonly string[], token: LeaseToken, call: Call): Promise<void>;
  /** Gives back leases that will not end in a fill. Never rejects. */
  release(keys: readonly string[], token: LeaseToken, call: Call): Promise<void>;
}

/** How long a lease lasts, and the longest that others wait for its holder, in ms. Renewed at half of it. */
export const LEASE_MS = 3_000;

/** No office: everybody loads for himself. */
export const NO_LEASES: LeaseOffice = Object.freeze({
  acquire: async (keys: readonly string[]) => keys.map(() => UNAVAILABLE),
  renew: async () => {},
  release: async () => {},
});

const UNAVAILABLE: LeaseAnswer = Object.freeze({ kind: 'unavailable' });
