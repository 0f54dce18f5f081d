import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Fleet } from '../../src/fleet/fleet.js';
import { createFleet } from '../../src/fleet/fleet.js';
import { compose } from '../../src/node/compose.js';
import { countReads } from '../../src/node/demo/counting-repository.js';
import { systemClock } from '../../src/node/system-clock.js';
import { BatchedSource } from '../../src/source/batched-source.js';
import { PostgresFleetRepository } from '../../src/source/fleet-repository.js';
import { PostgresPool } from '../../src/source/postgres-pool.js';
import { PATIENT_DEADLINES, peersConfig, redisConfig } from './fleet-config.js';
import {
  allOf,
  CONNECTIONS_MAX,
  DEADLINE_MS,
  type FleetService,
  type FleetSettings,
  LOCAL_ENTRIES,
  type Question,
} from './fleet-service.js';

const JOIN_BOUND_MS = 30_000;

/** The fleet of ours, with all levels, as a service embeds it. */
export async function openOurFleet({ redis, postgres, prefix, seeds }: FleetSettings): Promise<FleetService> {
  const { cache, health, peerAddress } = await compose({
    local: { maxEntries: LOCAL_ENTRIES },
    redis: redisConfig(redis, prefix),
    peers: { ...peersConfig(seeds), replicas: 2 },
    deadlines: PATIENT_DEADLINES,
  });
  const pool = new PostgresPool({
    url: postgres,
    clock: systemClock,
    connectionsMax: CONNECTIONS_MAX,
    connectTimeoutMs: DEADLINE_MS,
    statementTimeoutMs: DEADLINE_MS,
    applicationName: 'fleetflow-cache benchmark',
  });
  const counted = countReads(new PostgresFleetRepository(pool));
  const fleet = createFleet({ cache, repository: new BatchedSource(systemClock, counted), clock: systemClock });
  fleet.refresh.start();
  return {
    address: peerAddress ?? '',
    whenJoined: (nodes) =>
      waitUntil({ what: `${nodes} nodes`, boundMs: JOIN_BOUND_MS }, () =>
        health().levels.some(({ level, parts }) => level === 'peer' && parts === nodes),
      ),
    ask: (question) => ask(fleet, question),
    record: async (reports) => {
      const recorded = await fleet.recordLocations(reports);
      return recorded.flatMap((one) => (one.outcome === 'newest' ? [one.location] : []));
    },
    // The fleet knows by itself who is in service.
    warm: async () => {
      await fleet.warmUp();
    },
    counts: () => {
      const { reads, l1HitRate, l2HitRate, l3HitRate } = cache.stats();
      return {
        keys: reads,
        local: reads * l1HitRate,
        distributed: reads * l2HitRate,
        peer: reads * l3HitRate,
        statements: counted.reads,
      };
    },
    close: async () => {
      await fleet.close();
      await cache.close();
      await pool.close();
    },
  };
}

async function ask(fleet: Fleet, question: Question) {
  const { kind } = question;
  switch (kind) {
    case 'location':
      return [there(await fleet.vehicleLocation(question.id), question)];
    case 'map':
      return allOf(await fleet.vehicleLocations(question.ids), question.ids);
    case 'nearby': {
      const centre = there(await fleet.vehicleLocation(question.id), question);
      return fleet.nearbyVehicles({ lat: centre.lat, lon: centre.lon, radiusKm: question.radiusKm });
    }
    default:
      there(await recordsOf(fleet, { kind, id: question.id }), question);
      return [];
  }
}

type RecordsQuestion = { readonly kind: Exclude<Question['kind'], 'location' | 'map' | 'nearby'>; readonly id: string };

function recordsOf(fleet: Fleet, { kind, id }: RecordsQuestion): Promise<object | undefined> {
  switch (kind) {
    case 'status':
      return fleet.vehicleStatus(id);
    case 'details':
      return fleet.vehicle(id);
    case 'trips':
      return fleet.trips(id);
    case 'fuel':
      return fleet.fuelRecords(id);
    case 'maintenance':
      return fleet.maintenanceRecords(id);
  }
}

function there<T>(answer: T | undefined, { kind, id }: Exclude<Question, { kind: 'map' }>): T {
  if (answer === undefined) throw new Error(`the ${kind} of vehicle ${id} is not there`);
  return answer;
}
