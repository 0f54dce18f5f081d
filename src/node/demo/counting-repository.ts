import type { FleetRepository } from '../../fleet/ports.js';

/** The reads of the port: each is one statement. */
export type RepositoryRead = Exclude<keyof FleetRepository, 'saveLocations'>;

const READS: readonly RepositoryRead[] = [
  'vehicles',
  'statuses',
  'locations',
  'trips',
  'fuelRecords',
  'maintenanceRecords',
  'ewayBills',
  'activeVehicleIds',
  'locationsWithin',
];

/** Statements by kind of read. */
export type ReadCounts = Readonly<Record<RepositoryRead, number>>;

/** A repository that counts the statements of those who read, apart from those who write. */
export interface CountingRepository extends FleetRepository {
  readonly reads: number;
  /** As of now: what is counted later does not change it. */
  readCounts(): ReadCounts;
}

export function countReads(repository: FleetRepository): CountingRepository {
  const counts = Object.fromEntries(READS.map((read) => [read, 0])) as Record<RepositoryRead, number>;
  const counted =
    <A extends unknown[], R>(read: RepositoryRead, method: (...args: A) => R) =>
    (...args: A): R => {
      counts[read] += 1;
      return method.apply(repository, args);
    };
  return {
    get reads() {
      return READS.reduce((sum, read) => sum + counts[read], 0);
    },
    readCounts: () => ({ ...counts }),
    vehicles: counted('vehicles', repository.vehicles),
    statuses: counted('statuses', repository.statuses),
    locations: counted('locations', repository.locations),
    trips: counted('trips', repository.trips),
    fuelRecords: counted('fuelRecords', repository.fuelRecords),
    maintenanceRecords: counted('maintenanceRecords', repository.maintenanceRecords),
    ewayBills: counted('ewayBills', repository.ewayBills),
    activeVehicleIds: counted('activeVehicleIds', repository.activeVehicleIds),
    locationsWithin: counted('locationsWithin', repository.locationsWithin),
    saveLocations: (locations, call) => repository.saveLocations(locations, call),
  };
}

/** What was counted between two moments, per 1,000 reads of the cache. */
export function queriesPer1000Reads(
  before: ReadCounts,
  after: ReadCounts,
  cacheReads: number,
): Readonly<Record<RepositoryRead, number>> {
  const rates = READS.map((read) => [read, cacheReads === 0 ? 0 : ((after[read] - before[read]) * 1_000) / cacheReads]);
  return Object.fromEntries(rates) as Record<RepositoryRead, number>;
}
