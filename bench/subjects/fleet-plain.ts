/** What a platform has without us: the database alone, or lru-cache and Redis with a TTL in front of it. */
import { once } from 'node:events';
import { LRUCache } from 'lru-cache';
import type { LoadCall } from '../../src/core/cache.js';
import { distanceKm } from '../../src/fleet/circle.js';
import type { VehicleId, VehicleLocation } from '../../src/fleet/domain.js';
import { judgeUpdate } from '../../src/fleet/positions.js';
import { type CountingRepository, countReads } from '../../src/node/demo/counting-repository.js';
import type { PositionReport } from '../../src/node/demo/protocol.js';
import { systemClock } from '../../src/node/system-clock.js';
import { PostgresFleetRepository } from '../../src/source/fleet-repository.js';
import { PostgresPool } from '../../src/source/postgres-pool.js';
import {
  allOf,
  CONNECTIONS_MAX,
  DEADLINE_MS,
  type FleetService,
  type FleetSettings,
  LOCAL_ENTRIES,
  type Question,
} from './fleet-service.js';

type Kind = Exclude<Question['kind'], 'map' | 'nearby'>;

/** As long as ours keeps the position of a vehicle that moves, and the rest of what is asked for. */
const TTL_MS: Readonly<Record<Kind, number>> = {
  location: 30_000,
  status: 600_000,
  details: 300_000,
  trips: 300_000,
  fuel: 900_000,
  maintenance: 3_600_000,
};
const NEARBY_MAX = 20_000;
const KM_PER_DEGREE = 111.2;

/** Several answers of one kind, from wherever they are. */
type Find = (kind: Kind, ids: readonly VehicleId[]) => Promise<ReadonlyMap<VehicleId, unknown>>;

interface Plain {
  readonly repository: CountingRepository;
  readonly find: Find;
  /** Told of each position that is the newest, after the database. */
  readonly keep: (locations: readonly VehicleLocation[]) => Promise<void>;
  readonly hits: { keys: number; local: number; distributed: number };
  readonly close: () => Promise<void>;
}

/** Every question goes to the database. */
export async function openDatabaseAlone({ postgres }: FleetSettings): Promise<FleetService> {
  const { repository, close } = openRepository(postgres);
  const hits = { keys: 0, local: 0, distributed: 0 };
  const find: Find = (kind, ids) => {
    hits.keys += ids.length;
    return load(repository, kind, ids);
  };
  return serve({ repository, find, keep: async () => {}, hits, close });
}

/**
 * The usual way to do it: an LRU with a TTL per process, JSON with a TTL in Redis behind it, both filled by whoever
 * misses and by whoever writes. Other processes hear of nothing.
 */
export async function openLruOverRedis({ redis, postgres, prefix }: FleetSettings): Promise<FleetService> {
  const { Cluster } = await import('ioredis6');
  const client = new Cluster([...redis]);
  client.on('error', () => {});
  await once(client, 'ready');
  const memory = new LRUCache<string, object>({ max: LOCAL_ENTRIES, ttl: TTL_MS.location });
  const { repository, close } = openRepository(postgres);
  const hits = { keys: 0, local: 0, distributed: 0 };

  const keep = async (kind: Kind, id: VehicleId, value: object): Promise<void> => {
    memory.set(`${kind}:${id}`, value, { ttl: TTL_MS[kind] });
    await client.set(`${prefix}${kind}:${id}`, JSON.stringify(value), 'PX', TTL_MS[kind]);
  };
  const find: Find = async (kind, ids) => {
    hits.keys += ids.length;
    const found = new Map<VehicleId, unknown>();
    for (const id of ids) {
      const value = memory.get(`${kind}:${id}`);
      if (value !== undefined) found.set(id, value);
    }
    hits.local += found.size;
    const notHere = ids.filter((id) => !found.has(id));
    const texts = await Promise.all(notHere.map((id) => client.get(`${prefix}${kind}:${id}`)));
    const missing: VehicleId[] = [];
    notHere.forEach((id, i) => {
      const text = texts[i];
      if (typeof text !== 'string') {
        missing.push(id);
        return;
      }
      const value = JSON.parse(text, reviveAt) as object;
      memory.set(`${kind}:${id}`, value, { ttl: TTL_MS[kind] });
      hits.distributed += 1;
      found.set(id, value);
    });
    if (missing.length === 0) return found;
    const loaded = [...(await load(repository, kind, missing))] as [VehicleId, object][];
    await Promise.all(loaded.map(([id, value]) => keep(kind, id, value)));
    for (const [id, value] of loaded) found.set(id, value);
    return found;
  };
  return serve({
    repository,
    find,
    keep: async (locations) => {
      await Promise.all(locations.map((location) => keep('location', location.vehicleId, location)));
    },
    hits,
    close: async () => {
      client.disconnect();
      await close();
    },
  });
}

function openRepository(url: string) {
  const pool = new PostgresPool({
    url,
    clock: systemClock,
    connectionsMax: CONNECTIONS_MAX,
    connectTimeoutMs: DEADLINE_MS,
    statementTimeoutMs: DEADLINE_MS,
    applicationName: 'fleetflow-cache benchmark',
  });
  return { repository: countReads(new PostgresFleetRepository(pool)), close: () => pool.close() };
}

function serve({ repository, find, keep, hits, close }: Plain): FleetService {
  const locations: (ids: readonly VehicleId[]) => Promise<readonly VehicleLocation[]> = async (ids) =>
    allOf((await find('location', ids)) as ReadonlyMap<VehicleId, VehicleLocation>, ids);
  return {
    address: '',
    whenJoined: async () => {},
    ask: async (question) => {
      if (question.kind === 'map') return locations(question.ids);
      if (question.kind === 'location') return locations([question.id]);
      if (question.kind === 'nearby') {
        const [centre] = await locations([question.id]);
        return near(repository, centre as VehicleLocation, question.radiusKm);
      }
      const { kind, id } = question;
      if (!(await find(kind, [id])).has(id)) throw new Error(`the ${kind} of vehicle ${id} is not there`);
      return [];
    },
    record: async (reports) => {
      const accepted = judged(reports);
      const saved = await repository.saveLocations(accepted, callNow());
      const newest = accepted.filter((_, i) => saved[i]?.newest === true);
      await keep(newest);
      return newest;
    },
    warm: async (ids) => {
      for (const kind of ['location', 'status', 'details', 'trips'] as const) await find(kind, ids);
    },
    counts: () => ({ ...hits, peer: 0, statements: repository.reads }),
    close,
  };
}

/** The same judgement of what trackers say as ours: it is not what is compared here. */
function judged(reports: readonly PositionReport[]): readonly VehicleLocation[] {
  const nowMs = systemClock.wallMs();
  return reports.flatMap((report) => {
    const judgement = judgeUpdate(report, nowMs);
    return judgement.kind === 'accepted' ? [judgement.location] : [];
  });
}

function load(
  repository: CountingRepository,
  kind: Kind,
  ids: readonly VehicleId[],
): Promise<ReadonlyMap<VehicleId, unknown>> {
  const call = callNow();
  switch (kind) {
    case 'location':
      return repository.locations(ids, call);
    case 'status':
      return repository.statuses(ids, call);
    case 'details':
      return repository.vehicles(ids, call);
    case 'trips':
      return repository.trips(ids, call);
    case 'fuel':
      return repository.fuelRecords(ids, call);
    case 'maintenance':
      return repository.maintenanceRecords(ids, call);
  }
}

async function near(repository: CountingRepository, centre: VehicleLocation, radiusKm: number) {
  const latDeg = radiusKm / KM_PER_DEGREE;
  const lonDeg = latDeg / Math.cos((centre.lat * Math.PI) / 180);
  const box = {
    south: centre.lat - latDeg,
    west: centre.lon - lonDeg,
    north: centre.lat + latDeg,
    east: centre.lon + lonDeg,
  };
  const found = await repository.locationsWithin(box, NEARBY_MAX, callNow());
  return found.filter((location) => distanceKm(centre, location) <= radiusKm);
}

function callNow(): LoadCall {
  return { signal: AbortSignal.timeout(DEADLINE_MS), remainingMs: DEADLINE_MS };
}

function reviveAt(key: string, value: unknown): unknown {
  return (key.endsWith('At') || key === 'at') && typeof value === 'string' ? new Date(value) : value;
}
