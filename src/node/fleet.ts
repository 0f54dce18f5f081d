/** The fleet: `fleetflow-cache/fleet`. */
export type { Circle } from './circle.js';
export type {
  City,
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
export { CITIES } from './domain.js';
export type { Fleet, FleetOptions } from './fleet.js';
export { createFleet } from './fleet.js';
export type { NearbyVehicle } from './nearby.js';
export type { FleetRepository, RouteEstimate, RouteRequest, RoutesApi, SavedLocation } from './ports.js';
export type { Recorded } from './recording.js';
export type { Refresh } from './refresh.js';
export type { Box, Position, Region } from './region.js';
export { regionOf } from './region.js';
export type { RouteEta } from './route-estimates.js';
export type { FleetStats } from './stats.js';
export type { LocationListener, SubscriptionFilter } from './subscriptions.js';
export { checkVehicleId } from './vehicle-id.js';
export type { WarmUpOptions, WarmUpProgress, WarmUpResult } from './warm-up.js';
