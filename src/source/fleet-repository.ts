import type { Known, LoadCall } from '../core/cache.js';
import { type ChangedRead, LOCATIONS_READ, STATUSES_READ, VEHICLES_READ } from './changed-reads.js';
import {
  ACTIVE_VEHICLE_IDS,
  EWAY_BILLS,
  FUEL_RECORDS,
  LOCATIONS_WITHIN,
  type LocationRow,
  MAINTENANCE_RECORDS,
  type MaintenanceRow,
  TRIPS,
  type TripRow,
  toEwayBill,
  toFuelRecord,
  toLists,
  toLocation,
  toMaintenanceRecord,
  toTrip,
} from './fleet-reads.js';
import type {
  Box,
  EwayBill,
  FleetSource,
  FuelRecord,
  IdPage,
  MaintenanceRecord,
  ReportedLocation,
  SavedLocation,
  Trip,
  Vehicle,
  VehicleId,
  VehicleLocation,
  VehicleStatus,
} from './fleet-records.js';
import {
  EWAY_BILL_UPSERT,
  FUEL_RECORD_UPSERT,
  MAINTENANCE_RECORD_UPSERT,
  STATUS_UPSERT,
  TRIP_UPSERT,
  type Upsert,
  VEHICLE_UPSERT,
} from './fleet-upserts.js';
import {
  LocationVerdicts,
  SAVE_LOCATIONS,
  type SavedRow,
  type SettledRow,
  saveLocationsValues,
} from './location-writes.js';
import { SETTLE_LOCATIONS, settleLocationsValues } from './moment-writes.js';
import type { PostgresPool, Statement } from './postgres-pool.js';

/** Records per upsert; keeps each statement far from its timeout. */
const UPSERT_MAX = 1_000;

/**
 * The fleet in PostgreSQL, in the tables of `migrations/`. Every read is one statement. Every method rejects as
 * `PostgresPool.query` does, with `invalid-value` for a time that is none, and with `level-failed` when the database
 * refuses a value; its message then names the check.
 */
export class PostgresFleetRepository implements FleetSource {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  vehicles(
    ids: readonly VehicleId[],
    call: LoadCall,
    known?: Known<VehicleId, Vehicle>,
  ): Promise<Map<VehicleId, Vehicle>> {
    return this.#readChanged(VEHICLES_READ, ids, call, known);
  }

  statuses(
    ids: readonly VehicleId[],
    call: LoadCall,
    known?: Known<VehicleId, VehicleStatus>,
  ): Promise<Map<VehicleId, VehicleStatus>> {
    return this.#readChanged(STATUSES_READ, ids, call, known);
  }

  locations(
    ids: readonly VehicleId[],
    call: LoadCall,
    known?: Known<VehicleId, VehicleLocation>,
  ): Promise<Map<VehicleId, VehicleLocation>> {
    return this.#readChanged(LOCATIONS_READ, ids, call, known);
  }

  async trips(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, Trip[]>> {
    return toLists(await this.#read<TripRow>(TRIPS, ids, call), toTrip);
  }

  async fuelRecords(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, FuelRecord[]>> {
    return toLists(await this.#read<FuelRecord>(FUEL_RECORDS, ids, call), toFuelRecord);
  }

  async maintenanceRecords(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, MaintenanceRecord[]>> {
    return toLists(await this.#read<MaintenanceRow>(MAINTENANCE_RECORDS, ids, call), toMaintenanceRecord);
  }

  async ewayBills(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, EwayBill[]>> {
    return toLists(await this.#read<EwayBill>(EWAY_BILLS, ids, call), toEwayBill);
  }

  async activeVehicleIds({ after, limit }: IdPage, call: LoadCall): Promise<VehicleId[]> {
    const rows = await this.#pool.query<{ id: VehicleId }>(
      ACTIVE_VEHICLE_IDS,
      [after ?? null, limit],
      this.#pool.callOf(call),
    );
    return rows.map((row) => row.id);
  }

  async locationsWithin(box: Box, limit: number, call: LoadCall): Promise<VehicleLocation[]> {
    const borders = [
      Math.max(box.south, -90),
      Math.max(box.west, -180),
      Math.min(box.north, 90),
      Math.min(box.east, 180),
    ];
    const rows = await this.#pool.query<LocationRow>(LOCATIONS_WITHIN, [...borders, limit], this.#pool.callOf(call));
    return rows.map(toLocation);
  }

  /**
   * In one transaction; then, where vehicles did not move or one of several positions of one time is to be chosen, a
   * second one that changes nothing else. Who is interrupted between the two has no answer, and saves again.
   */
  async saveLocations(locations: readonly ReportedLocation[], call: LoadCall): Promise<SavedLocation[]> {
    if (locations.length === 0) return [];
    const both = this.#pool.callOf(call);
    const saved = await this.#pool.query<SavedRow>(SAVE_LOCATIONS, saveLocationsValues(locations), both);
    const verdicts = new LocationVerdicts(locations, saved);
    const { open } = verdicts;
    if (open.length > 0) {
      verdicts.learn(await this.#pool.query<SettledRow>(SETTLE_LOCATIONS, settleLocationsValues(open), both));
    }
    return verdicts.all();
  }

  /** Inserts or replaces vehicles; one that is known with a later `updatedAt` stays as it is. */
  saveVehicles(vehicles: readonly Vehicle[], call: LoadCall): Promise<void> {
    return this.#upsert(VEHICLE_UPSERT, vehicles, call);
  }

  /** Inserts or replaces statuses; one that is known with a later `updatedAt` stays. The vehicles must exist. */
  saveStatuses(statuses: readonly VehicleStatus[], call: LoadCall): Promise<void> {
    return this.#upsert(STATUS_UPSERT, statuses, call);
  }

  /** Inserts or replaces trips by their id. The vehicles must exist; the same holds for the two below. */
  saveTrips(trips: readonly Trip[], call: LoadCall): Promise<void> {
    return this.#upsert(TRIP_UPSERT, trips, call);
  }

  saveFuelRecords(records: readonly FuelRecord[], call: LoadCall): Promise<void> {
    return this.#upsert(FUEL_RECORD_UPSERT, records, call);
  }

  saveMaintenanceRecords(records: readonly MaintenanceRecord[], call: LoadCall): Promise<void> {
    return this.#upsert(MAINTENANCE_RECORD_UPSERT, records, call);
  }

  saveEwayBills(bills: readonly EwayBill[], call: LoadCall): Promise<void> {
    return this.#upsert(EWAY_BILL_UPSERT, bills, call);
  }

  /** Of what is known, the database sends only the rows that say something else. */
  async #readChanged<Row extends object, T>(
    read: ChangedRead<Row, T>,
    ids: readonly VehicleId[],
    call: LoadCall,
    known: Known<VehicleId, T> | undefined,
  ): Promise<Map<VehicleId, T>> {
    const held = new Map<VehicleId, T>();
    for (const id of ids) {
      const value = known?.(id);
      if (value !== undefined) held.set(id, value);
    }
    if (held.size === 0) {
      return new Map((await this.#read<Row>(read.all, ids, call)).map((row) => [read.idOf(row), read.valueOf(row)]));
    }
    const digests = ids.map((id) => {
      const value = held.get(id);
      return value === undefined ? null : read.digestOf(value);
    });
    const rows = await this.#pool.query<Row>(read.changed, [ids, digests], this.#pool.callOf(call));
    return new Map(
      rows.map((row) => {
        const id = read.idOf(row);
        return [id, read.isSent(row) ? read.valueOf(row) : (held.get(id) as T)];
      }),
    );
  }

  async #read<Row extends object>(
    statement: Statement,
    ids: readonly VehicleId[],
    call: LoadCall,
  ): Promise<readonly Row[]> {
    return ids.length === 0 ? [] : this.#pool.query<Row>(statement, [ids], this.#pool.callOf(call));
  }

  /** One statement per 1,000 records; when one fails, those before it are saved, and saving again does no harm. */
  async #upsert<T>({ statement, values }: Upsert<T>, records: readonly T[], call: LoadCall): Promise<void> {
    const all = this.#pool.callOf(call);
    for (let from = 0; from < records.length; from += UPSERT_MAX) {
      const batch = records.slice(from, from + UPSERT_MAX);
      await this.#pool.query(statement, values(batch), all);
    }
  }
}
