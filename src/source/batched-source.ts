import type { LoadCall } from '../core/cache.js';
import type { Clock } from '../core/clock.js';
import { BatchedReads } from './batched-reads.js';
import { BatchedSaves } from './batched-saves.js';
import type {
  Box,
  EwayBill,
  FleetSource,
  FuelRecord,
  IdPage,
  MaintenanceRecord,
  ReadChanged,
  ReadMany,
  ReportedLocation,
  SavedLocation,
  Trip,
  Vehicle,
  VehicleId,
  VehicleLocation,
  VehicleStatus,
} from './fleet-records.js';

/**
 * A source whose reads of one kind, and whose saves of positions, are put together into few statements (see
 * `BatchedReads` and `BatchedSaves`). The rest goes through as it comes.
 */
export class BatchedSource implements FleetSource {
  readonly #source: FleetSource;
  readonly #saves: BatchedSaves;
  readonly vehicles: ReadChanged<Vehicle>;
  readonly statuses: ReadChanged<VehicleStatus>;
  readonly locations: ReadChanged<VehicleLocation>;
  readonly trips: ReadMany<Trip[]>;
  readonly fuelRecords: ReadMany<FuelRecord[]>;
  readonly maintenanceRecords: ReadMany<MaintenanceRecord[]>;
  readonly ewayBills: ReadMany<EwayBill[]>;

  constructor(clock: Clock, source: FleetSource) {
    this.#source = source;
    this.#saves = new BatchedSaves(clock, (locations, call) => source.saveLocations(locations, call));
    this.vehicles = batched(clock, 'vehicles', (ids, call, known) => source.vehicles(ids, call, known));
    this.statuses = batched(clock, 'statuses', (ids, call, known) => source.statuses(ids, call, known));
    this.locations = batched(clock, 'locations', (ids, call, known) => source.locations(ids, call, known));
    this.trips = batched(clock, 'trips', (ids, call) => source.trips(ids, call));
    this.fuelRecords = batched(clock, 'fuel records', (ids, call) => source.fuelRecords(ids, call));
    this.maintenanceRecords = batched(clock, 'maintenance records', (ids, call) =>
      source.maintenanceRecords(ids, call),
    );
    this.ewayBills = batched(clock, 'e-way bills', (ids, call) => source.ewayBills(ids, call));
  }

  activeVehicleIds(page: IdPage, call: LoadCall): Promise<VehicleId[]> {
    return this.#source.activeVehicleIds(page, call);
  }

  locationsWithin(box: Box, limit: number, call: LoadCall): Promise<VehicleLocation[]> {
    return this.#source.locationsWithin(box, limit, call);
  }

  saveLocations(locations: readonly ReportedLocation[], call: LoadCall): Promise<SavedLocation[]> {
    return this.#saves.save(locations, call);
  }
}

function batched<T>(clock: Clock, name: string, read: ReadChanged<T>): ReadChanged<T> {
  const reads = new BatchedReads(clock, name, read);
  return (ids, call, known) => reads.read(ids, call, known);
}
