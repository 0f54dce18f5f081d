import type { LoadCall } from '../core/cache.js';
import type {
  FuelRecord,
  MaintenanceRecord,
  Trip,
  Vehicle,
  VehicleId,
  VehicleLocation,
  VehicleStatus,
} from './domain.js';

/** What became of one saved position. */
export interface SavedLocation {
  /** It is the newest of its vehicle after this save. False: something newer is there; it is kept as history. */
  readonly newest: boolean;
  /** The same vehicle, time and content had been saved before. */
  readonly duplicate: boolean;
  /** Where the vehicle was before this save, when it was known. */
  readonly previous: Pick<VehicleLocation, 'lat' | 'lon' | 'region'> | undefined;
}

/**
 * The database, as the fleet needs it. A read takes many ids and answers with those that exist, in one statement.
 * A method rejects when the database does; it never answers with less than it was asked.
 */
export interface FleetRepository {
  vehicles(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, Vehicle>>;
  statuses(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, VehicleStatus>>;
  locations(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, VehicleLocation>>;
  /** The newest 20 of each vehicle, newest first; a vehicle that exists and has none has an empty list. */
  trips(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, Trip[]>>;
  fuelRecords(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, FuelRecord[]>>;
  maintenanceRecords(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, MaintenanceRecord[]>>;
  /** Vehicles in service, in order of id, after `after`; at most `limit`. */
  activeVehicleIds(
    page: { readonly after: VehicleId | undefined; readonly limit: number },
    call: LoadCall,
  ): Promise<VehicleId[]>;
  /** Newest positions within a box, borders included; at most `limit`. */
  locationsWithin(
    box: { readonly south: number; readonly west: number; readonly north: number; readonly east: number },
    limit: number,
    call: LoadCall,
  ): Promise<VehicleLocation[]>;
  /**
   * Keeps every position as history and moves the newest position of a vehicle forward only (later device time wins;
   * at one time, the one that was there stays). One transaction for all; answers in order of `locations`.
   */
  saveLocations(locations: readonly VehicleLocation[], call: LoadCall): Promise<SavedLocation[]>;
}

export interface RouteRequest {
  readonly origin: { readonly lat: number; readonly lon: number };
  readonly destination: { readonly lat: number; readonly lon: number };
}

export interface RouteEstimate {
  readonly distanceMeters: number;
  readonly durationSeconds: number;
}

/** Travel times from an external API. */
export interface RoutesApi {
  /** @returns undefined when there is no route */
  computeRoute(request: RouteRequest, call: LoadCall): Promise<RouteEstimate | undefined>;
}
