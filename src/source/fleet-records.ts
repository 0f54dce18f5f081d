import type { Known, LoadCall } from '../core/cache.js';

/** An unsigned 64-bit number in decimal digits, no leading zeros. */
export type VehicleId = string;

export interface Vehicle {
  readonly id: VehicleId;
  readonly registration: string;
  readonly type: 'truck' | 'bus';
  readonly model: string;
  readonly city: 'mumbai' | 'delhi' | 'bengaluru' | 'chennai' | 'hyderabad' | 'kolkata' | 'pune';
  readonly operatorId: string;
  readonly capacityKg: number;
  readonly active: boolean;
  readonly updatedAt: Date;
}

export interface VehicleStatus {
  readonly vehicleId: VehicleId;
  readonly state: 'moving' | 'idling' | 'parked' | 'workshop';
  readonly fuelPercent: number;
  readonly odometerKm: number;
  readonly updatedAt: Date;
}

export interface VehicleLocation {
  readonly vehicleId: VehicleId;
  readonly lat: number;
  readonly lon: number;
  readonly speedKmh: number;
  readonly headingDeg: number | undefined;
  readonly engineOn: boolean;
  readonly at: Date;
  /** Stored as given. */
  readonly region: string;
  /**
   * Left out, or, where several reports have this very time, a number that grows whenever one is chosen among them from
   * more of them than before. Given by the database.
   */
  readonly revision?: number | undefined;
}

/** A position as it is to be saved. */
export interface ReportedLocation extends VehicleLocation {
  /** Kept by the device while it was offline: no live position waits for it, and of two of one time the live one counts. */
  readonly history?: boolean | undefined;
  /** Frame number of the tracker's message, 1 to 999999 and then from 1 again: of two of one time the later one counts. */
  readonly frame?: number | undefined;
}

export interface Trip {
  readonly id: string;
  readonly vehicleId: VehicleId;
  readonly origin: string;
  readonly destination: string;
  readonly distanceKm: number;
  readonly startedAt: Date;
  readonly plannedArrivalAt: Date;
  readonly arrivedAt: Date | undefined;
}

export interface FuelRecord {
  readonly id: string;
  readonly vehicleId: VehicleId;
  readonly at: Date;
  readonly litres: number;
  readonly odometerKm: number;
  readonly costInr: number;
}

export interface MaintenanceRecord {
  readonly id: string;
  readonly vehicleId: VehicleId;
  readonly at: Date;
  readonly work: string;
  readonly nextDueAt: Date | undefined;
}

export interface EwayBill {
  readonly id: string;
  readonly vehicleId: VehicleId;
  readonly madeAt: Date;
  readonly distanceKm: number;
  readonly validUntil: Date;
}

/** What became of one saved position. */
export interface SavedLocation {
  /** It is, or says the same as, the newest position of its vehicle now. */
  readonly newest: boolean;
  /** The same vehicle, time, place and speed had been saved before, or came earlier in the same batch. */
  readonly duplicate: boolean;
  /** The newest position before this batch, when there was one. */
  readonly previous: Pick<VehicleLocation, 'lat' | 'lon' | 'region'> | undefined;
  /**
   * The newest position as the database has it, where that has the time of this one and may say something else: the cache
   * is to be told of it, whoever reported it. Of several positions of one time, one more may bring an earlier one back.
   */
  readonly stored?: VehicleLocation;
}

/** A rectangle in degrees, borders included; one that crosses the 180th meridian is empty. */
export interface Box {
  readonly south: number;
  readonly west: number;
  readonly north: number;
  readonly east: number;
}

/** A page of ids: at most `limit` of those after `after`. */
export interface IdPage {
  readonly after: VehicleId | undefined;
  readonly limit: number;
}

/** Reads many ids in one go; answers with those that exist. */
export type ReadMany<T> = (ids: readonly VehicleId[], call: LoadCall) => Promise<Map<VehicleId, T>>;

/** The same; where all that is there of an id is what is known of it, the answer may be that very value. */
export type ReadChanged<T> = (
  ids: readonly VehicleId[],
  call: LoadCall,
  known?: Known<VehicleId, T>,
) => Promise<Map<VehicleId, T>>;

/** What a database of the fleet can be asked and told. */
export interface FleetSource {
  readonly vehicles: ReadChanged<Vehicle>;
  readonly statuses: ReadChanged<VehicleStatus>;
  readonly locations: ReadChanged<VehicleLocation>;
  readonly trips: ReadMany<Trip[]>;
  readonly fuelRecords: ReadMany<FuelRecord[]>;
  readonly maintenanceRecords: ReadMany<MaintenanceRecord[]>;
  readonly ewayBills: ReadMany<EwayBill[]>;
  activeVehicleIds(page: IdPage, call: LoadCall): Promise<VehicleId[]>;
  locationsWithin(box: Box, limit: number, call: LoadCall): Promise<VehicleLocation[]>;
  saveLocations(locations: readonly ReportedLocation[], call: LoadCall): Promise<SavedLocation[]>;
}
