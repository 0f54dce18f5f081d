import { type CallOptions, startCall } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { type Circle, checkCircle, distanceKm, regionsOfCircle } from './circle.js';
import type { VehicleLocation } from './domain.js';
import type { FleetKeyspaces } from './keyspaces.js';
import { checkRegion, type Position, type Region, regionBox } from './region.js';
import { restOf } from './waits.js';

/** Where a vehicle near the place in question is. */
export interface NearbyVehicle extends VehicleLocation {
  /** From the centre of the circle or of the region. */
  readonly distanceKm: number;
}

/** A place to look for vehicles in. */
interface Place {
  readonly centre: Position;
  readonly regions: readonly Region[];
  holds(vehicle: NearbyVehicle): boolean;
}

const DEADLINE_MS = 5_000;
const NAME = 'the vehicles nearby';

/**
 * Vehicles near a place, the nearest first. The cache says which vehicles are in each region, and then where exactly
 * each of them is: so a region's entry only has to change when a vehicle enters or leaves it.
 */
export class Nearby {
  readonly #clock: Clock;
  readonly #keyspaces: FleetKeyspaces;

  constructor(clock: Clock, keyspaces: FleetKeyspaces) {
    this.#clock = clock;
    this.#keyspaces = keyspaces;
  }

  /** @throws CacheError `invalid-value` for a bad place */
  async find(where: Region | Circle, options: CallOptions | undefined): Promise<NearbyVehicle[]> {
    const place = typeof where === 'string' ? placeOfRegion(where) : placeOfCircle(where);
    const call = startCall(this.#clock, options, DEADLINE_MS, 'read');
    const { nearby, location } = this.#keyspaces;
    const idsByRegion = await nearby.getMany(place.regions, restOf(this.#clock, call, NAME));
    // A vehicle that is changing regions may be listed in both.
    const ids = new Set([...idsByRegion.values()].flat());
    if (ids.size === 0) return [];
    const locations = await location.getMany([...ids], restOf(this.#clock, call, NAME));
    return [...locations.values()]
      .map((found) => ({ ...found, distanceKm: distanceKm(place.centre, found) }))
      .filter((vehicle) => place.holds(vehicle))
      .sort((a, b) => a.distanceKm - b.distanceKm || (a.vehicleId < b.vehicleId ? -1 : 1));
  }
}

function placeOfRegion(region: Region): Place {
  const { south, west, north, east } = regionBox(checkRegion(region));
  return {
    centre: { lat: (south + north) / 2, lon: (west + east) / 2 },
    regions: [region],
    holds: (vehicle) => vehicle.region === region,
  };
}

function placeOfCircle(given: Circle): Place {
  const circle = checkCircle(given);
  return {
    centre: circle,
    regions: regionsOfCircle(circle),
    holds: (vehicle) => vehicle.distanceKm <= circle.radiusKm,
  };
}
