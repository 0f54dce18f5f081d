import { type CallOptions, startCall, waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import { type Flight, SingleFlight } from '../core/single-flight.js';
import type { VehicleId, VehicleLocation } from './domain.js';
import type { FleetKeyspaces } from './keyspaces.js';
import type { RouteEstimate, RoutesApi } from './ports.js';
import type { Position } from './region.js';
import type { FleetCounters } from './stats.js';
import { outsideCall, restOf } from './waits.js';

/** When a vehicle will be where, as far as the routes API knows. */
export interface RouteEta extends RouteEstimate {
  readonly vehicleId: VehicleId;
  /** The position that it was reckoned from. */
  readonly from: VehicleLocation;
  readonly destination: Position;
  readonly arrivesAt: Date;
}

const DEADLINE_MS = 10_000;
/** Most questions under way at a time. */
const FLIGHTS_MAX = 1_000;
const NAME = 'the routes API';

export interface RouteEstimatesParts {
  readonly clock: Clock;
  readonly keyspaces: FleetKeyspaces;
  readonly routes: RoutesApi | undefined;
  readonly counters: FleetCounters;
}

/**
 * Travel times. The terms of the routes API let its answers be shared among those who ask at the same time, but not
 * be stored: so nothing of this is in the cache.
 */
export class RouteEstimates {
  readonly #parts: RouteEstimatesParts;
  readonly #flights = new SingleFlight<RouteEta | undefined>();

  constructor(parts: RouteEstimatesParts) {
    this.#parts = parts;
  }

  /** @returns undefined when the vehicle's position is unknown, or when there is no route */
  async ask(id: VehicleId, destination: Position, options: CallOptions | undefined): Promise<RouteEta | undefined> {
    const { clock, keyspaces, counters } = this.#parts;
    checkDestination(destination);
    const call = startCall(clock, options, DEADLINE_MS, 'read');
    const from = await keyspaces.location.get(id, restOf(clock, call, `the position of vehicle ${id}`));
    if (from === undefined) return undefined;
    const key = `${id} ${from.lat},${from.lon} ${destination.lat},${destination.lon}`;
    const joined = this.#flights.find(key, true);
    if (joined !== undefined) counters.routesShared += 1;
    return waitWithin(clock, call, NAME, (joined ?? this.#begin(key, from, destination)).result);
  }

  /** Its deadline is its own: it must not end because the one who happened to ask first is in a hurry. */
  #begin(key: string, from: VehicleLocation, destination: Position): Flight<RouteEta | undefined> {
    if (this.#flights.size >= FLIGHTS_MAX) {
      throw new CacheError('overloaded', `${FLIGHTS_MAX} questions to ${NAME} are under way: ask again later`);
    }
    const flight = this.#flights.begin(key, true);
    this.#estimate(from, destination).then(
      (eta) => {
        this.#flights.end(flight);
        flight.resolve(eta);
      },
      (thrown: unknown) => {
        this.#flights.end(flight);
        flight.reject(toError(thrown));
      },
    );
    return flight;
  }

  async #estimate(from: VehicleLocation, to: Position): Promise<RouteEta | undefined> {
    const { clock, routes, counters } = this.#parts;
    if (routes === undefined) {
      throw new CacheError('invalid-options', `there is no ${NAME}: give \`routes\` to createFleet`, {
        field: 'routes',
      });
    }
    const call = startCall(clock, undefined, DEADLINE_MS, 'read');
    const outside = outsideCall(clock, call, NAME);
    const origin = { lat: from.lat, lon: from.lon };
    const destination = { lat: to.lat, lon: to.lon };
    counters.routesAsked += 1;
    try {
      const estimate = await waitWithin(clock, call, NAME, routes.computeRoute({ origin, destination }, outside));
      if (estimate === undefined) return undefined;
      const { distanceMeters, durationSeconds } = estimate;
      const arrivesAt = new Date(clock.wallMs() + durationSeconds * 1_000);
      return { vehicleId: from.vehicleId, from, destination, distanceMeters, durationSeconds, arrivesAt };
    } catch (thrown) {
      throw routeError(thrown, from.vehicleId);
    } finally {
      outside.end();
    }
  }
}

function routeError(thrown: unknown, id: VehicleId): CacheError {
  if (thrown instanceof CacheError) return thrown;
  return new CacheError('load-failed', `${NAME} failed for vehicle ${id}: ${toError(thrown).message}`, {
    cause: thrown,
  });
}

function checkDestination({ lat, lon }: Position): void {
  if (Math.abs(lat) <= 90 && Math.abs(lon) <= 180) return;
  throw new CacheError('invalid-value', `destination is ${lat},${lon}: give a latitude and a longitude in degrees`, {
    field: 'destination',
  });
}
