import type { EwayBill, FuelRecord, MaintenanceRecord, Trip, Vehicle, VehicleStatus } from './fleet-records.js';
import type { Statement } from './postgres-pool.js';
import { dateToTimestamp } from './postgres-types.js';

interface Column<T> {
  readonly name: string;
  readonly type: 'numeric' | 'text' | 'float8' | 'boolean' | 'timestamptz';
  readonly of: (record: T) => string | number | boolean | null;
}

/** Writes many records of one kind in one statement: new ones are inserted, known ones replaced. */
export interface Upsert<T> {
  readonly statement: Statement;
  values(records: readonly T[]): readonly unknown[][];
}

export const VEHICLE_UPSERT: Upsert<Vehicle> = upsert({
  table: 'vehicles',
  fence: 'updated_at',
  columns: [
    { name: 'id', type: 'numeric', of: (vehicle) => vehicle.id },
    { name: 'registration', type: 'text', of: (vehicle) => vehicle.registration },
    { name: 'type', type: 'text', of: (vehicle) => vehicle.type },
    { name: 'model', type: 'text', of: (vehicle) => vehicle.model },
    { name: 'city', type: 'text', of: (vehicle) => vehicle.city },
    { name: 'operator_id', type: 'text', of: (vehicle) => vehicle.operatorId },
    { name: 'capacity_kg', type: 'float8', of: (vehicle) => vehicle.capacityKg },
    { name: 'active', type: 'boolean', of: (vehicle) => vehicle.active },
    { name: 'updated_at', type: 'timestamptz', of: (vehicle) => dateToTimestamp(vehicle.updatedAt) },
  ],
});

export const STATUS_UPSERT: Upsert<VehicleStatus> = upsert({
  table: 'vehicle_statuses',
  fence: 'updated_at',
  columns: [
    { name: 'vehicle_id', type: 'numeric', of: (status) => status.vehicleId },
    { name: 'state', type: 'text', of: (status) => status.state },
    { name: 'fuel_percent', type: 'float8', of: (status) => status.fuelPercent },
    { name: 'odometer_km', type: 'float8', of: (status) => status.odometerKm },
    { name: 'updated_at', type: 'timestamptz', of: (status) => dateToTimestamp(status.updatedAt) },
  ],
});

export const TRIP_UPSERT: Upsert<Trip> = upsert({
  table: 'trips',
  columns: [
    { name: 'id', type: 'text', of: (trip) => trip.id },
    { name: 'vehicle_id', type: 'numeric', of: (trip) => trip.vehicleId },
    { name: 'origin', type: 'text', of: (trip) => trip.origin },
    { name: 'destination', type: 'text', of: (trip) => trip.destination },
    { name: 'distance_km', type: 'float8', of: (trip) => trip.distanceKm },
    { name: 'started_at', type: 'timestamptz', of: (trip) => dateToTimestamp(trip.startedAt) },
    { name: 'planned_arrival_at', type: 'timestamptz', of: (trip) => dateToTimestamp(trip.plannedArrivalAt) },
    {
      name: 'arrived_at',
      type: 'timestamptz',
      of: (trip) => (trip.arrivedAt ? dateToTimestamp(trip.arrivedAt) : null),
    },
  ],
});

export const FUEL_RECORD_UPSERT: Upsert<FuelRecord> = upsert({
  table: 'fuel_records',
  columns: [
    { name: 'id', type: 'text', of: (record) => record.id },
    { name: 'vehicle_id', type: 'numeric', of: (record) => record.vehicleId },
    { name: 'at', type: 'timestamptz', of: (record) => dateToTimestamp(record.at) },
    { name: 'litres', type: 'float8', of: (record) => record.litres },
    { name: 'odometer_km', type: 'float8', of: (record) => record.odometerKm },
    { name: 'cost_inr', type: 'float8', of: (record) => record.costInr },
  ],
});

export const MAINTENANCE_RECORD_UPSERT: Upsert<MaintenanceRecord> = upsert({
  table: 'maintenance_records',
  columns: [
    { name: 'id', type: 'text', of: (record) => record.id },
    { name: 'vehicle_id', type: 'numeric', of: (record) => record.vehicleId },
    { name: 'at', type: 'timestamptz', of: (record) => dateToTimestamp(record.at) },
    { name: 'work', type: 'text', of: (record) => record.work },
    {
      name: 'next_due_at',
      type: 'timestamptz',
      of: (record) => (record.nextDueAt ? dateToTimestamp(record.nextDueAt) : null),
    },
  ],
});

export const EWAY_BILL_UPSERT: Upsert<EwayBill> = upsert({
  table: 'eway_bills',
  columns: [
    { name: 'id', type: 'text', of: (bill) => bill.id },
    { name: 'vehicle_id', type: 'numeric', of: (bill) => bill.vehicleId },
    { name: 'made_at', type: 'timestamptz', of: (bill) => dateToTimestamp(bill.madeAt) },
    { name: 'distance_km', type: 'float8', of: (bill) => bill.distanceKm },
    { name: 'valid_until', type: 'timestamptz', of: (bill) => dateToTimestamp(bill.validUntil) },
  ],
});

/**
 * The first column is the key. Rows are written in its order, so that two batches never wait for each other's rows in
 * a circle. Of several records with one key the last one counts, or, with a fence, the latest by that column, which
 * then also keeps a late batch from replacing newer rows.
 */
function upsert<T>(definition: {
  readonly table: string;
  readonly columns: readonly [Column<T>, ...Column<T>[]];
  readonly fence?: string;
}): Upsert<T> {
  const { table, columns, fence } = definition;
  const [key, ...others] = columns;
  const names = columns.map((column) => column.name).join(', ');
  const arrays = columns.map((column, index) => `$${index + 1}::${column.type}[]`).join(', ');
  const changes = others.map(({ name }) => `${name} = excluded.${name}`).join(', ');
  return {
    statement: {
      name: `save-${table.replace('_', '-')}`,
      text: `insert into ${table} (${names})
        select distinct on (${key.name}) ${names} from unnest(${arrays}) with ordinality as given(${names}, n)
        order by ${key.name}, ${fence === undefined ? '' : `${fence} desc, `}n desc
        on conflict (${key.name}) do update set ${changes}
        ${fence === undefined ? '' : `where excluded.${fence} >= ${table}.${fence}`}`,
    },
    values: (records) => columns.map((column) => records.map(column.of)),
  };
}
