import type { Cancel, Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import { partitionOf } from '../core/key.js';
import type { VehicleId, VehicleLocation } from './domain.js';
import { keys } from './keys.js';
import { compileFilter, type LiveFilter, type SubscriptionFilter } from './live-filter.js';
import type { LiveLocations, LocationFollower } from './live-locations.js';
import { LiveSubscription, type LocationListener } from './live-subscription.js';
import { isNewerLocation } from './positions.js';
import type { FleetCounters } from './stats.js';

/** A newest position, and where the vehicle was before. */
export interface Moved {
  readonly location: VehicleLocation;
  readonly previous: Pick<VehicleLocation, 'lat' | 'lon' | 'region'> | undefined;
}

export interface SubscribeOptions {
  /** Tell first where the vehicles are that fit, as far as it is known. Default false. */
  readonly current?: boolean;
  /** Called when the listener has been told that, and each time it had to be told again because it was too slow. */
  readonly onCurrent?: () => void;
}

export interface SubscriptionsParts {
  readonly clock: Clock;
  readonly counters: FleetCounters;
  readonly live: Pick<LiveLocations, 'follow' | 'unfollow' | 'touch'>;
  /** Whether changes made elsewhere are heard of. */
  hearsAll(): boolean;
  /** Where the vehicles are that a filter watches. */
  current(filter: LiveFilter, signal: AbortSignal): AsyncIterable<readonly VehicleLocation[]>;
}

/** Most listeners of a fleet. */
const SUBSCRIPTIONS_MAX = 1_000;
/** Most vehicles of which it is known what was told last. */
const TOLD_MAX = 100_000;
/** How often what is watched is read while changes are not heard of, and when it could not be read. */
const READ_AGAIN_MS = 5_000;
/** How soon after moves were missed: gaps seldom come alone. */
const READ_SOON_MS = 100;

/**
 * Who wants to know of new positions, in this process, whichever node recorded them. A vehicle that leaves a listener's
 * regions or box is told once more, from outside, so that nobody goes on showing it at the border. Where moves may have
 * gone by unheard, and while none are heard of, what is watched is read, and what is newer than was told is told.
 */
export class Subscriptions implements LocationFollower {
  readonly loads = true;
  readonly late = true;
  readonly #parts: SubscriptionsParts;
  readonly #subscriptions = new Set<LiveSubscription>();
  /** What was told last of each vehicle: records of one may end in another order than they began. */
  readonly #told = new Map<VehicleId, VehicleLocation>();
  /** How many listeners want a vehicle by name. */
  readonly #named = new Map<VehicleId, number>();
  #unnamed = 0;
  #cancelNext: Cancel | undefined;
  #missed = false;
  #stop = new AbortController();

  constructor(parts: SubscriptionsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  /**
   * @returns what ends the subscription
   * @throws CacheError `invalid-value` for a bad filter, `overloaded` beyond 1,000 subscriptions
   */
  add(filter: SubscriptionFilter, listener: LocationListener, options: SubscribeOptions = {}): () => void {
    if (typeof listener !== 'function') {
      throw new CacheError('invalid-value', 'listener must be a function', { field: 'listener' });
    }
    const compiled = compileFilter(filter);
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX) {
      throw new CacheError(
        'overloaded',
        `there are ${SUBSCRIPTIONS_MAX} subscriptions already: end some, or share one among your listeners`,
      );
    }
    const subscription = new LiveSubscription(compiled, listener, this.#parts.counters, options.onCurrent);
    this.#subscriptions.add(subscription);
    this.#count(compiled, 1);
    if (this.#subscriptions.size === 1) this.#begin();
    if (options.current === true) void this.#tellCurrent(subscription);
    return () => {
      if (!this.#subscriptions.delete(subscription)) return;
      subscription.end();
      this.#count(compiled, -1);
      if (this.#subscriptions.size === 0) this.#rest();
    };
  }

  wants(id: VehicleId): boolean {
    return this.#unnamed > 0 || this.#named.has(id);
  }

  moved(location: VehicleLocation): void {
    const { vehicleId } = location;
    const previous = this.#told.get(vehicleId);
    if (previous !== undefined && !isNewerLocation(location, previous)) return;
    this.#told.delete(vehicleId);
    this.#told.set(vehicleId, location);
    if (this.#told.size > TOLD_MAX) this.#told.delete(this.#told.keys().next().value as VehicleId);
    for (const subscription of this.#subscriptions) {
      const { fits } = subscription.filter;
      if (!fits(location) && !(previous !== undefined && fits(previous))) continue;
      subscription.offer(location);
      if (subscription.isBehind && !subscription.isCatchingUp) void this.#tellCurrent(subscription);
    }
  }

  lost(): void {}

  missed(partition: number | undefined): void {
    const mayHaveMoved = (id: VehicleId) => partition === undefined || partitionOf(keys.location(id)) === partition;
    this.#parts.live.touch([...new Set([...this.#told.keys(), ...this.#named.keys()])].filter(mayHaveMoved));
    // Of a vehicle that nobody has named nor heard of, a place or the database knows.
    if (this.#unnamed === 0 || this.#missed) return;
    this.#missed = true;
    this.#readAgain(READ_SOON_MS);
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.end();
    this.#subscriptions.clear();
    this.#named.clear();
    this.#unnamed = 0;
    this.#rest();
  }

  #count({ vehicles }: LiveFilter, by: 1 | -1): void {
    if (vehicles === undefined) this.#unnamed += by;
    else
      for (const id of vehicles) {
        const count = (this.#named.get(id) ?? 0) + by;
        if (count === 0) this.#named.delete(id);
        else this.#named.set(id, count);
      }
  }

  #begin(): void {
    this.#stop = new AbortController();
    this.#parts.live.follow(this);
    this.#readAgain(READ_AGAIN_MS);
  }

  #rest(): void {
    this.#stop.abort(new CacheError('closed', 'nobody listens any more'));
    this.#parts.live.unfollow(this);
    this.#cancelNext?.();
    this.#cancelNext = undefined;
    this.#told.clear();
  }

  /** Reads what is watched, if need be, after `delayMs`, and from then on every five seconds. */
  #readAgain(delayMs: number): void {
    this.#cancelNext?.();
    this.#cancelNext = this.#parts.clock.schedule(delayMs, () => {
      const all = this.#missed || !this.#parts.hearsAll();
      this.#missed = false;
      this.#readAgain(READ_AGAIN_MS);
      void this.#readFor([...this.#subscriptions].filter((one) => all || one.isBehind));
    });
  }

  async #readFor(subscriptions: readonly LiveSubscription[]): Promise<void> {
    for (const subscription of subscriptions) {
      if (subscription.isBehind) await this.#tellCurrent(subscription);
      else if (!(await this.#read(subscription, (location) => this.moved(location)))) this.#missed = true;
    }
  }

  /** Also what it has been told already, but nothing older. */
  async #tellCurrent(subscription: LiveSubscription): Promise<void> {
    if (subscription.isCatchingUp) return;
    subscription.isCatchingUp = true;
    subscription.isBehind = false;
    const isRead = await this.#read(subscription, (location) => {
      const told = this.#told.get(location.vehicleId);
      if (told === undefined || isNewerLocation(location, told)) this.moved(location);
      else if (!isNewerLocation(told, location)) subscription.offer(told);
    });
    subscription.isCatchingUp = false;
    if (isRead) subscription.complete();
    else subscription.isBehind = true;
  }

  /** Never rejects. @returns whether all could be read */
  async #read(subscription: LiveSubscription, take: (location: VehicleLocation) => void): Promise<boolean> {
    try {
      await subscription.room();
      for await (const locations of this.#parts.current(subscription.filter, this.#stop.signal)) {
        if (subscription.ended) break;
        for (const location of locations) take(location);
        await subscription.room();
      }
      return true;
    } catch {
      return false;
    }
  }
}
