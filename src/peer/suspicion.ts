import type { MembershipProfile } from './membership-profile.js';

/** Somebody is suspect: since when, how long at most, and who says so. */
export interface Suspicion {
  readonly sinceMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** How many others have to confirm until no more patience is needed. */
  readonly wanted: number;
  /** Who suspects it; the first one opened the case. */
  readonly accusers: ReadonlySet<string>;
}

/**
 * Lifeguard's suspicion (Dadgar, Phillips, Currey 2017, IV.B): who suspects alone may be the slow one itself and waits
 * long; each independent confirmation shortens it, on a logarithmic scale, down to the least time.
 * @param members how many there are, this node among them
 */
export function suspect(accuser: string, members: number, nowMs: number, profile: MembershipProfile): Suspicion {
  const minMs = profile.suspicionPeriods * profile.periodMs * Math.max(1, Math.log10(Math.max(1, members)));
  // Who are neither the suspect nor the accuser; with too few of them nobody waits for confirmations.
  const others = members - 2;
  const wanted = Math.max(0, profile.suspicionPeriods - 2);
  return {
    sinceMs: nowMs,
    minMs,
    maxMs: minMs * profile.suspicionSpread,
    wanted: others < wanted ? 0 : wanted,
    accusers: new Set([accuser]),
  };
}

/** The case with one accuser more; the same one when it has enough, or knew of that one. */
export function confirm(suspicion: Suspicion, accuser: string): Suspicion {
  const { accusers, wanted } = suspicion;
  if (accusers.has(accuser) || accusers.size > wanted) return suspicion;
  return { ...suspicion, accusers: new Set([...accusers, accuser]) };
}

/** When the suspect is down, unless it has refuted by then. */
export function downAtMs({ sinceMs, minMs, maxMs, wanted, accusers }: Suspicion): number {
  if (wanted === 0) return sinceMs + minMs;
  const confirmations = accusers.size - 1;
  const part = Math.log(confirmations + 1) / Math.log(wanted + 1);
  return sinceMs + Math.max(minMs, maxMs - (maxMs - minMs) * part);
}
