import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Cache, LoadCall } from '../../src/core/cache.js';
import type { Clock } from '../../src/core/clock.js';
import type { VehicleId } from '../../src/fleet/domain.js';
import { createFleet, type Fleet } from '../../src/fleet/fleet.js';
import { createCache } from '../../src/node/compose.js';
import { systemClock } from '../../src/node/system-clock.js';
import { makeOwnPrefix } from '../servers.js';
import { MemoryRepository } from '../source/memory-repository.js';
import { CALL, vehicle } from './fleet-in-memory.js';

/** A database that notes which vehicles it is asked about. */
export class NotingRepository extends MemoryRepository {
  /** By kind, how often each vehicle was asked about. */
  readonly asked = {
    locations: new Map(),
    statuses: new Map(),
    vehicles: new Map(),
    trips: new Map(),
  } as const satisfies Record<string, Map<VehicleId, number>>;
  /** What was asked, one item per statement. */
  readonly statements: { readonly kind: string; readonly ids: readonly VehicleId[] }[] = [];
  failure: Error | undefined;

  override locations(ids: readonly VehicleId[], call: LoadCall) {
    this.#note('locations', ids);
    return super.locations(ids, call);
  }

  override statuses(ids: readonly VehicleId[], call: LoadCall) {
    this.#note('statuses', ids);
    return super.statuses(ids, call);
  }

  override vehicles(ids: readonly VehicleId[], call: LoadCall) {
    this.#note('vehicles', ids);
    return super.vehicles(ids, call);
  }

  override trips(ids: readonly VehicleId[], call: LoadCall) {
    this.#note('trips', ids);
    return super.trips(ids, call);
  }

  /** Vehicles asked about so far, each as often as it was. */
  get rows(): number {
    return this.statements.reduce((sum, { ids }) => sum + ids.length, 0);
  }

  forget(): void {
    this.statements.length = 0;
    for (const counts of Object.values(this.asked)) counts.clear();
  }

  #note(kind: keyof NotingRepository['asked'], ids: readonly VehicleId[]): void {
    if (this.failure !== undefined) throw this.failure;
    const counts: Map<VehicleId, number> = this.asked[kind];
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
    this.statements.push({ kind, ids });
  }
}

export interface CityNode {
  readonly cache: Cache;
  readonly fleet: Fleet;
}

export interface FleetCity {
  readonly nodes: readonly CityNode[];
  /** One more, over the same Redis and database. */
  join(through?: (cache: Cache) => Cache): Promise<CityNode>;
  leave(node: CityNode): Promise<void>;
  close(): Promise<void>;
}

/** Nodes of one city, each with a fleet over the one database, that share a real Redis. @param clock of the fleets */
export async function openFleetCity(
  redisNodes: readonly string[],
  size: number,
  repository: MemoryRepository,
  clock: Clock = systemClock,
): Promise<FleetCity> {
  const prefix = makeOwnPrefix();
  const opened: CityNode[] = [];
  const join = async (through: (cache: Cache) => Cache = (cache) => cache): Promise<CityNode> => {
    // A machine that is busy with other tests is no fault of Redis: patience instead of a load without a lease.
    const deadlines = { read: 20_000, load: 20_000, write: 20_000 };
    const cache = await createCache({ redis: { nodes: [...redisNodes], prefix, timeout: 5_000 }, deadlines });
    const node = { cache, fleet: createFleet({ cache: through(cache), repository, clock }) };
    opened.push(node);
    const probes = Array.from({ length: 50 }, (_, i) => `probe ${i}`);
    await waitUntil({ what: 'the node to reach every shard', boundMs: 15_000 }, async () => {
      const written = await Promise.all(probes.map((key) => cache.set(key, key)));
      return written.every(({ distributed }) => distributed === 'stored');
    });
    return node;
  };
  for (let i = 0; i < size; i++) await join();
  const nodes = opened.slice();
  const leave = async ({ fleet, cache }: CityNode): Promise<void> => {
    await fleet.close();
    await cache.close();
  };
  return {
    nodes,
    join,
    leave,
    close: async () => {
      await Promise.all(opened.map(leave));
    },
  };
}

/** Vehicles in service with status, position and details, by the real clock. */
export async function saveFleet(repository: MemoryRepository, count: number): Promise<VehicleId[]> {
  const ids = Array.from({ length: count }, (_, i) => String(i + 1));
  const nowMs = Date.now();
  await repository.saveVehicles(
    ids.map((id) => vehicle(id)),
    CALL,
  );
  await repository.saveStatuses(
    ids.map((id) => ({
      vehicleId: id,
      state: 'parked' as const,
      fuelPercent: 50,
      odometerKm: 1,
      updatedAt: new Date(nowMs - 60_000),
    })),
    CALL,
  );
  await repository.saveLocations(
    ids.map((id) => ({
      vehicleId: id,
      lat: 19.0765,
      lon: 72.8777,
      speedKmh: 0,
      headingDeg: undefined,
      engineOn: false,
      at: new Date(nowMs - 60_000),
      region: '19.07,72.87',
    })),
    CALL,
  );
  return ids;
}
