import { CacheError } from '../core/errors.js';
import type { VehicleId, VehicleIdInput, VehicleLocation } from './domain.js';
import { type Box, checkBox, checkRegion, isWithin, type Region } from './region.js';
import { checkVehicleIds } from './vehicle-id.js';

/** Which positions a listener wants: those that fit all that is given; with nothing given, all. */
export interface SubscriptionFilter {
  readonly vehicles?: readonly VehicleIdInput[];
  readonly regions?: readonly Region[];
  readonly box?: Box;
}

/** A filter that has been checked. */
export interface LiveFilter {
  readonly vehicles: ReadonlySet<VehicleId> | undefined;
  readonly regions: ReadonlySet<Region> | undefined;
  readonly box: Box | undefined;
  fits(location: Pick<VehicleLocation, 'vehicleId' | 'lat' | 'lon' | 'region'>): boolean;
}

/** @throws CacheError `invalid-value` naming the field */
export function compileFilter(filter: SubscriptionFilter): LiveFilter {
  if (typeof filter !== 'object' || filter === null) {
    throw new CacheError('invalid-value', 'filter must be an object with vehicles, regions or box', {
      field: 'filter',
    });
  }
  const vehicles = filter.vehicles && new Set(checkVehicleIds(filter.vehicles));
  const regions = filter.regions && new Set(filter.regions.map(checkRegion));
  const box = filter.box && checkBox(filter.box);
  return {
    vehicles,
    regions,
    box,
    fits: (location) =>
      (vehicles === undefined || vehicles.has(location.vehicleId)) &&
      (regions === undefined || regions.has(location.region)) &&
      (box === undefined || isWithin(box, location)),
  };
}
