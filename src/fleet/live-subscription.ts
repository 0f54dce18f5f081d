import type { VehicleId, VehicleLocation } from './domain.js';
import type { LiveFilter } from './live-filter.js';
import type { FleetCounters } from './stats.js';

/** Told of the newest position of a vehicle. When it returns a promise, nothing more comes until that has settled. */
export type LocationListener = (location: VehicleLocation) => unknown;

/** Most vehicles of which a busy listener has a position waiting; beyond it, it is told all that it watches again. */
const WAITING_MAX = 10_000;
/** What it watches is told again no faster than it takes it. */
const ROOM_BELOW = 5_000;

/** Stands in the queue of what waits: all that the listener watches has been told once that is reached. */
const COMPLETE: unique symbol = Symbol('complete');

/**
 * One listener. It is never waited for: while it is busy the newest position of each vehicle waits for it, and no
 * older one.
 */
export class LiveSubscription {
  readonly filter: LiveFilter;
  readonly #listener: LocationListener;
  readonly #counters: FleetCounters;
  readonly #onCurrent: (() => void) | undefined;
  readonly #waiting = new Map<VehicleId | typeof COMPLETE, VehicleLocation | (() => void)>();
  #busy = false;
  #ended = false;
  #wake: (() => void) | undefined;
  /** Whether it is to be told again all that it watches, and whether it is being told. */
  isBehind = false;
  isCatchingUp = false;

  /** @param onCurrent called when all that it watches has been told */
  constructor(
    filter: LiveFilter,
    listener: LocationListener,
    counters: FleetCounters,
    onCurrent: (() => void) | undefined,
  ) {
    this.#onCurrent = onCurrent;
    this.filter = filter;
    this.#listener = listener;
    this.#counters = counters;
  }

  get ended(): boolean {
    return this.#ended;
  }

  offer(location: VehicleLocation): void {
    const { vehicleId } = location;
    // A vehicle keeps its place in the queue, so that one that reports often does not fall behind for ever.
    if (this.#waiting.has(vehicleId)) this.#counters.conflated += 1;
    this.#waiting.set(vehicleId, location);
    if (this.#waiting.size > WAITING_MAX) {
      const [first] = this.#waiting.keys();
      if (first !== undefined) this.#waiting.delete(first);
      this.#counters.conflated += 1;
      this.isBehind = true;
    }
    this.#start();
  }

  /** It has been offered all that it watches. */
  complete(): void {
    if (this.#onCurrent === undefined) return;
    this.#waiting.delete(COMPLETE);
    this.#waiting.set(COMPLETE, this.#onCurrent);
    this.#start();
  }

  /** Resolves when there is room for many more; undefined when there is already. */
  room(): Promise<void> | undefined {
    if (this.#waiting.size < ROOM_BELOW) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  end(): void {
    this.#ended = true;
    this.#waiting.clear();
    this.#wake?.();
  }

  #start(): void {
    if (this.#busy || this.#ended) return;
    this.#busy = true;
    // After the publisher has gone on: what a listener does is not its affair.
    queueMicrotask(() => void this.#deliver());
  }

  async #deliver(): Promise<void> {
    for (const [id, waiting] of this.#waiting) {
      this.#waiting.delete(id);
      try {
        if (typeof waiting === 'function') waiting();
        else {
          this.#counters.delivered += 1;
          await this.#listener(waiting);
        }
      } catch {
        this.#counters.listenerErrors += 1;
      }
      if (this.#wake !== undefined && this.#waiting.size < ROOM_BELOW) {
        this.#wake();
        this.#wake = undefined;
      }
    }
    this.#busy = false;
  }
}
