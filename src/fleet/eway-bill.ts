import { CacheError } from '../core/errors.js';
import { DAY_MS, HOUR_MS, istDayStartMs } from './ist-calendar.js';

/** Of ordinary cargo, since 1 January 2021. */
const KM_PER_DAY = 200;
/** It may be extended this long before and after its end. */
const EXTENSION_MS = 8 * HOUR_MS;

/** `extendable`: within 8 h of its end, on either side; `valid` says on which. */
export interface EwayBillState {
  readonly valid: boolean;
  readonly extendable: boolean;
  /** When this changes, in ms since the epoch; undefined when it never will. */
  readonly untilMs: number | undefined;
}

/**
 * The end of an e-way bill: a day for 200 km or part of it, the first of which ends at the midnight (IST) that ends the
 * day after the bill was made (CGST Rules, rule 138(10), explanation 1).
 * @throws CacheError `invalid-value`
 */
export function ewayBillEndMs(madeAtMs: number, distanceKm: number): number {
  if (!Number.isFinite(distanceKm) || distanceKm < 0) {
    throw new CacheError('invalid-value', `distanceKm is ${distanceKm}: give the distance in km`, {
      field: 'distanceKm',
    });
  }
  const days = Math.max(1, Math.ceil(distanceKm / KM_PER_DAY));
  return istDayStartMs(madeAtMs) + (days + 1) * DAY_MS;
}

/** What an e-way bill with this end is good for at `wallMs`. */
export function ewayBillState(endMs: number, wallMs: number): EwayBillState {
  const opensMs = endMs - EXTENSION_MS;
  const closesMs = endMs + EXTENSION_MS;
  if (wallMs < opensMs) return { valid: true, extendable: false, untilMs: opensMs };
  if (wallMs < endMs) return { valid: true, extendable: true, untilMs: endMs };
  if (wallMs < closesMs) return { valid: false, extendable: true, untilMs: closesMs };
  return { valid: false, extendable: false, untilMs: undefined };
}
