/** Records of a fleet for tests, each complete and each with its changes. */
import type { LoadCall } from '../../src/core/cache.js';
import type {
  EwayBill,
  FuelRecord,
  MaintenanceRecord,
  Trip,
  Vehicle,
  VehicleLocation,
  VehicleStatus,
} from '../../src/fleet/domain.js';

/** When the records of these tests came about. */
export const TIME_MS = Date.UTC(2026, 10, 5, 4, 30, 0, 123);

export function newCall(): LoadCall {
  return { signal: new AbortController().signal, remainingMs: 10_000 };
}

export function makeVehicle(id: string, changes: Partial<Vehicle> = {}): Vehicle {
  return {
    id,
    registration: 'MH12AB1234',
    type: 'truck',
    model: 'Prima 5530',
    city: 'mumbai',
    operatorId: 'operator-1',
    capacityKg: 40_000,
    active: true,
    updatedAt: new Date(TIME_MS),
    ...changes,
  };
}

export function makeLocation(vehicleId: string, offsetMs = 0, changes: Partial<VehicleLocation> = {}): VehicleLocation {
  return {
    vehicleId,
    lat: 19.076,
    lon: 72.8777,
    speedKmh: 41.5,
    headingDeg: 270,
    engineOn: true,
    at: new Date(TIME_MS + offsetMs),
    region: '19.07:72.87',
    ...changes,
  };
}

export function makeStatus(vehicleId: string, changes: Partial<VehicleStatus> = {}): VehicleStatus {
  return {
    vehicleId,
    state: 'moving',
    fuelPercent: 61.7,
    odometerKm: 120_345.6,
    updatedAt: new Date(TIME_MS),
    ...changes,
  };
}

export function makeTrip(id: string, vehicleId: string, offsetMs = 0, changes: Partial<Trip> = {}): Trip {
  return {
    id,
    vehicleId,
    origin: 'Bhiwandi',
    destination: 'Hinjawadi',
    distanceKm: 148.2,
    startedAt: new Date(TIME_MS + offsetMs),
    plannedArrivalAt: new Date(TIME_MS + offsetMs + 4 * 3_600_000),
    arrivedAt: undefined,
    ...changes,
  };
}

export function makeFuelRecord(id: string, vehicleId: string, offsetMs = 0): FuelRecord {
  return {
    id,
    vehicleId,
    at: new Date(TIME_MS + offsetMs),
    litres: 212.35,
    odometerKm: 120_300.1,
    costInr: 19_748.55,
  };
}

export function makeEwayBill(number: number, vehicleId: string, offsetMs = 0): EwayBill {
  return {
    id: String(number).padStart(12, '0'),
    vehicleId,
    madeAt: new Date(TIME_MS + offsetMs),
    distanceKm: 148.5,
    validUntil: new Date(TIME_MS + offsetMs + 86_400_000),
  };
}

export function makeMaintenanceRecord(
  id: string,
  vehicleId: string,
  offsetMs = 0,
  nextDueAt: Date | undefined = undefined,
): MaintenanceRecord {
  return { id, vehicleId, at: new Date(TIME_MS + offsetMs), work: 'brake pads', nextDueAt };
}

/** Where `previous` of a saved position points to. */
export function placeOf({ lat, lon, region }: VehicleLocation): Pick<VehicleLocation, 'lat' | 'lon' | 'region'> {
  return { lat, lon, region };
}
