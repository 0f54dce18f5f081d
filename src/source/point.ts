import { CacheError } from '../core/errors.js';

/** Degrees. */
export interface Point {
  readonly lat: number;
  readonly lon: number;
}

/** @throws CacheError `invalid-value` naming `field` */
export function checkPoint({ lat, lon }: Point, field: string): Point {
  if (Math.abs(lat) <= 90 && Math.abs(lon) <= 180) return { lat, lon };
  throw new CacheError('invalid-value', `${field} is ${lat}, ${lon}: there is no such place`, { field });
}
