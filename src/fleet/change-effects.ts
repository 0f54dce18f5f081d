import type { VehicleId, VehicleLocation } from './domain.js';
import { keys, patterns } from './keys.js';
import { isSignificantMove, locationVersion } from './positions.js';

/** What is known of a row of the database before or after it was changed. */
export interface ChangedRow {
  readonly vehicleId: VehicleId;
  /** Of a row of `vehicles`. */
  readonly active?: boolean;
  /** Of a row of `vehicle_locations`. */
  readonly location?: VehicleLocation;
}

/** A row that somebody inserted (no `before`), changed or deleted (no `after`). With neither, the table was emptied. */
export interface RowChange {
  readonly table:
    | 'vehicles'
    | 'vehicle_statuses'
    | 'vehicle_locations'
    | 'trips'
    | 'fuel_records'
    | 'maintenance_records'
    | 'eway_bills';
  readonly before: ChangedRow | undefined;
  readonly after: ChangedRow | undefined;
}

/** A newer position, and where the vehicle was before. */
export interface Moved {
  readonly location: VehicleLocation;
  readonly previous: VehicleLocation | undefined;
}

/** What changes of rows mean for the cache. */
export interface ChangeEffects {
  /** Whatever is kept there is outdated, or may be. */
  readonly deleted: ReadonlySet<string>;
  readonly deletedPatterns: ReadonlySet<string>;
  /** The same of lists of who is in a region. To be removed before anything is said of positions (`NearbyIndex`). */
  readonly deletedLists: ReadonlySet<string>;
  /** Vehicles whose routes were reckoned from another position. */
  readonly rerouted: ReadonlySet<VehicleId>;
  /** Vehicles whose positions were set back, changed within their time or removed. */
  readonly corrected: ReadonlySet<VehicleId>;
  /** Newer positions, of which the cache may have heard: the fleet's own writes come back here, too. */
  readonly moves: readonly Moved[];
}

/** All that the fleet keeps, for when nobody knows what was changed. */
export const EVERYTHING: Pick<ChangeEffects, 'deleted' | 'deletedPatterns' | 'deletedLists'> = {
  deletedLists: new Set(),
  deleted: new Set([keys.activeIds]),
  deletedPatterns: new Set([
    keys.nearby('*'),
    keys.location('*'),
    keys.status('*'),
    keys.details('*'),
    patterns.trips('*'),
    patterns.fuel('*'),
    keys.maintenance('*'),
    keys.ewayBills('*'),
    patterns.allRoutes,
  ]),
};

/** What is kept of a vehicle in one key, by table. */
const KEY_OF = {
  vehicle_statuses: keys.status,
  trips: keys.trips,
  fuel_records: keys.fuel,
  maintenance_records: keys.maintenance,
  eway_bills: keys.ewayBills,
} as const;

/** What is outdated when a whole table is empty. */
const PATTERNS_OF: Readonly<Record<RowChange['table'], readonly string[]>> = {
  vehicles: [keys.details('*')],
  vehicle_statuses: [keys.status('*')],
  vehicle_locations: [keys.nearby('*'), keys.location('*'), patterns.allRoutes],
  trips: [patterns.trips('*')],
  fuel_records: [patterns.fuel('*')],
  maintenance_records: [keys.maintenance('*')],
  eway_bills: [keys.ewayBills('*')],
};

/** What changes mean together; they are given in the order of the commits. */
export function effectsOf(changes: readonly RowChange[]): ChangeEffects {
  const effects = new Effects();
  for (const change of changes) effects.add(change);
  return effects.collected();
}

/** What follows from newer positions that the cache had not heard of, besides themselves. */
export function effectsOfMoves(moves: readonly Moved[]): Pick<ChangeEffects, 'deletedLists' | 'rerouted'> {
  const deletedLists = new Set<string>();
  const rerouted = new Set<VehicleId>();
  for (const { location, previous } of moves) {
    if (previous !== undefined && !isSignificantMove(previous, location)) continue;
    for (const region of [previous?.region, location.region])
      if (region !== undefined) deletedLists.add(keys.nearby(region));
    rerouted.add(location.vehicleId);
  }
  return { deletedLists, rerouted };
}

class Effects {
  readonly #deleted = new Set<string>();
  readonly #patterns = new Set<string>();
  readonly #lists = new Set<string>();
  readonly #rerouted = new Set<VehicleId>();
  readonly #moves = new Map<VehicleId, Moved>();
  readonly #corrected = new Set<VehicleId>();

  add(change: RowChange): void {
    const { table, before, after } = change;
    if (before === undefined && after === undefined) this.#addEmptied(table);
    else if (table === 'vehicle_locations') this.#addLocation(before, after);
    else if (table === 'vehicles') this.#addVehicle(before, after);
    else for (const row of [before, after]) if (row !== undefined) this.#deleted.add(KEY_OF[table](row.vehicleId));
  }

  collected(): ChangeEffects {
    return {
      deleted: this.#deleted,
      deletedPatterns: this.#patterns,
      deletedLists: this.#lists,
      rerouted: this.#rerouted,
      corrected: this.#corrected,
      moves: [...this.#moves.values()],
    };
  }

  #addEmptied(table: RowChange['table']): void {
    for (const pattern of PATTERNS_OF[table]) this.#patterns.add(pattern);
    if (table === 'vehicles') this.#deleted.add(keys.activeIds);
    // Where vehicles were before is no news any more.
    if (table === 'vehicle_locations') this.#moves.clear();
  }

  #addVehicle(before: ChangedRow | undefined, after: ChangedRow | undefined): void {
    for (const row of [before, after]) {
      if (row === undefined) continue;
      this.#deleted.add(keys.details(row.vehicleId));
      // A vehicle that exists has lists, if empty ones.
      if (before === undefined || after === undefined) {
        for (const keyOf of Object.values(KEY_OF)) this.#deleted.add(keyOf(row.vehicleId));
      }
    }
    if ((before?.active ?? false) !== (after?.active ?? false)) this.#deleted.add(keys.activeIds);
  }

  /**
   * A position of a later version than the one before is as the fleet writes it. Anything else (an earlier time, another
   * place at the same time, a row that is gone) is a correction: the cache goes by the version, and would keep what it has.
   */
  #addLocation(before: ChangedRow | undefined, after: ChangedRow | undefined): void {
    const [from, to] = [before?.location, after?.location];
    const isLater = from !== undefined && to !== undefined && locationVersion(to) > locationVersion(from);
    const isForward = to !== undefined && (before === undefined || isLater);
    if (isForward && !this.#corrected.has(to.vehicleId)) {
      const known = this.#moves.get(to.vehicleId);
      // An outbox may tell of two transactions in another order than that in which they wrote the row.
      const isLatest = known === undefined || locationVersion(to) > locationVersion(known.location);
      if (isLatest) this.#moves.set(to.vehicleId, { location: to, previous: known?.previous ?? from });
      return;
    }
    for (const row of [before, after]) {
      if (row === undefined) continue;
      this.#moves.delete(row.vehicleId);
      this.#corrected.add(row.vehicleId);
      this.#deleted.add(keys.location(row.vehicleId));
      this.#rerouted.add(row.vehicleId);
      if (row.location !== undefined) this.#lists.add(keys.nearby(row.location.region));
    }
  }
}
