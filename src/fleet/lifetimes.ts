import type { EntryOptions } from '../core/cache.js';
import { hashKey } from '../core/key.js';
import type { EwayBill, Vehicle, VehicleLocation } from './domain.js';
import { ewayBillState } from './eway-bill.js';
import { type FreightHours, type FreightPlace, freightHours, type GoodsVehicle } from './freight-hours.js';
import { DAY_MS, HOUR_MS, istMinuteOfDay, MINUTE_MS, minuteOf, nextIstTimeMs } from './ist-calendar.js';

const SECOND_MS = 1_000;

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

/** An e-way bill ends when the law says, and may be extended for a while around that; the portal is asked each hour. */
export function ewayBillLifetime(endMs: number, wallMs: number): Kept {
  return until(kept(1 * HOUR_MS, 6 * HOUR_MS), ewayBillState(endMs, wallMs).untilMs, wallMs);
}

/** Several bills are good for as long as none of them changes. */
export function ewayBillsLifetime(bills: readonly EwayBill[], wallMs: number): Kept {
  return bills.reduce(
    (lifetime, { validUntil }) => until(lifetime, ewayBillState(validUntil.getTime(), wallMs).untilMs, wallMs),
    kept(1 * HOUR_MS, 6 * HOUR_MS),
  );
}

/** What is known of goods-vehicle hours is good for as long as it says itself, and not a moment longer. */
export function hoursLifetime({ untilMs }: FreightHours, wallMs: number): Kept {
  return until(kept(DAY_MS, 0), untilMs, wallMs);
}

/** Whether goods vehicles may drive holds until the next hour of the city at which that changes. */
export function freightHoursLifetime(place: FreightPlace, vehicle: GoodsVehicle, wallMs: number): Kept {
  return until(kept(DAY_MS, DAY_MS), freightHours(place, vehicle, wallMs).untilMs, wallMs);
}

/** Who is in service. A new vehicle is on the map a minute after it was entered. */
export const ACTIVE_IDS_LIFETIME: Kept = kept(1 * MINUTE_MS, 1 * HOUR_MS);

/**
 * Who is in a region. Whoever records a vehicle that enters or leaves removes the entry; the 5 min bound what writers
 * can do that bypass the fleet and the change feed.
 */
export const REGION_LIFETIME: Kept = kept(5 * MINUTE_MS, 10 * MINUTE_MS);

/** What the hour of the day does to a lifetime, and why. */
export interface HourFactor {
  readonly factor: number;
  readonly reason: 'rush' | 'night' | 'day';
}

const RUSHES = [
  { from: minuteOf('07:00'), to: minuteOf('12:00') },
  { from: minuteOf('16:00'), to: minuteOf('21:00') },
] as const;
const NIGHT = { from: minuteOf('23:00'), to: minuteOf('05:30') } as const;

/**
 * At rush hours (07-12 and 16-21 h IST, when the roads are full) trips start, end and are late more than at other times:
 * half as long. At night (23:00-05:30, one load where the day has ninety) hardly anything changes: twice as long.
 */
export function hourFactor(wallMs: number): HourFactor {
  const minute = istMinuteOfDay(wallMs);
  if (RUSHES.some(({ from, to }) => minute >= from && minute < to)) return { factor: 0.5, reason: 'rush' };
  if (minute >= NIGHT.from || minute < NIGHT.to) return { factor: 2, reason: 'night' };
  return { factor: 1, reason: 'day' };
}

/**
 * A lifetime that follows the hour, for what follows traffic. What the night adds ends with the night: nobody gets in
 * the morning what was only good enough for 3 h.
 */
export function byHour(lifetime: Kept, wallMs: number): Kept {
  const { factor, reason } = hourFactor(wallMs);
  const { ttl } = lifetime;
  if (reason !== 'night') return { ...lifetime, ttl: ttl * factor };
  const restMs = nextIstTimeMs(wallMs, NIGHT.to) - wallMs;
  return { ...lifetime, ttl: Math.max(ttl, Math.min(ttl * factor, restMs)) };
}

/**
 * A lifetime that ends no later than `endMs`, whatever fails: from then on the answer is another one, so it is not served
 * as stale either. With no end it is left as it is.
 */
export function until(lifetime: Kept, endMs: number | undefined, wallMs: number): Kept {
  if (endMs === undefined) return lifetime;
  const restMs = Math.max(1, endMs - wallMs);
  return {
    ...lifetime,
    ttl: Math.min(lifetime.ttl, restMs),
    staleIfError: Math.min(lifetime.staleIfError, Math.max(0, restMs - lifetime.ttl)),
    // Said even so, for the configured default may be more.
    staleWhileRevalidate: 0,
  };
}

/** The largest part of a lifetime that the jitter takes away. */
const JITTER = 0.1;

/**
 * What was loaded in one moment does not expire in one: a share of up to a tenth is taken away, and never added, for a
 * lifetime may be a promise. Which share follows from the key, so every node and every test reckons the same.
 */
export function jittered(lifetime: Kept, key: string): Kept {
  const share = (hashKey(key) % 1_024) / 1_024;
  return { ...lifetime, ttl: Math.ceil(lifetime.ttl * (1 - JITTER * share)) };
}

/** A lifetime in ms, so that it can be reckoned with. */
export interface Kept extends EntryOptions {
  readonly ttl: number;
  readonly staleIfError: number;
}

function kept(ttl: number, staleIfError: number): Kept {
  return { ttl, staleIfError };
}
