import type { Known, LoadCall } from '../core/cache.js';
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
import type { FreightHours, FreightPlace, GoodsVehicle } from './freight-hours.js';

/** A position as it is to be saved. */
export interface ReportedLocation extends VehicleLocation {
  /** Kept by the device while it was offline: no live position may wait for it. */
  readonly history?: boolean | undefined;
  /** Frame number of the tracker's message, 1 to 999999 and then from 1 again. */
  readonly frame?: number | undefined;
}

/** What became of one saved position. */
export interface SavedLocation {
  /** It is the newest of its vehicle after this save. False: something newer is there; it is kept as history. */
  readonly newest: boolean;
  /** The same vehicle, time and content had been saved before. */
  readonly duplicate: boolean;
  /** Where the vehicle was before this save, when it was known. */
  readonly previous: Pick<VehicleLocation, 'lat' | 'lon' | 'region'> | undefined;
  /**
   * The newest position as the database has it, where that has the time of this one and may say something else: the cache
   * is to be told of it, whoever reported it. Of several positions of one time, one more may bring an earlier one back.
   */
  readonly stored?: VehicleLocation;
}

/**
 * The database, as the fleet needs it. A read takes many ids and answers with those that exist, in one statement.
 * A method rejects when the database does; it never answers with less than it was asked. Of what is `known` and is still
 * all that it has of an id, it may answer with that very value. An id that does not exist any more is left out all the same.
 */
export interface FleetRepository {
  vehicles(
    ids: readonly VehicleId[],
    call: LoadCall,
    known?: Known<VehicleId, Vehicle>,
  ): Promise<Map<VehicleId, Vehicle>>;
  statuses(
    ids: readonly VehicleId[],
    call: LoadCall,
    known?: Known<VehicleId, VehicleStatus>,
  ): Promise<Map<VehicleId, VehicleStatus>>;
  locations(
    ids: readonly VehicleId[],
    call: LoadCall,
    known?: Known<VehicleId, VehicleLocation>,
  ): Promise<Map<VehicleId, VehicleLocation>>;
  /** The newest 20 of each vehicle, newest first; a vehicle that exists and has none has an empty list. */
  trips(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, Trip[]>>;
  fuelRecords(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, FuelRecord[]>>;
  maintenanceRecords(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, MaintenanceRecord[]>>;
  ewayBills(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, EwayBill[]>>;
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
   * Keeps every position as history and moves the newest position of a vehicle forward only: later device time wins. Of
   * several reports of one time, the one that counts is a function of all of them, whatever the order in which they came:
   * live before history, then the latest frame number on the circle that they run round, then the larger content; and its
   * `revision` grows whenever that choice was made from more of them. Reports of one time, place and speed are one
   * position. Answers in order of `locations`, and nothing before it is safe. When it
   * rejects, some may have been saved; saving all of them again is safe.
   */
  saveLocations(locations: readonly ReportedLocation[], call: LoadCall): Promise<SavedLocation[]>;
}

/** Goods-vehicle hours other than the standing ones: of a festival, a procession, a day of bad air. */
export interface FreightOrders {
  /** What holds at `wallMs`, and until when at the latest; undefined where the standing orders do. */
  hoursAt(
    place: FreightPlace,
    vehicle: GoodsVehicle,
    wallMs: number,
    call: LoadCall,
  ): Promise<FreightHours | undefined>;
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

export interface Place {
  /** The API's own name for the place. */
  readonly placeId: string;
  readonly address: string;
}

/** Which place is where, from an external API. */
export interface GeocodingApi {
  /** @returns undefined when there is no place with an address */
  placeAt(position: { readonly lat: number; readonly lon: number }, call: LoadCall): Promise<Place | undefined>;
}
