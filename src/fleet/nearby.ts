import { type Call, type CallOptions, startCall } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import { type Circle, cellsOfBox, cellsOfCircle, checkCircle, distanceKm } from './circle.js';
import type { VehicleId, VehicleLocation } from './domain.js';
import type { FleetKeyspaces } from './keyspaces.js';
import type { NearbyIndex } from './nearby-index.js';
import {
  type Box,
  type Cell,
  cellOfRegion,
  checkBox,
  isWithin,
  type Position,
  type Region,
  regionBox,
  regionOfCell,
} from './region.js';
import { restOf } from './waits.js';

/** Where a vehicle near the place in question is. */
export interface NearbyVehicle extends VehicleLocation {
  /** From the centre of the circle, of the region or of the box. */
  readonly distanceKm: number;
}

/** Where to look for vehicles: a region, a circle of at most 50 km, or a box of at most 10,000 regions. */
export type NearbyPlace = Region | Circle | Box;

export interface NearbyOptions extends CallOptions {
  /** Only so many, the nearest. */
  readonly limit?: number;
}

/** A place to look for vehicles in. */
interface Place {
  readonly centre: Position;
  readonly cells: readonly Cell[];
  holds(location: VehicleLocation, distance: number): boolean;
}

export interface NearbyParts {
  readonly clock: Clock;
  readonly keyspaces: Pick<FleetKeyspaces, 'location' | 'nearby'>;
  readonly index: NearbyIndex;
}

const DEADLINE_MS = 5_000;
const NAME = 'the vehicles nearby';
/** Where only some are wanted, they are looked for in a smaller circle first: with an eighth of the radius, and so on. */
const FIRST_SHARE = 1 / 8;
/** Smaller ones are no quicker. */
const FIRST_MIN_KM = 0.5;

/**
 * Vehicles near a place, the nearest first: those that the index has in its cells, or, while that cannot vouch for
 * itself, those on the cache's own lists. Where they are says the cache.
 */
export class Nearby {
  readonly #parts: NearbyParts;

  constructor(parts: NearbyParts) {
    this.#parts = parts;
  }

  /** @throws CacheError `invalid-value` for a bad place or limit */
  async find(where: NearbyPlace, options: NearbyOptions = {}): Promise<NearbyVehicle[]> {
    const limit = checkLimit(options.limit);
    const places = placesOf(where, limit);
    const call = startCall(this.#parts.clock, options, DEADLINE_MS, 'read');
    let found: NearbyVehicle[] = [];
    for (const place of places) {
      found = await this.#findIn(place(), call);
      if (found.length >= limit) break;
    }
    found.sort((a, b) => a.distanceKm - b.distanceKm || (a.vehicleId < b.vehicleId ? -1 : 1));
    return found.length > limit ? found.slice(0, limit) : found;
  }

  async #findIn(place: Place, call: Call): Promise<NearbyVehicle[]> {
    const { clock, keyspaces, index } = this.#parts;
    const found: NearbyVehicle[] = [];
    const missing: VehicleId[] = [];
    const spots = await index.vehiclesIn(place.cells, call);
    const nowMs = clock.monotonicMs();
    if (spots !== undefined) {
      for (const spot of spots) {
        const location = index.look(spot, nowMs);
        if (location === undefined) missing.push(spot.id);
        else add(location, place, found);
      }
    } else {
      for (const id of await this.#listed(place.cells, call)) missing.push(id);
    }
    if (missing.length === 0) return found;
    const read = await keyspaces.location.getMany(missing, restOf(clock, call, NAME));
    for (const location of read.values()) {
      if (spots !== undefined) index.seen(location, nowMs);
      add(location, place, found);
    }
    return found;
  }

  /** Those on the cache's lists; one that is changing cells may be on both. */
  async #listed(cells: readonly Cell[], call: Call): Promise<Set<VehicleId>> {
    const { clock, keyspaces } = this.#parts;
    const lists = await keyspaces.nearby.getMany(cells.map(regionOfCell), restOf(clock, call, NAME));
    const ids = new Set<VehicleId>();
    for (const list of lists.values()) for (const id of list) ids.add(id);
    return ids;
  }
}

function add(location: VehicleLocation, place: Place, found: NearbyVehicle[]): void {
  const distance = distanceKm(place.centre, location);
  if (!place.holds(location, distance)) return;
  const { vehicleId, lat, lon, speedKmh, headingDeg, engineOn, at, region, revision } = location;
  found.push({ vehicleId, lat, lon, speedKmh, headingDeg, engineOn, at, region, revision, distanceKm: distance });
}

/** What is to be looked through, one after the other, until there are enough. */
function placesOf(where: NearbyPlace, limit: number): (() => Place)[] {
  if (typeof where === 'string') return [() => placeOfRegion(where)];
  if ('south' in where) return [() => placeOfBox(where)];
  const circle = checkCircle(where);
  const places = [() => placeOfCircle(circle)];
  if (limit === Number.POSITIVE_INFINITY) return places;
  for (let share = 1 / 2; share >= FIRST_SHARE; share /= 2) {
    const radiusKm = circle.radiusKm * share;
    if (radiusKm >= FIRST_MIN_KM) places.unshift(() => placeOfCircle({ ...circle, radiusKm }));
  }
  return places;
}

function placeOfRegion(region: Region): Place {
  const cells = [cellOfRegion(region)];
  return { centre: centreOf(regionBox(region)), cells, holds: (location) => location.region === region };
}

function placeOfBox(given: Box): Place {
  const box = checkBox(given);
  return { centre: centreOf(box), cells: cellsOfBox(box), holds: (location) => isWithin(box, location) };
}

function placeOfCircle(circle: Circle): Place {
  return { centre: circle, cells: cellsOfCircle(circle), holds: (_, distance) => distance <= circle.radiusKm };
}

function centreOf({ south, west, north, east }: Box): Position {
  const middle = (west + (west <= east ? east : east + 360)) / 2;
  return { lat: (south + north) / 2, lon: middle > 180 ? middle - 360 : middle };
}

function checkLimit(limit: number | undefined): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  if (Number.isInteger(limit) && limit >= 1) return limit;
  throw new CacheError('invalid-value', `limit is ${String(limit)}: give a whole number, 1 or more`, {
    field: 'limit',
  });
}
