import type { Cache, Keyspace, Known, LoadCall } from '../core/cache.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import { type KeyParts, keyTemplate } from '../core/key-template.js';
import { boxAround } from './circle.js';
import type {
  EwayBill,
  FuelRecord,
  MaintenanceRecord,
  Trip,
  Vehicle,
  VehicleId,
  VehicleLocation,
  VehicleStatus,
} from './domain.js';
import { type FreightHours, type FreightPlace, freightHours, type GoodsVehicle } from './freight-hours.js';
import { tags, templates } from './keys.js';
import {
  byHour,
  detailsLifetime,
  ewayBillsLifetime,
  FUEL_LIFETIME,
  hoursLifetime,
  jittered,
  type Kept,
  locationLifetime,
  MAINTENANCE_LIFETIME,
  REGION_LIFETIME,
  STATUS_LIFETIME,
  TRIPS_LIFETIME,
} from './lifetimes.js';
import type { FleetRepository, FreightOrders } from './ports.js';
import { locationVersion } from './positions.js';
import { type Region, regionBox } from './region.js';

/** Most vehicles that are looked through for one question about a place. */
const VEHICLES_NEARBY_MAX = 20_000;

type VehicleTemplate = `${string}{vehicleId}${string}`;

/** A kind of thing that is kept of each vehicle, with the lifetime that its keyspace gives it. */
export interface VehicleSpace<T> extends Keyspace<VehicleId, T> {
  lifetimeOf(value: T): Kept;
}

type HoursTemplate = typeof templates.freightHours;

/** Every kind of thing that the fleet keeps in the cache, and how each is loaded. Routes are kept nowhere. */
export interface FleetKeyspaces {
  readonly details: VehicleSpace<Vehicle>;
  readonly status: VehicleSpace<VehicleStatus>;
  readonly location: VehicleSpace<VehicleLocation>;
  readonly trips: VehicleSpace<readonly Trip[]>;
  readonly fuel: VehicleSpace<readonly FuelRecord[]>;
  readonly maintenance: VehicleSpace<readonly MaintenanceRecord[]>;
  readonly ewayBills: VehicleSpace<readonly EwayBill[]>;
  /** Which vehicles are in a region. Their positions are not kept here, for those change all the time. */
  readonly nearby: Keyspace<Region, readonly VehicleId[]>;
  readonly freightHours: Keyspace<KeyParts<HoursTemplate>, FreightHours>;
}

export function openKeyspaces(
  cache: Cache,
  repository: FleetRepository,
  clock: Clock,
  orders?: FreightOrders,
): FleetKeyspaces {
  function ofVehicles<T>(definition: {
    readonly name: string;
    readonly key: VehicleTemplate;
    readonly lifetime: (value: T) => Kept;
    readonly tags?: (id: VehicleId, value: T) => readonly string[];
    readonly version?: (value: T) => Date | string;
    readonly load: (
      ids: readonly VehicleId[],
      call: LoadCall,
      known: Known<VehicleId, T>,
    ) => Promise<ReadonlyMap<VehicleId, T>>;
    /** Reports of positions come spread over time, and their lifetimes are the user's to the millisecond. */
    readonly jitter?: false;
  }): VehicleSpace<T> {
    const { lifetime: lifetimeOf, jitter, ...rest } = definition;
    const { key } = keyTemplate(rest.key);
    const space = cache.keyspace<VehicleTemplate, T>({
      tags: (id) => [tags.vehicle(id)],
      ...rest,
      lifetime: (value, id) => (jitter === false ? lifetimeOf(value) : jittered(lifetimeOf(value), key(id))),
    });
    return { ...space, lifetimeOf };
  }

  return {
    details: ofVehicles({
      name: 'vehicle-details',
      key: templates.details,
      lifetime: detailsLifetime,
      version: (vehicle) => vehicle.updatedAt,
      load: (ids, call, known) => repository.vehicles(ids, call, known),
    }),
    status: ofVehicles({
      name: 'vehicle-status',
      key: templates.status,
      lifetime: () => STATUS_LIFETIME,
      version: (status) => status.updatedAt,
      load: (ids, call, known) => repository.statuses(ids, call, known),
    }),
    location: ofVehicles({
      name: 'vehicle-location',
      key: templates.location,
      lifetime: locationLifetime,
      tags: locationTags,
      version: locationVersion,
      jitter: false,
      load: (ids, call, known) => repository.locations(ids, call, known),
    }),
    trips: ofVehicles<readonly Trip[]>({
      name: 'vehicle-trips',
      key: templates.trips,
      lifetime: () => byHour(TRIPS_LIFETIME, clock.wallMs()),
      load: (ids, call) => repository.trips(ids, call),
    }),
    fuel: ofVehicles<readonly FuelRecord[]>({
      name: 'vehicle-fuel',
      key: templates.fuel,
      lifetime: () => FUEL_LIFETIME,
      load: (ids, call) => repository.fuelRecords(ids, call),
    }),
    maintenance: ofVehicles<readonly MaintenanceRecord[]>({
      name: 'vehicle-maintenance',
      key: templates.maintenance,
      lifetime: () => MAINTENANCE_LIFETIME,
      load: (ids, call) => repository.maintenanceRecords(ids, call),
    }),
    ewayBills: ofVehicles<readonly EwayBill[]>({
      name: 'eway-bills',
      key: templates.ewayBills,
      lifetime: (bills) => ewayBillsLifetime(bills, clock.wallMs()),
      load: (ids, call) => repository.ewayBills(ids, call),
    }),
    nearby: cache.keyspace<typeof templates.nearby, readonly VehicleId[]>({
      name: 'nearby-vehicles',
      key: templates.nearby,
      lifetime: REGION_LIFETIME,
      tags: (region) => [tags.region(region)],
      load: (regions, call) => loadRegions(repository, regions, call),
    }),
    freightHours: cache.keyspace<HoursTemplate, FreightHours>({
      name: 'freight-hours',
      key: templates.freightHours,
      lifetime: (hours) => hoursLifetime(hours, clock.wallMs()),
      tags: ({ place }) => [tags.freightPlace(place as FreightPlace)],
      load: (asked, call) => hoursOf(asked, orders, clock.wallMs(), call),
    }),
  };
}

/** What an order says, else what always holds. */
async function hoursOf(
  asked: readonly KeyParts<HoursTemplate>[],
  orders: FreightOrders | undefined,
  wallMs: number,
  call: LoadCall,
): Promise<Map<KeyParts<HoursTemplate>, FreightHours>> {
  const hours = new Map<KeyParts<HoursTemplate>, FreightHours>();
  for (const id of asked) {
    const place = id.place as FreightPlace;
    const vehicle = id.vehicle as GoodsVehicle;
    const ordered = await orders?.hoursAt(place, vehicle, wallMs, call);
    hours.set(id, ordered ?? freightHours(place, vehicle, wallMs));
  }
  return hours;
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
