import type { EntryOptions } from '../core/cache.js';
import type { Vehicle, VehicleLocation } from './domain.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Slower than this a vehicle that has its engine on is in a jam, at a gate or loading. */
const SLOW_KMH = 5;

/**
 * A position is good for as long as the vehicle is likely to stay there: moving 30 s, slower than 5 km/h 5 min, engine
 * off 30 min (a tracker that sleeps reports every 10 min). Every new position replaces it, so a TTL that ends means
 * that the vehicle fell silent. While the database fails a position may be shown, as stale, for 10 min more.
 */
export function locationLifetime({ engineOn, speedKmh }: VehicleLocation): Kept {
  const ttl = engineOn ? (speedKmh < SLOW_KMH ? 5 * MINUTE_MS : 30 * SECOND_MS) : 30 * MINUTE_MS;
  return kept(ttl, 10 * MINUTE_MS);
}

/** What changes rarely: 15 min, and 5 min while the vehicle is in service, when somebody may act on it. */
export function detailsLifetime({ active }: Vehicle): Kept {
  return kept(active ? 5 * MINUTE_MS : 15 * MINUTE_MS, 1 * HOUR_MS);
}

/** Fuel level, odometer, state. */
export const STATUS_LIFETIME: Kept = kept(10 * MINUTE_MS, 30 * MINUTE_MS);

/** A trip starts or ends a few times a day; 5 min bounds what an invalidation that never came can cost. */
export const TRIPS_LIFETIME: Kept = kept(5 * MINUTE_MS, 1 * HOUR_MS);

/** Somebody types these in, a few times a week. */
export const FUEL_LIFETIME: Kept = kept(15 * MINUTE_MS, 1 * HOUR_MS);
export const MAINTENANCE_LIFETIME: Kept = kept(1 * HOUR_MS, 6 * HOUR_MS);

/** Who is in service. A new vehicle is on the map a minute after it was entered. */
export const ACTIVE_IDS_LIFETIME: Kept = kept(1 * MINUTE_MS, 1 * HOUR_MS);

/**
 * Who is in a region. Whoever records a vehicle that enters or leaves removes the entry; the 30 s bound what writers
 * that bypass the fleet can do.
 */
export const REGION_LIFETIME: Kept = kept(30 * SECOND_MS, 10 * MINUTE_MS);

/** A lifetime in ms, so that it can be reckoned with. */
export interface Kept extends EntryOptions {
  readonly ttl: number;
  readonly staleIfError: number;
}

function kept(ttl: number, staleIfError: number): Kept {
  return { ttl, staleIfError };
}
