/** A vehicle's id in its one canonical form: the decimal digits of an unsigned 64-bit number, no leading zeros. */
export type VehicleId = string;

/** How callers may give an id. */
export type VehicleIdInput = bigint | number | string;

/** The seven cities of the platform. */
export const CITIES = ['mumbai', 'delhi', 'bengaluru', 'chennai', 'hyderabad', 'kolkata', 'pune'] as const;
export type City = (typeof CITIES)[number];

/** What changes rarely about a vehicle. */
export interface Vehicle {
  readonly id: VehicleId;
  /** Number plate, such as `MH12AB1234`. */
  readonly registration: string;
  readonly type: 'truck' | 'bus';
  readonly model: string;
  readonly city: City;
  readonly operatorId: string;
  readonly capacityKg: number;
  /** In service; a vehicle that is not keeps its history. */
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

/** Where a vehicle was at one moment. */
export interface VehicleLocation {
  readonly vehicleId: VehicleId;
  readonly lat: number;
  readonly lon: number;
  readonly speedKmh: number;
  /** 0 to 359, clockwise from north; undefined when the device does not say. */
  readonly headingDeg: number | undefined;
  readonly engineOn: boolean;
  /** Time of the device. */
  readonly at: Date;
  /** 0.01-degree cell of the position, see `regionOf`. */
  readonly region: string;
  /** Where the device said several things of this very time: how much was known when this one was chosen. */
  readonly revision?: number | undefined;
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

/** What goods must travel with (CGST Rules, rule 138). */
export interface EwayBill {
  /** Of the portal: twelve digits. */
  readonly id: string;
  readonly vehicleId: VehicleId;
  readonly madeAt: Date;
  readonly distanceKm: number;
  /** As the portal says: it may have been extended. What that means at a time, `ewayBillState` tells. */
  readonly validUntil: Date;
}

/** A position as a tracker reports it. */
export interface LocationUpdate {
  readonly vehicleId: VehicleIdInput;
  readonly lat: number;
  readonly lon: number;
  readonly speedKmh: number;
  readonly headingDeg?: number | undefined;
  readonly engineOn: boolean;
  /** Time of the device: a Date or ms since the epoch. May lie. */
  readonly at: Date | number;
  /** Stored by the device while it was offline (AIS-140 `H`): kept in the database, never shown over a newer one. */
  readonly history?: boolean | undefined;
  /** Frame number of the tracker's message, 1 to 999999: which of two positions of one time is the later. */
  readonly frame?: number | undefined;
}
