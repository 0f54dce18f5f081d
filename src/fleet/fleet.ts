import type { Cache, WriteResult } from '../core/cache.js';
import type { CallOptions } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import { ActiveVehicles } from './active-vehicles.js';
import { DemandBoard } from './demand-board.js';
import type {
  EwayBill,
  FuelRecord,
  LocationUpdate,
  MaintenanceRecord,
  Trip,
  Vehicle,
  VehicleId,
  VehicleIdInput,
  VehicleLocation,
  VehicleStatus,
} from './domain.js';
import {
  checkFreight,
  type FreightHours,
  type FreightPlace,
  type GoodsVehicle,
  freightHours as standingHours,
} from './freight-hours.js';
import { keys, patterns, tags } from './keys.js';
import { openKeyspaces, type VehicleSpace } from './keyspaces.js';
import type { SubscriptionFilter } from './live-filter.js';
import { LiveLocations } from './live-locations.js';
import { currentLocations } from './live-state.js';
import type { LocationListener } from './live-subscription.js';
import { type Mornings, MorningWarmUp } from './mornings.js';
import { Nearby, type NearbyOptions, type NearbyPlace, type NearbyVehicle } from './nearby.js';
import { NearbyIndex } from './nearby-index.js';
import { Places } from './places.js';
import type { FleetRepository, FreightOrders, GeocodingApi, Place, RoutesApi } from './ports.js';
import { type Recorded, Recording } from './recording.js';
import { type Refresh, Refresher, type VehicleKind } from './refresh.js';
import type { Position } from './region.js';
import { RouteEstimates, type RouteEta } from './route-estimates.js';
import { type FleetStats, zeroCounters } from './stats.js';
import { type SubscribeOptions, Subscriptions } from './subscriptions.js';
import { checkVehicleId, checkVehicleIds } from './vehicle-id.js';
import { type WarmUpOptions, type WarmUpResult, warmUp } from './warm-up.js';

export interface FleetOptions {
  readonly cache: Cache;
  readonly repository: FleetRepository;
  /** Leave it out when nobody asks for arrival times. */
  readonly routes?: RoutesApi;
  /** Leave it out when nobody asks for places. */
  readonly geocoding?: GeocodingApi;
  /** Leave it out where no other goods-vehicle hours than the standing ones are known. */
  readonly freightOrders?: FreightOrders;
  readonly clock: Clock;
}

/**
 * The vehicles of a fleet, read through the cache and written through the database. Reads resolve with `undefined`
 * for a vehicle that does not exist, and with a stale copy while the database fails; without one they reject with a
 * `CacheError` whose cause is the database's. Bad arguments reject with a `CacheError` that names the field.
 */
export interface Fleet extends AsyncDisposable {
  vehicle(id: VehicleIdInput, call?: CallOptions): Promise<Vehicle | undefined>;
  vehicleStatus(id: VehicleIdInput, call?: CallOptions): Promise<VehicleStatus | undefined>;
  /** Where the vehicle was last. */
  vehicleLocation(id: VehicleIdInput, call?: CallOptions): Promise<VehicleLocation | undefined>;
  /** The same for many, by canonical id, in one read; those without a position are left out. */
  vehicleLocations(ids: readonly VehicleIdInput[], call?: CallOptions): Promise<Map<VehicleId, VehicleLocation>>;
  /** The same for every vehicle in service. */
  activeVehicleLocations(call?: CallOptions): Promise<Map<VehicleId, VehicleLocation>>;
  /** The newest 20, newest first. */
  trips(id: VehicleIdInput, call?: CallOptions): Promise<readonly Trip[] | undefined>;
  fuelRecords(id: VehicleIdInput, call?: CallOptions): Promise<readonly FuelRecord[] | undefined>;
  maintenanceRecords(id: VehicleIdInput, call?: CallOptions): Promise<readonly MaintenanceRecord[] | undefined>;
  /** The newest 20, newest first; `ewayBillState` tells what one is good for now. */
  ewayBills(id: VehicleIdInput, call?: CallOptions): Promise<readonly EwayBill[] | undefined>;
  /** Whether goods vehicles may drive there now, and for how long that can be said. */
  freightHours(place: FreightPlace, vehicle: GoodsVehicle, call?: CallOptions): Promise<FreightHours>;
  /** Orders for a place were given or withdrawn: nothing that was known of its hours is served any more. */
  freightOrdersChanged(place: FreightPlace, call?: CallOptions): Promise<WriteResult>;
  /** When the vehicle will be there, by the routes API; shared among those who ask at once, kept nowhere. */
  routeEta(id: VehicleIdInput, destination: Position, call?: CallOptions): Promise<RouteEta | undefined>;
  /** What is at a position, by the geocoding API; shared among those who ask at once, kept nowhere. */
  place(position: Position, call?: CallOptions): Promise<Place | undefined>;
  /** The id of that place, from the cache if it is known. */
  placeId(position: Position, call?: CallOptions): Promise<string | undefined>;
  /** The vehicles in a region, a circle of at most 50 km or a box of at most 10,000 regions, the nearest first. */
  nearbyVehicles(where: NearbyPlace, options?: NearbyOptions): Promise<NearbyVehicle[]>;
  /** Takes in one position. Rejects when it is out of range. */
  recordLocation(update: LocationUpdate, call?: CallOptions): Promise<Recorded>;
  /** Takes in many; one result per update, in their order, also for those that are out of range. */
  recordLocations(updates: readonly LocationUpdate[], call?: CallOptions): Promise<Recorded[]>;
  /** Removes location, status, trips, fuel and maintenance of a vehicle from every level. */
  invalidateVehicle(id: VehicleIdInput, call?: CallOptions): Promise<WriteResult[]>;
  /** Brings the vehicles in service into the cache, those that are asked for most first, at the database's pace. */
  warmUp(options?: WarmUpOptions): Promise<WarmUpResult>;
  readonly refresh: Refresh;
  readonly mornings: Mornings;
  /**
   * Tells a listener of newest positions that fit the filter, whichever node recorded them. A listener that is busy is
   * told the latest of each vehicle when it is free again, and never an older one than before.
   * @returns what ends it
   */
  subscribe(filter: SubscriptionFilter, listener: LocationListener, options?: SubscribeOptions): () => void;
  /** Whether moves recorded elsewhere are heard of as they happen; else what is watched is read every 5 s. */
  readonly hearsAll: boolean;
  stats(): FleetStats;
  /** Ends refresh, mornings and subscriptions, and waits for what is being recorded. The cache stays open. */
  close(): Promise<void>;
}

/** @throws CacheError `invalid-options` naming what is missing */
export function createFleet(options: FleetOptions): Fleet {
  for (const field of ['cache', 'repository', 'clock'] as const) {
    if (options?.[field] === undefined) {
      throw new CacheError('invalid-options', `createFleet needs \`${field}\``, { field });
    }
  }
  const { cache, repository, routes, geocoding, freightOrders, clock } = options;
  const counters = zeroCounters();
  const keyspaces = openKeyspaces(cache, repository, clock, freightOrders);
  const live = new LiveLocations({ cache, clock, keyspaces });
  const recording = new Recording({ cache, repository, clock, live, counters });
  const board = new DemandBoard(cache, clock);
  const refresher = new Refresher({ cache, clock, keyspaces, counters, board });
  const active = new ActiveVehicles(cache, repository);
  const warm = (how: WarmUpOptions) => warmUp({ clock, keyspaces, active, board, counters }, how);
  const mornings = new MorningWarmUp({ cache, clock, counters, warmUp: warm });
  const index = new NearbyIndex({ cache, clock, keyspaces, live });
  const nearby = new Nearby({ clock, keyspaces, index });
  const subscriptions = new Subscriptions({
    clock,
    counters,
    live,
    hearsAll: () => cache.hearsAll,
    current: (filter, signal) => currentLocations({ keyspaces, active, nearby }, filter, signal),
  });
  const estimates = new RouteEstimates({ cache, clock, keyspaces, routes, counters });
  const places = new Places({ cache, clock, geocoding, counters });
  const ended = new AbortController();

  const checkOpen = () => {
    if (ended.signal.aborted) throw new CacheError('closed', 'the fleet is closed');
  };

  async function read<T>(kind: VehicleKind, space: VehicleSpace<T>, input: VehicleIdInput, call?: CallOptions) {
    checkOpen();
    const id = checkVehicleId(input);
    refresher.note(kind, id);
    return space.get(id, call);
  }

  function readLocations(ids: readonly VehicleId[], call?: CallOptions): Promise<Map<VehicleId, VehicleLocation>> {
    for (const id of ids) refresher.note('location', id);
    return keyspaces.location.getMany(ids, call);
  }

  const close = async () => {
    ended.abort(new CacheError('closed', 'the fleet is closed'));
    refresher.stop();
    mornings.stop();
    subscriptions.close();
    index.close();
    await Promise.all([recording.settle(), refresher.settle(), mornings.settle()]);
  };

  return {
    refresh: refresher,
    mornings,
    vehicle: (id, call) => read('details', keyspaces.details, id, call),
    vehicleStatus: (id, call) => read('status', keyspaces.status, id, call),
    vehicleLocation: (id, call) => read('location', keyspaces.location, id, call),
    trips: (id, call) => read('trips', keyspaces.trips, id, call),
    fuelRecords: (id, call) => read('fuel', keyspaces.fuel, id, call),
    maintenanceRecords: (id, call) => read('maintenance', keyspaces.maintenance, id, call),
    ewayBills: (id, call) => read('ewayBills', keyspaces.ewayBills, id, call),
    async freightHours(place, vehicle, call) {
      checkOpen();
      checkFreight(place, vehicle);
      const hours = await keyspaces.freightHours.get({ place, vehicle }, call);
      return hours ?? standingHours(place, vehicle, clock.wallMs());
    },
    async freightOrdersChanged(place, call) {
      checkOpen();
      checkFreight(place, 'heavy');
      return cache.deleteByTag(tags.freightPlace(place), call);
    },
    async vehicleLocations(ids, call) {
      checkOpen();
      return readLocations(checkVehicleIds(ids), call);
    },
    async activeVehicleLocations(call) {
      checkOpen();
      return readLocations(await active.ids(call), call);
    },
    async routeEta(id, destination, call) {
      checkOpen();
      return estimates.ask(checkVehicleId(id), destination, call);
    },
    async place(position, call) {
      checkOpen();
      return places.place(position, call);
    },
    async placeId(position, call) {
      checkOpen();
      return places.placeId(position, call);
    },
    async nearbyVehicles(where, options) {
      checkOpen();
      return nearby.find(where, options);
    },
    async recordLocation(update, call) {
      checkOpen();
      const [recorded] = await recording.record([update], call);
      if (recorded === undefined || recorded.outcome === 'rejected') {
        throw recorded?.error ?? new CacheError('invalid-value', 'there is no update', { field: 'update' });
      }
      return recorded;
    },
    async recordLocations(updates, call) {
      checkOpen();
      return recording.record(updates, call);
    },
    async invalidateVehicle(input, call) {
      checkOpen();
      const id = checkVehicleId(input);
      const named = [keys.location(id), keys.status(id), keys.trips(id), keys.fuel(id), keys.maintenance(id)];
      const results = await Promise.all([
        cache.deleteMany(named, call),
        cache.deleteByPattern(patterns.trips(id), call),
        cache.deleteByPattern(patterns.fuel(id), call),
      ]);
      return results.flat();
    },
    async warmUp(options = {}) {
      checkOpen();
      const signal = options.signal === undefined ? ended.signal : AbortSignal.any([options.signal, ended.signal]);
      return warm({ ...options, signal });
    },
    subscribe(filter, listener, options) {
      checkOpen();
      return subscriptions.add(filter, listener, options);
    },
    get hearsAll() {
      return cache.hearsAll;
    },
    stats: () => ({ ...counters, subscribers: subscriptions.size }),
    close,
    [Symbol.asyncDispose]: close,
  };
}
