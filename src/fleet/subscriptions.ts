import { CacheError } from '../core/errors.js';
import type { VehicleId, VehicleIdInput, VehicleLocation } from './domain.js';
import { locationVersion } from './positions.js';
import { type Box, checkRegion, isWithin, type Position, type Region } from './region.js';
import type { FleetCounters } from './stats.js';
import { checkVehicleIds } from './vehicle-id.js';

/** Which positions a listener wants: those that fit all that is given; with nothing given, all. */
export interface SubscriptionFilter {
  readonly vehicles?: readonly VehicleIdInput[];
  readonly regions?: readonly Region[];
  readonly box?: Box;
}

/** Told of the newest position of a vehicle. When it returns a promise, nothing more comes until that has settled. */
export type LocationListener = (location: VehicleLocation) => unknown;

/** A newest position, and where the vehicle was before. */
export interface Moved {
  readonly location: VehicleLocation;
  readonly previous: (Position & { readonly region: Region }) | undefined;
}

/** Most listeners of a fleet. */
const SUBSCRIPTIONS_MAX = 1_000;
/** Most vehicles of which a busy listener has a position waiting; beyond it the one that waits longest is left out. */
const WAITING_MAX = 10_000;
/** Most vehicles of which it is known what was told last. */
const TOLD_MAX = 100_000;

/**
 * Who wants to know of new positions, in this process. A listener is never waited for: while it is busy the newest
 * position of each vehicle waits for it, and no older one. A vehicle that leaves a listener's regions or box is told
 * once more, from outside, so that nobody goes on showing it at the border.
 */
export class Subscriptions {
  readonly #counters: FleetCounters;
  readonly #subscriptions = new Set<Subscription>();
  /** Version of what was told last: records of one vehicle may end in another order than they began. */
  readonly #told = new Map<VehicleId, string>();

  constructor(counters: FleetCounters) {
    this.#counters = counters;
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  /**
   * @returns what ends the subscription
   * @throws CacheError `invalid-value` for a bad filter, `overloaded` beyond 1,000 subscriptions
   */
  add(filter: SubscriptionFilter, listener: LocationListener): () => void {
    if (typeof listener !== 'function') {
      throw new CacheError('invalid-value', 'listener must be a function', { field: 'listener' });
    }
    const wants = compileFilter(filter);
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX) {
      throw new CacheError(
        'overloaded',
        `there are ${SUBSCRIPTIONS_MAX} subscriptions already: end some, or share one among your listeners`,
      );
    }
    const subscription = new Subscription(wants, listener, this.#counters);
    this.#subscriptions.add(subscription);
    return () => {
      this.#subscriptions.delete(subscription);
      subscription.end();
    };
  }

  publish(moves: readonly Moved[]): void {
    if (this.#subscriptions.size === 0) return;
    for (const moved of moves) {
      if (!this.#isNews(moved.location)) continue;
      for (const subscription of this.#subscriptions) subscription.offer(moved);
    }
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.end();
    this.#subscriptions.clear();
    this.#told.clear();
  }

  #isNews(location: VehicleLocation): boolean {
    const { vehicleId } = location;
    const version = locationVersion(location);
    const told = this.#told.get(vehicleId);
    if (told !== undefined && version <= told) return false;
    this.#told.delete(vehicleId);
    this.#told.set(vehicleId, version);
    if (this.#told.size > TOLD_MAX) dropFirst(this.#told);
    return true;
  }
}

type Wants = (location: Pick<VehicleLocation, 'vehicleId' | 'lat' | 'lon' | 'region'>) => boolean;

class Subscription {
  readonly #wants: Wants;
  readonly #listener: LocationListener;
  readonly #counters: FleetCounters;
  readonly #waiting = new Map<VehicleId, VehicleLocation>();
  #busy = false;

  constructor(wants: Wants, listener: LocationListener, counters: FleetCounters) {
    this.#wants = wants;
    this.#listener = listener;
    this.#counters = counters;
  }

  offer({ location, previous }: Moved): void {
    const { vehicleId } = location;
    if (!this.#wants(location) && !(previous !== undefined && this.#wants({ ...previous, vehicleId }))) return;
    // A vehicle keeps its place in the queue, so that one that reports often does not fall behind for ever.
    if (this.#waiting.has(vehicleId)) this.#counters.conflated += 1;
    this.#waiting.set(vehicleId, location);
    if (this.#waiting.size > WAITING_MAX) {
      dropFirst(this.#waiting);
      this.#counters.conflated += 1;
    }
    if (this.#busy) return;
    this.#busy = true;
    // After the publisher has gone on: what a listener does is not its affair.
    queueMicrotask(() => void this.#deliver());
  }

  end(): void {
    this.#waiting.clear();
  }

  async #deliver(): Promise<void> {
    for (const [id, location] of this.#waiting) {
      this.#waiting.delete(id);
      this.#counters.delivered += 1;
      try {
        await this.#listener(location);
      } catch {
        this.#counters.listenerErrors += 1;
      }
    }
    this.#busy = false;
  }
}

function compileFilter(filter: SubscriptionFilter): Wants {
  if (typeof filter !== 'object' || filter === null) {
    throw new CacheError('invalid-value', 'filter must be an object with vehicles, regions or box', {
      field: 'filter',
    });
  }
  const vehicles = filter.vehicles && new Set(checkVehicleIds(filter.vehicles));
  const regions = filter.regions && new Set(filter.regions.map(checkRegion));
  const box = filter.box && checkBox(filter.box);
  return (location) =>
    (vehicles === undefined || vehicles.has(location.vehicleId)) &&
    (regions === undefined || regions.has(location.region)) &&
    (box === undefined || isWithin(box, location));
}

function checkBox(box: Box): Box {
  const { south, west, north, east } = box;
  const isBox =
    Math.abs(south) <= 90 && Math.abs(north) <= 90 && south <= north && Math.abs(west) <= 180 && Math.abs(east) <= 180;
  if (!isBox) {
    throw new CacheError(
      'invalid-value',
      `box is south ${south}, west ${west}, north ${north}, east ${east}: give degrees, south not above north`,
      { field: 'box' },
    );
  }
  return { south, west, north, east };
}

function dropFirst<K>(map: Map<K, unknown>): void {
  const first = map.keys().next();
  if (first.done === false) map.delete(first.value);
}
