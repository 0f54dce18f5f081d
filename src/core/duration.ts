import { CacheError } from './errors.js';

/** Milliseconds, or a number with a unit: `'250ms'`, `'30s'`, `'5m'`, `'1h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** Longest lifetime that is accepted: 400 days. Beyond it a duration is a mistake in units. */
export const LONGEST_DURATION_MS = 400 * UNIT_MS.d;

/**
 * A duration in whole milliseconds.
 * @throws CacheError `invalid-ttl` naming `field` when it is negative, not finite, too long or not of a known form.
 */
export function durationMs(duration: Duration, field: string): number {
  const ms = typeof duration === 'number' ? duration : parse(duration, field);
  if (!(ms >= 0 && ms <= LONGEST_DURATION_MS)) {
    throw new CacheError(
      'invalid-ttl',
      `${field} is ${String(duration)}: it must lie between 0 and ${LONGEST_DURATION_MS} ms (400 days)`,
      { field },
    );
  }
  return Math.round(ms);
}

/** As `durationMs`, for what must be longer than nothing (a TTL of 0 would be a delete in disguise). */
export function positiveDurationMs(duration: Duration, field: string): number {
  const ms = durationMs(duration, field);
  if (ms === 0) {
    throw new CacheError('invalid-ttl', `${field} is 0: it must be at least 1 ms`, {
      field,
    });
  }
  return ms;
}

function parse(text: string, field: string): number {
  const match = typeof text === 'string' ? FORM.exec(text) : null;
  if (match === null) {
    throw new CacheError(
      'invalid-ttl',
      `${field} is ${typeof text === 'string' ? JSON.stringify(text) : String(text)}: give milliseconds or a number with a unit, such as '250ms', '30s', '5m', '1h'`,
      { field },
    );
  }
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}
