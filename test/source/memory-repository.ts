import type { LoadCall } from '../../src/core/cache.js';
import { CacheError } from '../../src/core/errors.js';
import type {
  EwayBill,
  FuelRecord,
  MaintenanceRecord,
  Trip,
  Vehicle,
  VehicleId,
  VehicleLocation,
  VehicleStatus,
} from '../../src/fleet/domain.js';
import type { FleetRepository, ReportedLocation, SavedLocation } from '../../src/fleet/ports.js';
import { type Claim, chosenOf } from './moment-oracle.js';

const LIST_MAX = 20;

interface Settled {
  readonly previous: SavedLocation['previous'];
  readonly stored: VehicleLocation | undefined;
}

/** All that was reported of one place and time, as one. */
interface Known extends Claim {
  /** 1, and one more for each report that changed what was known. */
  readonly revision: number;
}

/**
 * The fleet's database in memory, for unit tests: `MemoryRepository` has every method of `FleetRepository`, the
 * batched upserts by which data gets in (`saveVehicles`, `saveStatuses`, `saveTrips`, `saveFuelRecords`,
 * `saveMaintenanceRecords`, `saveEwayBills`), `history(id)` for every position that was ever saved, and `queries`, how often it was
 * asked. It passes the same contract suite as PostgreSQL. Exports: `MemoryRepository`.
 */
export class MemoryRepository implements FleetRepository {
  /** Calls of any method so far; each would be a statement. */
  queries = 0;

  readonly #vehicles = new Map<VehicleId, Vehicle>();
  readonly #statuses = new Map<VehicleId, VehicleStatus>();
  readonly #locations = new Map<VehicleId, VehicleLocation>();
  readonly #history = new Map<VehicleId, Map<string, Known>>();
  readonly #trips = new Map<string, Trip>();
  readonly #fuelRecords = new Map<string, FuelRecord>();
  readonly #maintenanceRecords = new Map<string, MaintenanceRecord>();
  readonly #ewayBills = new Map<string, EwayBill>();

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

  async ewayBills(ids: readonly VehicleId[], call: LoadCall): Promise<Map<VehicleId, EwayBill[]>> {
    this.#enter(call);
    return this.#newest(ids, this.#ewayBills, (bill) => bill.madeAt);
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

  async saveLocations(locations: readonly ReportedLocation[], call: LoadCall): Promise<SavedLocation[]> {
    this.#enter(call);
    for (const location of locations) checkLocation(location);
    const isNew = new Set<ReportedLocation>();
    const batch = new Map<string, Known>();
    for (const report of locations) {
      const key = `${report.vehicleId} ${identityOf(report)}`;
      const same = batch.get(key);
      batch.set(key, same === undefined ? knownOf(report) : merged(same, knownOf(report)));
      if (same === undefined && !this.#isKnown(report)) isNew.add(report);
    }
    for (const known of batch.values()) this.#append({ ...known, revision: 1 });
    const verdicts = new Map<VehicleId, Settled>();
    for (const id of new Set(locations.map(({ vehicleId }) => vehicleId)))
      verdicts.set(id, this.#settle(id, locations));
    return locations.map((report) => {
      const { previous, stored } = verdicts.get(report.vehicleId) ?? {};
      const newest = identityOf(this.#locations.get(report.vehicleId) as VehicleLocation) === identityOf(report);
      const verdict = { newest, duplicate: !isNew.delete(report), previous };
      return stored?.at.getTime() === report.at.getTime() ? { ...verdict, stored: structuredClone(stored) } : verdict;
    });
  }

  /** Every position that was saved of a vehicle, newest first. */
  async history(id: VehicleId): Promise<VehicleLocation[]> {
    return [...(this.#history.get(id)?.values() ?? [])]
      .map(({ location }) => structuredClone(location))
      .sort((a, b) => b.at.getTime() - a.at.getTime());
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

  saveEwayBills(bills: readonly EwayBill[], call: LoadCall): Promise<void> {
    return this.#saveRecords(this.#ewayBills, bills, call);
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

  #isKnown(report: VehicleLocation): boolean {
    return this.#history.get(report.vehicleId)?.has(identityOf(report)) === true;
  }

  #append(known: Known): void {
    const { vehicleId } = known.location;
    let positions = this.#history.get(vehicleId);
    if (positions === undefined) {
      positions = new Map();
      this.#history.set(vehicleId, positions);
    }
    const identity = identityOf(known.location);
    const other = positions.get(identity);
    positions.set(identity, other === undefined ? known : merged(other, known));
  }

  /** Moves the newest position of a vehicle forward, or chooses among those of its time. */
  #settle(id: VehicleId, batch: readonly VehicleLocation[]): Settled {
    const ofVehicle = batch.filter(({ vehicleId }) => vehicleId === id);
    const latestMs = Math.max(...ofVehicle.map(({ at }) => at.getTime()));
    const latest = ofVehicle.filter(({ at }) => at.getTime() === latestMs);
    const before = this.#locations.get(id);
    const isMoved = before === undefined || latestMs > before.at.getTime();
    if (isMoved) this.#locations.set(id, structuredClone(latest[0] as VehicleLocation));
    if (isMoved && latest.length === 1) {
      this.#locations.set(id, (this.#knownAt(id, latestMs)[0] as Known).location);
      return { previous: placeOf(before), stored: undefined };
    }
    const newest = this.#locations.get(id) as VehicleLocation;
    const rivals = newest.at.getTime() === latestMs ? this.#knownAt(id, latestMs) : [];
    const revision = rivals.reduce((sum, known) => sum + known.revision, 0);
    if (revision > (isMoved ? 0 : (newest.revision ?? 1))) {
      const { location } = chosenOf(rivals);
      this.#locations.set(id, revision === 1 ? location : { ...location, revision });
    }
    return { previous: placeOf(before), stored: this.#locations.get(id) };
  }

  #knownAt(id: VehicleId, ms: number): Known[] {
    return [...(this.#history.get(id)?.values() ?? [])].filter(({ location }) => location.at.getTime() === ms);
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

function knownOf({ history, frame, ...location }: ReportedLocation): Known {
  return { location: structuredClone(location), history: history === true, frame, revision: 1 };
}

/** What two reports of one place and time say together, whichever came first. */
function merged(known: Known, other: Known): Known {
  const headings = [known, other].flatMap(({ location: { headingDeg } }) =>
    headingDeg === undefined ? [] : [headingDeg],
  );
  const frames = [known, other].flatMap(({ frame }) => (frame === undefined ? [] : [frame]));
  const both = {
    location: {
      ...known.location,
      headingDeg: headings.length === 0 ? undefined : Math.max(...headings),
      engineOn: known.location.engineOn || other.location.engineOn,
    },
    history: known.history && other.history,
    frame: frames.length === 0 ? undefined : Math.max(...frames),
  };
  const isChanged =
    both.location.headingDeg !== known.location.headingDeg ||
    both.location.engineOn !== known.location.engineOn ||
    both.history !== known.history ||
    both.frame !== known.frame;
  return { ...both, revision: known.revision + (isChanged ? 1 : 0) };
}

function placeOf(location: VehicleLocation | undefined): SavedLocation['previous'] {
  return location && { lat: location.lat, lon: location.lon, region: location.region };
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
