import {
  LOCATION_COLUMNS,
  LOCATIONS,
  type LocationRow,
  STATUS_COLUMNS,
  STATUSES,
  toLocation,
  VEHICLE_COLUMNS,
  VEHICLES,
} from './fleet-reads.js';
import type { Vehicle, VehicleId, VehicleLocation, VehicleStatus } from './fleet-records.js';
import type { Statement } from './postgres-pool.js';
import { type DigestedColumn, digestSql, rowDigest } from './row-digest.js';

/** A kind of row of which a vehicle has one: how they are read, all of them or those that are not what is known. */
export interface ChangedRead<Row extends object, T> {
  readonly all: Statement;
  /** Given ids and digests: a row for each id that exists, but nothing in it beside the id where that is its digest. */
  readonly changed: Statement;
  digestOf(known: T): string;
  idOf(row: Row): VehicleId;
  isSent(row: Row): boolean;
  valueOf(row: Row): T;
}

export const VEHICLES_READ: ChangedRead<Vehicle, Vehicle> = {
  ...changedRead<Vehicle>(VEHICLES, { table: 'vehicles', id: 'id', columns: VEHICLE_COLUMNS }, [
    { column: 'registration', kind: 'text', value: (vehicle) => vehicle.registration },
    { column: 'type', kind: 'text', value: (vehicle) => vehicle.type },
    { column: 'model', kind: 'text', value: (vehicle) => vehicle.model },
    { column: 'city', kind: 'text', value: (vehicle) => vehicle.city },
    { column: 'operator_id', kind: 'text', value: (vehicle) => vehicle.operatorId },
    { column: 'capacity_kg', kind: 'number', value: (vehicle) => vehicle.capacityKg },
    { column: 'active', kind: 'flag', value: (vehicle) => vehicle.active },
    { column: 'updated_at', kind: 'time', value: (vehicle) => vehicle.updatedAt },
  ]),
  idOf: (row) => row.id,
  isSent: (row) => isGiven(row.updatedAt),
  valueOf: (row) => row,
};

export const STATUSES_READ: ChangedRead<VehicleStatus, VehicleStatus> = {
  ...changedRead<VehicleStatus>(STATUSES, { table: 'vehicle_statuses', id: 'vehicle_id', columns: STATUS_COLUMNS }, [
    { column: 'state', kind: 'text', value: (status) => status.state },
    { column: 'fuel_percent', kind: 'number', value: (status) => status.fuelPercent },
    { column: 'odometer_km', kind: 'number', value: (status) => status.odometerKm },
    { column: 'updated_at', kind: 'time', value: (status) => status.updatedAt },
  ]),
  idOf: (row) => row.vehicleId,
  isSent: (row) => isGiven(row.updatedAt),
  valueOf: (row) => row,
};

export const LOCATIONS_READ: ChangedRead<LocationRow, VehicleLocation> = {
  ...changedRead<VehicleLocation>(
    LOCATIONS,
    { table: 'vehicle_locations', id: 'vehicle_id', columns: LOCATION_COLUMNS },
    [
      { column: 'lat', kind: 'number', value: (location) => location.lat },
      { column: 'lon', kind: 'number', value: (location) => location.lon },
      { column: 'speed_kmh', kind: 'number', value: (location) => location.speedKmh },
      { column: 'heading_deg', kind: 'number', value: (location) => location.headingDeg },
      { column: 'engine_on', kind: 'flag', value: (location) => location.engineOn },
      { column: 'at', kind: 'time', value: (location) => location.at },
      { column: 'region', kind: 'text', value: (location) => location.region },
      { column: 'revision', kind: 'number', value: (location) => location.revision ?? 1 },
    ],
  ),
  idOf: (row) => row.vehicleId,
  isSent: (row) => isGiven(row.at),
  valueOf: toLocation,
};

function changedRead<T>(
  all: Statement,
  { table, id, columns }: { readonly table: string; readonly id: 'id' | 'vehicle_id'; readonly columns: string },
  digested: readonly DigestedColumn<T>[],
): Pick<ChangedRead<never, T>, 'all' | 'changed' | 'digestOf'> {
  return {
    all,
    changed: {
      name: `changed-${all.name}`,
      text: `select ${id}${id === 'id' ? '' : ' as "vehicleId"'}, changed.*
        from unnest($1::numeric[], $2::text[]) as asked (asked_id, digest)
        join ${table} on ${id} = asked_id
        left join lateral (
          select ${columns} where digest is distinct from ${digestSql(digested)}
        ) as changed on true`,
    },
    digestOf: (known) => rowDigest(digested, known),
  };
}

/** A column that is never null is not there in a row that was not sent. */
function isGiven(column: Date): boolean {
  return (column as Date | null) !== null;
}
