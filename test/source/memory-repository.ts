import type { LoadCall } from '../../src/core/cache.js';
import { CacheError } from '../../src/core/errors.js';
import type {
  FuelRecord,
  MaintenanceRecord,
  Trip,
  Vehicle,
  VehicleId,
  VehicleLocation,
  VehicleStatus,
} from '../../src/fleet/domain.js';
import type { FleetRepository, SavedLocation } from '../../src/fleet/ports.js';

const LIST_MAX = 20;

/**
 * The fleet's database in memory, for unit tests: `MemoryRepository` has every method of `FleetRepository`, the
 * batched upserts by which data gets in (`saveVehicles`, `saveStatuses`, `saveTrips`, `saveFuelRecords`,
 * `saveMaintenanceRecords`), `history(id)` for every position that was ever saved, and `queries`, how often it was
 * asked. It passes the same contract suite as PostgreSQL. Exports: `MemoryRepository`.
 */
export class MemoryRepository implements FleetRepository {
  /** Calls of any method so far; each would be a statement. */
  queries = 0;

  readonly #vehicles = new Map<VehicleId, Vehicle>();
  readonly #statuses = new Map<VehicleId, VehicleStatus>();
  readonly #locations = new Map<VehicleId, VehicleLocation>();
  readonly #history = new Map<VehicleId, Map<string, VehicleLocation>>();
  readonly #trips = new Map<string, Trip>();
  readonly #fuelRecords = new Map<string, FuelRecord>();
  readonly #maintenanceRecords = new Map<string, MaintenanceRecord>();

  async vehicles(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, Vehicle>> {
    this.#enter(call);
    return pick(this.#vehicles, ids);
  }

  async statuses(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, VehicleStatus>> {
    this.#enter(call);
    return pick(this.#statuses, ids);
  }

  async locations(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, VehicleLocation>> {
    this.#enter(call);
    return pick(this.#locations, ids);
  }

  async trips(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, Trip[]>> {
    this.#enter(call);
    return this.#newest(ids, this.#trips, (trip) => trip.startedAt);
  }

  async fuelRecords(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, FuelRecord[]>> {
    this.#enter(call);
    return this.#newest(ids, this.#fuelRecords, (record) => record.at);
  }

  async maintenanceRecords(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, MaintenanceRecord[]>> {
    this.#enter(call);
    return this.#newest(ids, this.#maintenanceRecords, (record) => record.at);
  }

  async activeVehicleIds(
    page: { readonly after: VehicleId | undefined; readonly limit: number },
    call: LoadCall,
  ): Promise<VehicleId[]> {
    this.#enter(call);
    const { after } = page;
    return [...this.#vehicles.values()]
      .filter((vehicle) => vehicle.active && (after === undefined || compareIds(vehicle.id, after) > 0))
      .map((vehicle) => vehicle.id)
      .sort(compareIds)
      .slice(0, page.limit);
  }

  async locationsWithin(
    box: { readonly south: number; readonly west: number; readonly north: number; readonly east: number },
    limit: number,
    call: LoadCall,
  ): Promise<VehicleLocation[]> {
    this.#enter(call);
    return [...this.#locations.values()]
      .filter(({ lat, lon }) => lat >= box.south && lat <= box.north && lon >= box.west && lon <= box.east)
      .sort((a, b) => compareIds(a.vehicleId, b.vehicleId))
      .slice(0, limit)
      .map((location) => structuredClone(location));
  }

  async saveLocations(locations: readonly VehicleLocation[], call: LoadCall): Promise<SavedLocation[]> {
    this.#enter(call);
    for (const location of locations) checkLocation(location);
    const before = pick(
      this.#locations,
      locations.map((location) => location.vehicleId),
    );
    const appended = locations.map((location) => this.#append(location));
    for (const location of locations) this.#moveForward(location);
    return locations.map((location, index) => {
      const newest = this.#locations.get(location.vehicleId);
      const previous = before.get(location.vehicleId);
      return {
        newest: newest !== undefined && identityOf(newest) === identityOf(location),
        duplicate: appended[index] === false,
        previous: previous && { lat: previous.lat, lon: previous.lon, region: previous.region },
      };
    });
  }

  /** Every position that was saved of a vehicle, newest first. */
  async history(id: VehicleId): Promise<VehicleLocation[]> {
    return [...(this.#history.get(id)?.values() ?? [])]
      .sort((a, b) => b.at.getTime() - a.at.getTime())
      .map((location) => structuredClone(location));
  }

  async saveVehicles(vehicles: readonly Vehicle[], call: LoadCall): Promise<void> {
    this.#enter(call);
    for (const vehicle of vehicles) {
      const known = this.#vehicles.get(vehicle.id);
      if (known === undefined || vehicle.updatedAt >= known.updatedAt) {
        this.#vehicles.set(vehicle.id, structuredClone(vehicle));
      }
    }
  }

  async saveStatuses(statuses: readonly VehicleStatus[], call: LoadCall): Promise<void> {
    this.#enter(call);
    for (const status of statuses) this.#checkVehicle(status.vehicleId);
    for (const status of statuses) {
      const known = this.#statuses.get(status.vehicleId);
      if (known === undefined || status.updatedAt >= known.updatedAt) {
        this.#statuses.set(status.vehicleId, structuredClone(status));
      }
    }
  }

  saveTrips(trips: readonly Trip[], call: LoadCall): Promise<void> {
    return this.#saveRecords(this.#trips, trips, call);
  }

  saveFuelRecords(records: readonly FuelRecord[], call: LoadCall): Promise<void> {
    return this.#saveRecords(this.#fuelRecords, records, call);
  }

  saveMaintenanceRecords(records: readonly MaintenanceRecord[], call: LoadCall): Promise<void> {
    return this.#saveRecords(this.#maintenanceRecords, records, call);
  }

  async #saveRecords<T extends { readonly id: string; readonly vehicleId: VehicleId }>(
    into: Map<string, T>,
    records: readonly T[],
    call: LoadCall,
  ): Promise<void> {
    this.#enter(call);
    for (const record of records) this.#checkVehicle(record.vehicleId);
    for (const record of records) into.set(record.id, structuredClone(record));
  }

  #newest<T extends { readonly id: string; readonly vehicleId: VehicleId }>(
    ids: readonly VehicleId[],
    records: ReadonlyMap<string, T>,
    timeOf: (record: T) => Date,
  ): Map<VehicleId, T[]> {
    const lists = new Map<VehicleId, T[]>();
    for (const id of ids) if (this.#vehicles.has(id)) lists.set(id, []);
    for (const record of records.values()) lists.get(record.vehicleId)?.push(structuredClone(record));
    for (const list of lists.values()) {
      list.sort((a, b) => timeOf(b).getTime() - timeOf(a).getTime() || (a.id < b.id ? 1 : -1));
      list.splice(LIST_MAX);
    }
    return lists;
  }

  /** @returns false when the position was there already */
  #append(location: VehicleLocation): boolean {
    let positions = this.#history.get(location.vehicleId);
    if (positions === undefined) {
      positions = new Map();
      this.#history.set(location.vehicleId, positions);
    }
    const identity = identityOf(location);
    if (positions.has(identity)) return false;
    positions.set(identity, structuredClone(location));
    return true;
  }

  #moveForward(location: VehicleLocation): void {
    const newest = this.#locations.get(location.vehicleId);
    if (newest === undefined || location.at > newest.at) {
      this.#locations.set(location.vehicleId, structuredClone(location));
    }
  }

  #checkVehicle(id: VehicleId): void {
    if (!this.#vehicles.has(id)) throw new CacheError('level-failed', `there is no vehicle ${id}`);
  }

  #enter(call: LoadCall): void {
    if (call.signal.aborted) throw new CacheError('aborted', 'the caller gave up', { cause: call.signal.reason });
    this.queries += 1;
  }
}

function pick<T>(from: ReadonlyMap<VehicleId, T>, ids: readonly VehicleId[]): Map<VehicleId, T> {
  const found = new Map<VehicleId, T>();
  for (const id of ids) {
    const value = from.get(id);
    if (value !== undefined) found.set(id, structuredClone(value));
  }
  return found;
}

/** What makes two reports of one vehicle the same report. */
function identityOf({ at, lat, lon, speedKmh }: VehicleLocation): string {
  return `${at.getTime()} ${lat} ${lon} ${speedKmh}`;
}

function checkLocation({ vehicleId, at, lat, lon, speedKmh, headingDeg }: VehicleLocation): void {
  const isPossible =
    Number.isFinite(at.getTime()) &&
    Math.abs(lat) <= 90 &&
    Math.abs(lon) <= 180 &&
    speedKmh >= 0 &&
    speedKmh < Number.POSITIVE_INFINITY &&
    (headingDeg === undefined || (headingDeg >= 0 && headingDeg < 360));
  if (!isPossible) throw new CacheError('level-failed', `a position of vehicle ${vehicleId} is impossible`);
}

/** Canonical ids of different length differ in size; those of one length compare as text. */
function compareIds(a: VehicleId, b: VehicleId): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}
