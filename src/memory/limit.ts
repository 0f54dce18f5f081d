import { CacheError } from '../core/errors.js';

/** @throws CacheError `invalid-options` for a limit that is not a positive whole number */
export function positiveLimit(limit: number, field: string): number {
  if (Number.isSafeInteger(limit) && limit > 0) return limit;
  throw new CacheError('invalid-options', `${field} is ${limit}: it must be a whole number above 0`, { field });
}
