/** The fleet: `fleetflow-cache/fleet`. */
import { type Fleet, type FleetOptions as FleetParts, createFleet as makeFleet } from '../fleet/fleet.js';
import { type LiveStream, type LiveStreamOptions, openLiveStream } from './http/live-stream.js';
import { systemClock } from './system-clock.js';

export type { Circle } from '../fleet/circle.js';
export type {
  City,
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
} from '../fleet/domain.js';
export { CITIES } from '../fleet/domain.js';
export { type EwayBillState, ewayBillEndMs, ewayBillState } from '../fleet/eway-bill.js';
export type { Fleet } from '../fleet/fleet.js';
export { type FreightHours, type FreightPlace, freightHours, type GoodsVehicle } from '../fleet/freight-hours.js';
export { ewayBillLifetime, freightHoursLifetime, type Kept } from '../fleet/lifetimes.js';
export type { SubscriptionFilter } from '../fleet/live-filter.js';
export type { LocationListener } from '../fleet/live-subscription.js';
export type { Mornings } from '../fleet/mornings.js';
export type { NearbyOptions, NearbyPlace, NearbyVehicle } from '../fleet/nearby.js';
export type {
  FleetRepository,
  FreightOrders,
  GeocodingApi,
  Place,
  RouteEstimate,
  RouteRequest,
  RoutesApi,
  SavedLocation,
} from '../fleet/ports.js';
export type { Recorded } from '../fleet/recording.js';
export type { Refresh } from '../fleet/refresh.js';
export type { Box, Position, Region } from '../fleet/region.js';
export { regionOf } from '../fleet/region.js';
export type { RouteEta } from '../fleet/route-estimates.js';
export type { FleetStats } from '../fleet/stats.js';
export type { SubscribeOptions } from '../fleet/subscriptions.js';
export { checkVehicleId } from '../fleet/vehicle-id.js';
export type { WarmUpOptions, WarmUpProgress, WarmUpResult } from '../fleet/warm-up.js';

export type { ChangeFollowing, ChangeFollowingStats, ChangeOptions } from './change-feed.js';
export { type FleetDatabase, openFleetDatabase, openGeocodingApi, openRoutesApi } from './fleet-database.js';
export { type HistoryKeeping, keepHistory } from './fleet-history.js';
export { openWriteBehind, type WriteBehindOptions, type WriteBehindRepository } from './fleet-write-behind.js';

export type { LiveAccess, LiveStream, LiveStreamOptions } from './http/live-stream.js';

export type FleetOptions = Omit<FleetParts, 'clock'>;

/**
 * The vehicles of a fleet, read through a cache and written through a database.
 * @throws CacheError `invalid-options` naming what is missing
 */
export function createFleet(options: FleetOptions): Fleet {
  return makeFleet({ ...options, clock: systemClock });
}

/**
 * Where vehicles are and how they move, as server-sent events (`GET /fleet/live`), for an HTTP server of your own.
 * @throws CacheError `invalid-options` for a token that is too short
 */
export function liveStream(fleet: Fleet, options: LiveStreamOptions): LiveStream {
  return openLiveStream(fleet, systemClock, options);
}
