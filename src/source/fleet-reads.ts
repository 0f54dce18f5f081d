import type { EwayBill, FuelRecord, MaintenanceRecord, Trip, VehicleId, VehicleLocation } from './fleet-records.js';
import type { Statement } from './postgres-pool.js';

/** How many of the newest trips and records of a vehicle are read. */
const LIST_MAX = 20;

/** The columns of a vehicle but its id, named as `Vehicle` has them; the same of the two below. */
export const VEHICLE_COLUMNS = `registration, type, model, city, operator_id as "operatorId", capacity_kg as "capacityKg",
  active, updated_at as "updatedAt"`;

export const VEHICLES: Statement = {
  name: 'vehicles',
  text: `select id, ${VEHICLE_COLUMNS} from vehicles where id = any($1::numeric[])`,
};

export const STATUS_COLUMNS = `state, fuel_percent as "fuelPercent", odometer_km as "odometerKm",
  updated_at as "updatedAt"`;

export const STATUSES: Statement = {
  name: 'statuses',
  text: `select vehicle_id as "vehicleId", ${STATUS_COLUMNS} from vehicle_statuses where vehicle_id = any($1::numeric[])`,
};

export const LOCATION_COLUMNS = `lat, lon, speed_kmh as "speedKmh", heading_deg as "headingDeg",
  engine_on as "engineOn", at, region, revision`;

/** The columns of a newest position, named as `LocationRow` has them. */
export const LOCATION = `vehicle_id as "vehicleId", ${LOCATION_COLUMNS}`;

export const LOCATIONS: Statement = {
  name: 'locations',
  text: `select ${LOCATION} from vehicle_locations where vehicle_id = any($1::numeric[])`,
};

/** The cells narrow it down through their index; the degrees decide. */
export const LOCATIONS_WITHIN: Statement = {
  name: 'locations-within',
  text: `select ${LOCATION} from vehicle_locations
    where lat_cell between floor($1::float8 * 100)::integer and floor($3::float8 * 100)::integer
      and lon_cell between floor($2::float8 * 100)::integer and floor($4::float8 * 100)::integer
      and lat between $1 and $3 and lon between $2 and $4
    order by vehicle_id limit $5`,
};

export const ACTIVE_VEHICLE_IDS: Statement = {
  name: 'active-vehicle-ids',
  text: `select id from vehicles where active and id > coalesce($1::numeric, -1) order by id limit $2`,
};

export const TRIPS = newestOf('trips', {
  time: { column: 'started_at', name: '"startedAt"' },
  others: `origin, destination, distance_km as "distanceKm", planned_arrival_at as "plannedArrivalAt",
    arrived_at as "arrivedAt"`,
});

export const FUEL_RECORDS = newestOf('fuel_records', {
  time: { column: 'at', name: 'at' },
  others: 'litres, odometer_km as "odometerKm", cost_inr as "costInr"',
});

export const MAINTENANCE_RECORDS = newestOf('maintenance_records', {
  time: { column: 'at', name: 'at' },
  others: 'work, next_due_at as "nextDueAt"',
});

export const EWAY_BILLS = newestOf('eway_bills', {
  time: { column: 'made_at', name: '"madeAt"' },
  others: 'distance_km as "distanceKm", valid_until as "validUntil"',
});

/** One row per record, and one without a record (`id` null) for a vehicle that exists and has none. */
function newestOf(
  table: string,
  { time, others }: { readonly time: { readonly column: string; readonly name: string }; readonly others: string },
): Statement {
  return {
    name: table.replace('_', '-'),
    text: `select vehicles.id as "vehicleId", newest.*
      from vehicles left join lateral (
        select id, ${time.column} as ${time.name}, ${others} from ${table}
        where vehicle_id = vehicles.id order by ${time.column} desc, id desc limit ${LIST_MAX}
      ) as newest on true
      where vehicles.id = any($1::numeric[])
      order by vehicles.id, newest.${time.name} desc, newest.id desc`,
  };
}

/** A row as it comes: what a record may lack is null. */
export type LocationRow = Omit<VehicleLocation, 'headingDeg' | 'revision'> & {
  readonly headingDeg: number | null;
  readonly revision: number;
};
export type TripRow = Omit<Trip, 'arrivedAt'> & { readonly arrivedAt: Date | null };
export type MaintenanceRow = Omit<MaintenanceRecord, 'nextDueAt'> & { readonly nextDueAt: Date | null };

export function toLocation(row: LocationRow): VehicleLocation {
  const { vehicleId, lat, lon, speedKmh, headingDeg, engineOn, at, region, revision } = row;
  const location = { vehicleId, lat, lon, speedKmh, headingDeg: headingDeg ?? undefined, engineOn, at, region };
  return revision === 1 ? location : { ...location, revision };
}

export function toTrip(row: TripRow): Trip {
  return { ...row, arrivedAt: row.arrivedAt ?? undefined };
}

export function toFuelRecord(row: FuelRecord): FuelRecord {
  return row;
}

export function toEwayBill(row: EwayBill): EwayBill {
  return row;
}

export function toMaintenanceRecord(row: MaintenanceRow): MaintenanceRecord {
  return { ...row, nextDueAt: row.nextDueAt ?? undefined };
}

/** The lists of the vehicles that exist. The rows of one vehicle come newest first. */
export function toLists<Row extends { readonly id: string | null; readonly vehicleId: VehicleId }, T>(
  rows: readonly Row[],
  toRecord: (row: Row & { readonly id: string }) => T,
): Map<VehicleId, T[]> {
  const lists = new Map<VehicleId, T[]>();
  for (const row of rows) {
    let list = lists.get(row.vehicleId);
    if (list === undefined) {
      list = [];
      lists.set(row.vehicleId, list);
    }
    if (hasRecord(row)) list.push(toRecord(row));
  }
  return lists;
}

function hasRecord<Row extends { readonly id: string | null }>(row: Row): row is Row & { readonly id: string } {
  return row.id !== null;
}
