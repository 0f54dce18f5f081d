import type { FleetRepository } from '../../fleet/ports.js';

/** A repository that counts the statements of those who read, apart from those who write. */
export interface CountingRepository extends FleetRepository {
  readonly reads: number;
}

export function countReads(repository: FleetRepository): CountingRepository {
  let reads = 0;
  // Every read method of the port is one statement.
  const counted =
    <A extends unknown[], R>(method: (...args: A) => R) =>
    (...args: A): R => {
      reads += 1;
      return method.apply(repository, args);
    };
  return {
    get reads() {
      return reads;
    },
    vehicles: counted(repository.vehicles),
    statuses: counted(repository.statuses),
    locations: counted(repository.locations),
    trips: counted(repository.trips),
    fuelRecords: counted(repository.fuelRecords),
    maintenanceRecords: counted(repository.maintenanceRecords),
    activeVehicleIds: counted(repository.activeVehicleIds),
    locationsWithin: counted(repository.locationsWithin),
    saveLocations: (locations, call) => repository.saveLocations(locations, call),
  };
}
