import { MsgpackCodec } from '../../src/codec/msgpack-codec.js';
import type { Cache, CacheEvents, LoadCall } from '../../src/core/cache.js';
import { Emitter } from '../../src/core/emitter.js';
import { Engine } from '../../src/core/engine.js';
import { FeedLeases } from '../../src/core/feed-lease.js';
import { Floors } from '../../src/core/floors.js';
import { HybridClock } from '../../src/core/hlc.js';
import { NO_LEASES } from '../../src/core/lease.js';
import { NULL_RECORDER } from '../../src/core/recorder.js';
import { Tally } from '../../src/core/tally.js';
import type { LocationUpdate, Vehicle, VehicleId, VehicleLocation } from '../../src/fleet/domain.js';
import { createFleet, type Fleet } from '../../src/fleet/fleet.js';
import type { GeocodingApi, ReportedLocation, RoutesApi, SavedLocation } from '../../src/fleet/ports.js';
import { AdaptiveEviction } from '../../src/memory/adaptive-eviction.js';
import { MemoryTier } from '../../src/memory/memory-tier.js';
import { Bulkhead } from '../../src/policy/bulkhead.js';
import { MemoryRepository } from '../source/memory-repository.js';
import { VirtualClock } from '../virtual-clock.js';

/** A database in memory that can be told to fail, to hang and to be slow. */
export class TestRepository extends MemoryRepository {
  readonly #clock: VirtualClock;
  /** What every call rejects with, while it is set. */
  failure: Error | undefined;
  /** Saves wait for it before they answer: the data are in by then. */
  hold: Promise<void> | undefined;
  /** How long every read takes, on the virtual clock. */
  latencyMs = 0;
  /** What every save was given. */
  readonly saves: (readonly VehicleLocation[])[] = [];

  constructor(clock: VirtualClock) {
    super();
    this.#clock = clock;
  }

  override async locations(ids: readonly VehicleId[], call: LoadCall) {
    await this.#pass();
    return super.locations(ids, call);
  }

  override async statuses(ids: readonly VehicleId[], call: LoadCall) {
    await this.#pass();
    return super.statuses(ids, call);
  }

  override async vehicles(ids: readonly VehicleId[], call: LoadCall) {
    await this.#pass();
    return super.vehicles(ids, call);
  }

  override async trips(ids: readonly VehicleId[], call: LoadCall) {
    await this.#pass();
    return super.trips(ids, call);
  }

  override async locationsWithin(...question: Parameters<MemoryRepository['locationsWithin']>) {
    await this.#pass();
    return super.locationsWithin(...question);
  }

  override async saveLocations(locations: readonly ReportedLocation[], call: LoadCall): Promise<SavedLocation[]> {
    await this.#pass();
    this.saves.push(locations);
    const saved = await super.saveLocations(locations, call);
    await this.hold;
    return saved;
  }

  async #pass(): Promise<void> {
    if (this.latencyMs > 0) {
      await new Promise<void>((resolve) => this.#clock.schedule(this.latencyMs, resolve));
    }
    if (this.failure !== undefined) throw this.failure;
  }
}

export interface FleetInMemory {
  readonly clock: VirtualClock;
  readonly cache: Cache;
  readonly repository: TestRepository;
  readonly fleet: Fleet;
}

/** The real engine over this process's memory, a database in memory, and a clock that only the test moves. */
export function openFleet(routes?: RoutesApi, geocoding?: GeocodingApi): FleetInMemory {
  const clock = new VirtualClock();
  const cache = openCache(clock);
  const repository = new TestRepository(clock);
  const fleet = createFleet({ cache, repository, clock, ...(routes && { routes }), ...(geocoding && { geocoding }) });
  return { clock, cache, repository, fleet };
}

function openCache(clock: VirtualClock): Cache {
  const floors = new Floors();
  const leases = new FeedLeases(false);
  const codec = new MsgpackCodec();
  return new Engine({
    city: 'mumbai',
    origin: 0x5eed,
    clock,
    hlc: new HybridClock(clock),
    codec,
    floors,
    local: new MemoryTier({
      clock,
      codec,
      floors,
      eviction: new AdaptiveEviction(1, 1_000),
      maxBytes: 268_435_456,
      maxEntries: 100_000,
      leases,
    }),
    feedLeases: leases,
    leases: NO_LEASES,
    recoveries: new Map(),
    tiers: [],
    feeds: [],
    gate: new Bulkhead(clock, 'the source', 32, 1_024),
    tally: new Tally(NULL_RECORDER),
    events: new Emitter<CacheEvents>((thrown) => {
      throw thrown;
    }),
    defaults: { ttlMs: 300_000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 },
    absentTtlMs: 5_000,
    loadFailureMs: 1_000,
    tombstoneMs: 7_200_000,
    deadlines: { readMs: 1_000, loadMs: 10_000, writeMs: 1_000, softMs: 500 },
    levelState: () => 'ok',
    levelSize: () => ({ sizeBytes: undefined, entries: undefined }),
    release: async () => {},
  });
}

export const CALL: LoadCall = { signal: new AbortController().signal, remainingMs: 1_000 };

/** A vehicle in service, with as little of its own as its id. */
export function vehicle(id: VehicleId, changes: Partial<Vehicle> = {}): Vehicle {
  return {
    id,
    registration: 'MH12AB1234',
    type: 'truck',
    model: 'Tata Prima',
    city: 'mumbai',
    operatorId: 'op-1',
    capacityKg: 28_000,
    active: true,
    updatedAt: new Date(Date.UTC(2023, 0, 1)),
    ...changes,
  };
}

/** A report of vehicle 42 from Mumbai, of now. */
export function report(clock: VirtualClock, changes: Partial<LocationUpdate> = {}): LocationUpdate {
  return {
    vehicleId: 42,
    lat: 19.0765,
    lon: 72.8777,
    speedKmh: 38,
    headingDeg: 91,
    engineOn: true,
    at: clock.wallMs(),
    ...changes,
  };
}

/** Lets virtual time pass, at most a virtual hour, until `work` has settled. */
export async function runThrough<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let isSettled = false;
  const settle = () => {
    isSettled = true;
  };
  work.then(settle, settle);
  for (let ms = 0; ms < 3_600_000 && !isSettled; ms += 50) await clock.advanceSettled(50);
  return work;
}
