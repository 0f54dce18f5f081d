import { CacheError } from '../../core/errors.js';
import { createFleet, type Fleet } from '../../fleet/fleet.js';
import { BatchedSource } from '../../source/batched-source.js';
import { PostgresFleetRepository } from '../../source/fleet-repository.js';
import { PostgresPool } from '../../source/postgres-pool.js';
import { RoutesClient } from '../../source/routes-client.js';
import { type ChangeFollowing, followChanges } from '../change-feed.js';
import { type Composition, compose } from '../compose.js';
import { systemChance, systemClock } from '../system-clock.js';
import { type CountingRepository, countReads } from './counting-repository.js';
import { makeDemoFleet } from './demo-fleet.js';
import type {
  DemoNodeConfig,
  FoundPosition,
  FoundRecords,
  NodeAnswers,
  NodeRequest,
  NodeSample,
  PositionReport,
  RecordedCounts,
} from './protocol.js';
import { ReadLoad } from './read-load.js';
import { ReadMix } from './read-mix.js';
import { seededChance } from './seeded-random.js';

/** All servers and nodes of a demo share one machine: few connections, and more time than a database of its own needs. */
const CONNECTIONS_MAX = 6;
const PATIENCE_MS = 5_000;
/** Vehicles per question when many are to be located. */
const LOCATE_BATCH = 500;

/** One cache node of the demo: the cache, and the fleet in front of PostgreSQL, as a service would embed them. */
export class DemoNode {
  readonly #composition: Composition;
  readonly #pool: PostgresPool;
  readonly #repository: CountingRepository;
  readonly #routes: RoutesClient;
  readonly #fleet: Fleet;
  readonly #changes: ChangeFollowing;
  readonly #mix: ReadMix;
  readonly #load: ReadLoad;
  #stopping: Promise<void> | undefined;

  private constructor(config: DemoNodeConfig, composition: Composition) {
    this.#composition = composition;
    const { cache } = composition;
    this.#pool = new PostgresPool({
      url: config.databaseUrl,
      clock: systemClock,
      connectionsMax: CONNECTIONS_MAX,
      connectTimeoutMs: PATIENCE_MS,
      statementTimeoutMs: PATIENCE_MS,
      applicationName: `fleetflow-cache ${config.name}`,
    });
    this.#repository = countReads(new PostgresFleetRepository(this.#pool));
    const { url, apiKey } = config.routes;
    this.#routes = new RoutesClient({ url, apiKey, clock: systemClock, chance: systemChance });
    const repository = new BatchedSource(systemClock, this.#repository);
    this.#fleet = createFleet({ cache, repository, routes: this.#routes, clock: systemClock });
    this.#changes = followChanges(config.databaseUrl, { cache });
    // Each node asks other questions than its neighbours.
    const seed = config.fleet.seed ^ Number.parseInt(cache.stats().nodeId.slice(-6), 16);
    this.#mix = new ReadMix(makeDemoFleet(config.fleet), seededChance(seed));
    const keysRead = () => cache.stats().reads;
    this.#load = new ReadLoad({
      fleet: this.#fleet,
      mix: this.#mix,
      clock: systemClock,
      vehicles: config.fleet.vehicles,
      keysRead,
    });
    this.#fleet.refresh.start();
    this.#fleet.mornings.start();
  }

  static async start(config: DemoNodeConfig): Promise<DemoNode> {
    return new DemoNode(config, await compose(config.cache));
  }

  get nodeId(): string {
    return this.#composition.cache.stats().nodeId;
  }

  async answer(request: Exclude<NodeRequest, { kind: 'start' }>): Promise<NodeAnswers[NodeRequest['kind']]> {
    switch (request.kind) {
      case 'warm-up':
        return this.#fleet.warmUp();
      case 'record':
        return this.#record(request.reports);
      case 'read':
        await this.#load.setPace(request.readsPerSecond);
        return null;
      case 'know':
        this.#mix.know(request.vehicleIds);
        return null;
      case 'locate':
        return this.#locate(request.vehicleIds);
      case 'describe':
        return this.#describe(request.vehicleIds);
      case 'sample':
        return this.#sample();
      case 'stop':
        await this.stop();
        return null;
    }
  }

  /** From the load down to the connections: who asks is stopped before what is asked. */
  stop(): Promise<void> {
    this.#stopping ??= (async () => {
      await this.#load.setPace(0);
      await this.#fleet.close();
      await this.#changes.close();
      await this.#composition.cache.close();
      await Promise.all([this.#pool.close(), this.#routes.close()]);
    })();
    return this.#stopping;
  }

  async #record(reports: readonly PositionReport[]): Promise<RecordedCounts> {
    const counts = { newest: 0, history: 0, duplicates: 0, ghosts: 0, jumps: 0, rejected: 0, clamped: 0 };
    for (const { outcome, clamped } of await this.#fleet.recordLocations(reports)) {
      if (outcome === 'duplicate') counts.duplicates += 1;
      else if (outcome === 'ghost') counts.ghosts += 1;
      else if (outcome === 'jump') counts.jumps += 1;
      else counts[outcome] += 1;
      if (clamped) counts.clamped += 1;
    }
    return counts;
  }

  async #locate(ids: readonly string[]): Promise<FoundPosition[]> {
    const positions: FoundPosition[] = [];
    for (let from = 0; from < ids.length; from += LOCATE_BATCH) {
      const found = await this.#fleet.vehicleLocations(ids.slice(from, from + LOCATE_BATCH));
      for (const { vehicleId, at, lat, lon, speedKmh, engineOn } of found.values()) {
        positions.push({ vehicleId, at: at.getTime(), lat, lon, speedKmh, engineOn });
      }
    }
    return positions;
  }

  #describe(ids: readonly string[]): Promise<FoundRecords[]> {
    return Promise.all(
      ids.map(async (vehicleId) => {
        const [vehicle, status] = await Promise.all([
          this.#fleet.vehicle(vehicleId),
          this.#fleet.vehicleStatus(vehicleId),
        ]);
        return { vehicleId, model: vehicle?.model, odometerKm: status?.odometerKm };
      }),
    );
  }

  #sample(): NodeSample {
    const { cache, health } = this.#composition;
    const snapshot = this.#composition.snapshot();
    if (snapshot === undefined) {
      throw new CacheError('invalid-config', 'metrics: the demo shows them; they must not be off', {
        field: 'metrics',
      });
    }
    return {
      snapshot,
      stats: cache.stats(),
      fleet: this.#fleet.stats(),
      changes: this.#changes.stats(),
      health: health(),
      reads: this.#load.counts(),
      databaseReads: this.#repository.reads,
      residentBytes: process.memoryUsage.rss(),
    };
  }
}
