import type { VehicleId } from './domain.js';
import type { FreightPlace } from './freight-hours.js';
import type { Region } from './region.js';

/** Where each kind of thing that the fleet knows lies in the cache. */
export const keys = {
  location: (id: VehicleId) => `vehicle:location:${id}`,
  status: (id: VehicleId) => `vehicle:status:${id}`,
  details: (id: VehicleId) => `vehicle:details:${id}`,
  /** The newest trips. Others may be kept beside it, under `vehicle:trips:{id}:*`. */
  trips: (id: VehicleId) => `vehicle:trips:${id}:recent`,
  /** The newest fuel records. Others may be kept beside it, under `vehicle:fuel:{id}:*`. */
  fuel: (id: VehicleId) => `vehicle:fuel:${id}:recent`,
  maintenance: (id: VehicleId) => `vehicle:maintenance:${id}`,
  ewayBills: (id: VehicleId) => `vehicle:eway-bills:${id}`,
  /** Ids of the vehicles in a region. */
  nearby: (region: Region) => `nearby:vehicles:${region}`,
  /** What may be kept of the place at a position. */
  place: (lat: number, lon: number) => `place:${lat},${lon}`,
  /** Ids of the vehicles in service. */
  activeIds: 'fleet:active-vehicle-ids',
} as const;

/** The same, as keyspaces take them. */
export const templates = {
  location: 'vehicle:location:{vehicleId}',
  status: 'vehicle:status:{vehicleId}',
  details: 'vehicle:details:{vehicleId}',
  trips: 'vehicle:trips:{vehicleId}:recent',
  fuel: 'vehicle:fuel:{vehicleId}:recent',
  maintenance: 'vehicle:maintenance:{vehicleId}',
  ewayBills: 'vehicle:eway-bills:{vehicleId}',
  nearby: 'nearby:vehicles:{region}',
  freightHours: 'freight:hours:{place}:{vehicle}',
  /** What a node is asked for. */
  demand: 'fleet:demand:{slot}',
} as const;

/** Who warms up on the morning of an IST day. */
export function mornings(dayStartMs: number): string {
  return `fleet:morning-warm-up:${dayStartMs}`;
}

/** What is invalidated together. Ids are digits, so none of them can widen a pattern. */
export const patterns = {
  trips: (id: VehicleId) => `vehicle:trips:${id}:*`,
  fuel: (id: VehicleId) => `vehicle:fuel:${id}:*`,
  /** Everything an application keeps about the way of a vehicle: estimates, polylines, distances. */
  routes: (id: VehicleId) => `route:*:${id}`,
  allRoutes: 'route:*',
} as const;

export const tags = {
  locations: 'type:location',
  vehicle: (id: VehicleId) => `vehicle:${id}`,
  region: (region: Region) => `region:${region}`,
  freightPlace: (place: FreightPlace) => `freight:${place}`,
} as const;
