import type { Cancel, Clock } from '../../core/clock.js';
import { toError } from '../../core/errors.js';
import type { Fleet } from '../../fleet/fleet.js';
import { Histogram } from '../../metrics/histogram.js';
import type { ReadCounts } from './protocol.js';
import type { Read, ReadKind, ReadMix } from './read-mix.js';

export interface ReadLoadParts {
  readonly fleet: Fleet;
  readonly mix: ReadMix;
  readonly clock: Clock;
  /** Of the fleet. */
  readonly vehicles: number;
  /** Keys read so far, by the cache's own count. */
  readonly keysRead: () => number;
}

const TICK_MS = 10;
/** How often what was really read is looked up: that costs as much as a hundred hits. */
const LOOK_EVERY = 10;
/** Questions under way at a time: beyond it the load waits for answers instead of piling up. */
const UNDER_WAY_MAX = 64;
/** A pause of this process is not made up for by a burst longer than this. */
const BURST_MS = 100;
/** A node whose own memory is cold is not given its whole share at once. */
const RAMP_MS = 5_000;
/**
 * Share of the fleet that is in the cells of a question's circle, on average: their positions are read, and the one in
 * its middle. Which vehicles these are the process knows.
 */
const NEARBY_SHARE = 0.0045;
const ERRORS_KEPT = 5;
/** Most questions of which it is known that they were answered once. */
const ANSWERED_MAX = 500_000;

/**
 * Asks the fleet questions at a pace of keys per second, and checks the answers. What a vehicle that exists is asked for
 * must be there: a missing answer has failed as much as one that rejects.
 */
export class ReadLoad {
  readonly #parts: ReadLoadParts;
  readonly #durations = new Map<ReadKind, Histogram>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #errors: string[] = [];
  /** Questions that were answered once: what they ask for is in some level. */
  readonly #answered = new Set<string>();
  #asked = 0;
  #failed = 0;
  #failedCold = 0;
  #readsPerSecond = 0;
  #rampStartMs = 0;
  #allowance = 0;
  #lastTickMs = 0;
  #lastKeys = 0;
  #expectedKeys = 0;
  #ticks = 0;
  #cancel: Cancel | undefined;

  constructor(parts: ReadLoadParts) {
    this.#parts = parts;
  }

  /** Reads from now on, and after a few seconds at this pace; 0 stops, and resolves when the last answer is there. */
  async setPace(readsPerSecond: number): Promise<void> {
    this.#readsPerSecond = readsPerSecond;
    this.#rampStartMs = this.#parts.clock.monotonicMs();
    this.#cancel?.();
    this.#cancel = undefined;
    if (readsPerSecond > 0) {
      this.#allowance = 0;
      this.#lastTickMs = this.#parts.clock.monotonicMs();
      this.#lastKeys = this.#parts.keysRead();
      this.#expectedKeys = 0;
      this.#tick();
      return;
    }
    // Each has a deadline of its own.
    await Promise.all(this.#underWay);
  }

  counts(): ReadCounts {
    const durations = [...this.#durations].map(([kind, histogram]) => [kind, histogram.snapshot()] as const);
    return {
      asked: this.#asked,
      failed: this.#failed,
      failedCold: this.#failedCold,
      errors: this.#errors,
      durations: Object.fromEntries(durations),
    };
  }

  #tick(): void {
    const { clock, mix } = this.#parts;
    const nowMs = clock.monotonicMs();
    const ramp = Math.min(1, (nowMs - this.#rampStartMs) / RAMP_MS);
    const perMs = (ramp * this.#readsPerSecond) / 1_000;
    this.#allowance += (nowMs - this.#lastTickMs) * perMs;
    this.#lastTickMs = nowMs;
    this.#ticks += 1;
    if (this.#ticks % LOOK_EVERY === 0) this.#settle();
    this.#allowance = Math.min(this.#allowance, BURST_MS * perMs);
    while (this.#allowance > 0 && this.#underWay.size < UNDER_WAY_MAX) {
      const read = mix.next();
      this.#spend(expectedKeys(read, this.#parts.vehicles));
      this.#begin(read);
    }
    this.#cancel = clock.schedule(TICK_MS, () => this.#tick());
  }

  #spend(keys: number): void {
    this.#allowance -= keys;
    this.#expectedKeys += keys;
  }

  /** What a question costs is known only once it is answered: the next ones make up for the difference. */
  #settle(): void {
    const keys = this.#parts.keysRead();
    this.#allowance += this.#expectedKeys - (keys - this.#lastKeys);
    this.#expectedKeys = 0;
    this.#lastKeys = keys;
  }

  #begin(read: Read): void {
    this.#asked += 1;
    const work = this.#ask(read).finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
  }

  async #ask(read: Read): Promise<void> {
    const { clock, fleet } = this.#parts;
    const startedMs = clock.monotonicMs();
    try {
      const missing = await missingOf(fleet, read);
      if (missing !== undefined) this.#fail(read, `${missing} was not there`);
      else if (this.#answered.size < ANSWERED_MAX) this.#answered.add(nameOf(read));
    } catch (thrown) {
      this.#fail(read, toError(thrown).message);
    }
    this.#durationOf(read.kind).record(clock.monotonicMs() - startedMs);
  }

  #fail(read: Read, what: string): void {
    this.#failed += 1;
    if (!this.#answered.has(nameOf(read))) this.#failedCold += 1;
    if (this.#errors.length < ERRORS_KEPT) this.#errors.push(`${read.kind}: ${what}`);
  }

  #durationOf(kind: ReadKind): Histogram {
    let histogram = this.#durations.get(kind);
    if (histogram === undefined) {
      histogram = new Histogram();
      this.#durations.set(kind, histogram);
    }
    return histogram;
  }
}

function expectedKeys(read: Read, vehicles: number): number {
  if (read.kind === 'map') return read.ids.length;
  return read.kind === 'nearby' ? 1 + vehicles * NEARBY_SHARE : 1;
}

function nameOf(read: Read): string {
  if (read.kind === 'map') return `map ${read.ids[0]} ${read.ids.length}`;
  return read.kind === 'nearby' ? `nearby ${read.id} ${read.radiusKm}` : `${read.kind} ${read.id}`;
}

/** Asks, and says what should have been in the answer and was not. */
async function missingOf(fleet: Fleet, read: Read): Promise<string | undefined> {
  switch (read.kind) {
    case 'map': {
      const found = await fleet.vehicleLocations(read.ids);
      const missing = read.ids.filter((id) => found.get(id)?.vehicleId !== id);
      return missing.length === 0 ? undefined : `the position of ${missing.length} of ${read.ids.length} vehicles`;
    }
    case 'nearby': {
      const centre = await fleet.vehicleLocation(read.id);
      if (centre === undefined) return `the position of vehicle ${read.id}`;
      await fleet.nearbyVehicles({ lat: centre.lat, lon: centre.lon, radiusKm: read.radiusKm });
      return undefined;
    }
    case 'eta': {
      const eta = await fleet.routeEta(read.id, { lat: read.lat, lon: read.lon });
      return eta?.vehicleId === read.id ? undefined : `the arrival of vehicle ${read.id}`;
    }
    default: {
      const answer = await oneOf(fleet, read);
      return answer === undefined ? `the ${read.kind} of vehicle ${read.id}` : undefined;
    }
  }
}

function oneOf(fleet: Fleet, { kind, id }: Exclude<Read, { kind: 'map' | 'nearby' | 'eta' }>): Promise<unknown> {
  switch (kind) {
    case 'location':
      return fleet.vehicleLocation(id);
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
