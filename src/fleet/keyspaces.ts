import type { Cache, Keyspace, LoadCall } from '../core/cache.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import { boxAround } from './circle.js';
import type {
  FuelRecord,
  MaintenanceRecord,
  Trip,
  Vehicle,
  VehicleId,
  VehicleLocation,
  VehicleStatus,
} from './domain.js';
import { keys, tags } from './keys.js';
import {
  byHour,
  detailsLifetime,
  FUEL_LIFETIME,
  jittered,
  type Kept,
  locationLifetime,
  MAINTENANCE_LIFETIME,
  REGION_LIFETIME,
  STATUS_LIFETIME,
  TRIPS_LIFETIME,
} from './lifetimes.js';
import type { FleetRepository } from './ports.js';
import { locationVersion } from './positions.js';
import { type Region, regionBox } from './region.js';

/** Most vehicles that are looked through for one question about a place. */
const VEHICLES_NEARBY_MAX = 20_000;

/** A kind of thing that is kept of each vehicle, with the lifetime that its keyspace gives it. */
export interface VehicleSpace<T> extends Keyspace<VehicleId, T> {
  lifetimeOf(value: T): Kept;
}

/** Every kind of thing that the fleet keeps in the cache, and how each is loaded. */
export interface FleetKeyspaces {
  readonly details: VehicleSpace<Vehicle>;
  readonly status: VehicleSpace<VehicleStatus>;
  readonly location: VehicleSpace<VehicleLocation>;
  readonly trips: VehicleSpace<readonly Trip[]>;
  readonly fuel: VehicleSpace<readonly FuelRecord[]>;
  readonly maintenance: VehicleSpace<readonly MaintenanceRecord[]>;
  /** Which vehicles are in a region. Their positions are not kept here, for those change all the time. */
  readonly nearby: Keyspace<Region, readonly VehicleId[]>;
}

export function openKeyspaces(cache: Cache, repository: FleetRepository, clock: Clock): FleetKeyspaces {
  function ofVehicles<T>(definition: {
    readonly name: string;
    readonly key: (id: VehicleId) => string;
    readonly lifetimeOf: (value: T) => Kept;
    readonly tags: (id: VehicleId, value: T) => readonly string[];
    readonly version?: (value: T) => Date | string;
    readonly load: (ids: readonly VehicleId[], call: LoadCall) => Promise<ReadonlyMap<VehicleId, T>>;
    /** Reports of positions come spread over time, and their lifetimes are the user's to the millisecond. */
    readonly jitter?: false;
  }): VehicleSpace<T> {
    const { lifetimeOf, jitter, ...rest } = definition;
    const lifetime = (value: T, id: VehicleId) =>
      jitter === false ? lifetimeOf(value) : jittered(lifetimeOf(value), rest.key(id));
    const space = cache.keyspace<VehicleId, T>({ ...rest, lifetime });
    return { ...space, lifetimeOf };
  }
  const tagsOf = (id: VehicleId) => [tags.vehicle(id)];

  return {
    details: ofVehicles({
      name: 'vehicle-details',
      key: keys.details,
      lifetimeOf: detailsLifetime,
      tags: tagsOf,
      version: (vehicle) => vehicle.updatedAt,
      load: (ids, call) => repository.vehicles(ids, call),
    }),
    status: ofVehicles({
      name: 'vehicle-status',
      key: keys.status,
      lifetimeOf: () => STATUS_LIFETIME,
      tags: tagsOf,
      version: (status) => status.updatedAt,
      load: (ids, call) => repository.statuses(ids, call),
    }),
    location: ofVehicles({
      name: 'vehicle-location',
      key: keys.location,
      lifetimeOf: locationLifetime,
      tags: locationTags,
      version: locationVersion,
      jitter: false,
      load: (ids, call) => repository.locations(ids, call),
    }),
    trips: ofVehicles<readonly Trip[]>({
      name: 'vehicle-trips',
      key: keys.trips,
      lifetimeOf: () => byHour(TRIPS_LIFETIME, clock.wallMs()),
      tags: tagsOf,
      load: (ids, call) => repository.trips(ids, call),
    }),
    fuel: ofVehicles<readonly FuelRecord[]>({
      name: 'vehicle-fuel',
      key: keys.fuel,
      lifetimeOf: () => FUEL_LIFETIME,
      tags: tagsOf,
      load: (ids, call) => repository.fuelRecords(ids, call),
    }),
    maintenance: ofVehicles<readonly MaintenanceRecord[]>({
      name: 'vehicle-maintenance',
      key: keys.maintenance,
      lifetimeOf: () => MAINTENANCE_LIFETIME,
      tags: tagsOf,
      load: (ids, call) => repository.maintenanceRecords(ids, call),
    }),
    nearby: cache.keyspace<Region, readonly VehicleId[]>({
      name: 'nearby-vehicles',
      key: keys.nearby,
      lifetime: () => REGION_LIFETIME,
      tags: (region) => [tags.region(region)],
      load: (regions, call) => loadRegions(repository, regions, call),
    }),
  };
}

export function locationTags(id: VehicleId, { region }: VehicleLocation): readonly string[] {
  return [tags.locations, tags.vehicle(id), tags.region(region)];
}

/** One statement for all regions: the box around them, shared out. A region without vehicles has an empty list. */
async function loadRegions(
  repository: FleetRepository,
  regions: readonly Region[],
  call: LoadCall,
): Promise<Map<Region, VehicleId[]>> {
  const box = boxAround(regions.map(regionBox));
  const locations = await repository.locationsWithin(box, VEHICLES_NEARBY_MAX + 1, call);
  if (locations.length > VEHICLES_NEARBY_MAX) {
    throw new CacheError(
      'overloaded',
      `more than ${VEHICLES_NEARBY_MAX} vehicles are between ${box.south},${box.west} and ${box.north},${box.east}: ask about a smaller place`,
    );
  }
  const inRegion = new Map<Region, VehicleId[]>(regions.map((region) => [region, []]));
  for (const { region, vehicleId } of locations) inRegion.get(region)?.push(vehicleId);
  return inRegion;
}
