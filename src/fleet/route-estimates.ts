import type { Cache } from '../core/cache.js';
import { type CallOptions, startCall } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import type { VehicleId, VehicleLocation } from './domain.js';
import { ExternalSource } from './external-source.js';
import type { FleetKeyspaces } from './keyspaces.js';
import type { RouteEstimate, RoutesApi } from './ports.js';
import { checkPosition, type Position } from './region.js';
import type { FleetCounters } from './stats.js';
import { restOf } from './waits.js';

/** When a vehicle will be where, as far as the routes API knows. */
export interface RouteEta extends RouteEstimate {
  readonly vehicleId: VehicleId;
  /** The position that it was reckoned from. */
  readonly from: VehicleLocation;
  readonly destination: Position;
  readonly arrivesAt: Date;
}

const DEADLINE_MS = 10_000;
const NAME = 'the routes API';

interface RouteQuestion {
  readonly from: VehicleLocation;
  readonly to: Position;
}

export interface RouteEstimatesParts {
  readonly cache: Cache;
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
  readonly #source: ExternalSource<RouteQuestion, RouteEta>;

  constructor(parts: RouteEstimatesParts) {
    this.#parts = parts;
    const { cache, clock, counters, routes } = parts;
    const told = {
      onShared: () => {
        counters.routesShared += 1;
      },
      onAsked: () => {
        counters.routesAsked += 1;
      },
    };
    this.#source = new ExternalSource(
      { cache, clock, ...told },
      {
        name: NAME,
        policy: { keep: 'nothing' },
        keyOf: ({ from, to }) => `${from.vehicleId} ${from.lat},${from.lon} ${to.lat},${to.lon}`,
        ask: async ({ from, to }, call) => {
          const origin = { lat: from.lat, lon: from.lon };
          const destination = { lat: to.lat, lon: to.lon };
          const estimate = await (routes as RoutesApi).computeRoute({ origin, destination }, call);
          if (estimate === undefined) return undefined;
          const { distanceMeters, durationSeconds } = estimate;
          const arrivesAt = new Date(clock.wallMs() + durationSeconds * 1_000);
          return { vehicleId: from.vehicleId, from, destination, distanceMeters, durationSeconds, arrivesAt };
        },
      },
    );
  }

  /** @returns undefined when the vehicle's position is unknown, or when there is no route */
  async ask(id: VehicleId, destination: Position, options: CallOptions | undefined): Promise<RouteEta | undefined> {
    const { clock, keyspaces, routes } = this.#parts;
    checkPosition(destination, 'destination');
    if (routes === undefined) {
      throw new CacheError('invalid-options', `there is no ${NAME}: give \`routes\` to createFleet`, {
        field: 'routes',
      });
    }
    const call = startCall(clock, options, DEADLINE_MS, 'read');
    const from = await keyspaces.location.get(id, restOf(clock, call, `the position of vehicle ${id}`));
    if (from === undefined) return undefined;
    return this.#source.ask({ from, to: destination }, restOf(clock, call, NAME));
  }
}
