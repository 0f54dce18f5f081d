import { CacheError } from '../core/errors.js';
import { EVENT_TIME_AHEAD_MAX_MS, encodeVersion, numberedVersion } from '../core/version.js';
import { distanceKm } from './circle.js';
import type { LocationUpdate, VehicleLocation } from './domain.js';
import { type Position, type Region, regionOf } from './region.js';
import { checkVehicleId } from './vehicle-id.js';

/**
 * What is to be done with a reported position. `ghost`: the tracker had no fix; it says nothing about the vehicle and
 * is kept nowhere. `clamped`: the device's clock lied, and `location.at` is not what it said.
 */
export type Judgement =
  | { readonly kind: 'accepted'; readonly location: VehicleLocation; readonly clamped: boolean }
  | { readonly kind: 'ghost'; readonly location: VehicleLocation; readonly clamped: boolean }
  | { readonly kind: 'rejected'; readonly error: CacheError };

/** Frame numbers of a tracker run from 1 to this, and then from 1 again (AIS-140). */
const FRAME_MAX = 999_999;

/** Faster than any truck or bus, and less than what trackers send for "no speed" (655.35, 999). */
export const SPEED_MAX_KMH = 300;

/** Trackers without a fix report 0,0 or a little beside it; within a degree of it there is only sea. */
const NULL_ISLAND_DEG = 1;

/**
 * A position whose device clock cannot be right is taken to be this old when it arrives: older than 99 % of the
 * positions of honest clocks are (p99 of the Delhi buses is 266 s). So it never hides a position that says truly when
 * it was, in whatever order they come; yet a vehicle whose clock is broken for good keeps moving on the map.
 */
export const FALSE_CLOCK_AGE_MS = 300_000;

/** A vehicle that moves as far as this in one report moved significantly even within its region. */
const SIGNIFICANT_MOVE_KM = 0.5;

/**
 * Judges one report as it arrives. This happens once, on the node that takes it in; the database and every cache then
 * keep the time that was decided here, and so agree about what is newest.
 */
export function judgeUpdate(update: LocationUpdate, wallMs: number): Judgement {
  try {
    const { location, clamped } = readUpdate(update, wallMs);
    return { kind: isGhost(location) ? 'ghost' : 'accepted', location, clamped };
  } catch (thrown) {
    if (thrown instanceof CacheError) return { kind: 'rejected', error: thrown };
    throw thrown;
  }
}

/**
 * Whether routes that were reckoned from the previous position are of no more use, and other vehicles near: the region
 * changed, or the vehicle moved 500 m in one report. Of 83,782 real truck reports 6.4 % change the region (0.1 % by
 * less than 50 m, so a vehicle parked on a border is no storm) and 81.5 % move less than 50 m. It needs nothing but
 * two positions, so every node decides alike; what it lets pass is bounded by a cell's diagonal, 1.6 km.
 */
export function isSignificantMove(from: Position & { readonly region: Region }, to: VehicleLocation): boolean {
  return from.region !== to.region || distanceKm(from, to) >= SIGNIFICANT_MOVE_KM;
}

/**
 * The version of a position in the cache: the device's time, and within it the order of the database. The same whoever
 * tells it and however it got there, so what is loaded and what is set replace each other as they do in the database.
 */
export function locationVersion({ at, revision = 1 }: Pick<VehicleLocation, 'at' | 'revision'>): string {
  return encodeVersion(numberedVersion(at.getTime(), revision));
}

/** Whether one position of a vehicle is newer than another, by the same order. */
export function isNewerLocation(one: VehicleLocation, other: VehicleLocation): boolean {
  const aheadMs = one.at.getTime() - other.at.getTime();
  return aheadMs > 0 || (aheadMs === 0 && (one.revision ?? 1) > (other.revision ?? 1));
}

function readUpdate(update: LocationUpdate, wallMs: number): { location: VehicleLocation; clamped: boolean } {
  if (typeof update !== 'object' || update === null) {
    throw invalid('update', update, 'give an object with vehicleId, lat, lon, speedKmh, engineOn and at');
  }
  const vehicleId = checkVehicleId(update.vehicleId);
  const lat = checkRange('lat', update.lat, -90, 90, 'degrees');
  const lon = checkRange('lon', update.lon, -180, 180, 'degrees');
  const speedKmh = checkRange('speedKmh', update.speedKmh, 0, SPEED_MAX_KMH, 'km/h');
  const headingDeg = checkHeading(update.headingDeg);
  if (typeof update.engineOn !== 'boolean') throw invalid('engineOn', update.engineOn, 'give true or false');
  if (update.history !== undefined && typeof update.history !== 'boolean') {
    throw invalid('history', update.history, 'give true or false, or leave it out');
  }
  checkFrame(update.frame);
  const { atMs, clamped } = believedTime(checkTime(update.at), wallMs);
  const location = { vehicleId, lat, lon, speedKmh, headingDeg, engineOn: update.engineOn, at: new Date(atMs) };
  return { location: { ...location, region: regionOf(lat, lon) }, clamped };
}

function isGhost({ lat, lon }: Position): boolean {
  return Math.abs(lat) < NULL_ISLAND_DEG && Math.abs(lon) < NULL_ISLAND_DEG;
}

function believedTime(deviceMs: number, wallMs: number): { atMs: number; clamped: boolean } {
  const clamped = deviceMs > wallMs + EVENT_TIME_AHEAD_MAX_MS;
  return { atMs: Math.floor(clamped ? wallMs - FALSE_CLOCK_AGE_MS : deviceMs), clamped };
}

function checkTime(at: Date | number): number {
  const ms = at instanceof Date ? at.getTime() : at;
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0) {
    throw invalid('at', at, 'give the time of the device as a Date or in milliseconds since 1970');
  }
  return ms;
}

function checkFrame(frame: number | undefined): void {
  if (frame === undefined || (Number.isInteger(frame) && frame >= 1 && frame <= FRAME_MAX)) return;
  throw invalid('frame', frame, `give a whole number from 1 to ${FRAME_MAX}, or leave it out`);
}

/** Whole degrees, 360 being north again. */
function checkHeading(headingDeg: number | undefined): number | undefined {
  return headingDeg === undefined
    ? undefined
    : Math.round(checkRange('headingDeg', headingDeg, 0, 360, 'degrees')) % 360;
}

function checkRange(field: string, value: number, min: number, max: number, unit: string): number {
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    throw invalid(field, value, `it must lie between ${min} and ${max} ${unit}`);
  }
  // No negative zero: it is equal to zero everywhere but in a comparison of what was kept.
  return value + 0;
}

function invalid(field: string, value: unknown, todo: string): CacheError {
  return new CacheError('invalid-value', `${field} is ${shown(value)}: ${todo}`, { field });
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : value.toISOString();
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
