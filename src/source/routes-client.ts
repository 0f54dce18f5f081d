import type { LoadCall } from '../core/cache.js';
import { CacheError } from '../core/errors.js';
import { GoogleApi, type GoogleApiOptions } from './google-api.js';
import { checkPoint, type Point } from './point.js';
import {
  COMPUTE_ROUTES_PATH,
  type ComputeRoutesRequest,
  type ComputeRoutesResponse,
  FIELD_MASK,
  type Waypoint,
} from './routes-wire.js';

const GOOGLE_URL = 'https://routes.googleapis.com';

export interface RouteRequest {
  readonly origin: Point;
  readonly destination: Point;
}

export interface RouteEstimate {
  readonly distanceMeters: number;
  readonly durationSeconds: number;
}

/**
 * Travel times by road from Google's Routes API (`computeRoutes`). Google does not allow its answers to be stored:
 * ask through something that coalesces, and keep nothing.
 */
export class RoutesClient {
  readonly #api: GoogleApi;

  /** @throws CacheError as `GoogleApi` does */
  constructor(options: GoogleApiOptions) {
    this.#api = new GoogleApi('the Routes API', { ...options, url: options.url ?? GOOGLE_URL });
  }

  /**
   * The fastest way by road, at this moment.
   * @returns undefined when there is none
   * @throws CacheError `invalid-value` for points that are none; else as `GoogleApi.ask` does
   */
  async computeRoute(request: RouteRequest, call: LoadCall): Promise<RouteEstimate | undefined> {
    const body: ComputeRoutesRequest = {
      origin: waypoint(request.origin, 'origin'),
      destination: waypoint(request.destination, 'destination'),
      travelMode: 'DRIVE',
      routingPreference: 'TRAFFIC_AWARE',
    };
    const path = COMPUTE_ROUTES_PATH;
    return estimateOf(
      await this.#api.ask<ComputeRoutesResponse>({ method: 'POST', path, fields: FIELD_MASK, body }, call),
    );
  }

  /** Turns away what waits; what is under way ends within the deadlines of its callers. */
  close(): Promise<void> {
    return this.#api.close();
  }
}

function waypoint(point: Point, field: string): Waypoint {
  const { lat, lon } = checkPoint(point, field);
  return { location: { latLng: { latitude: lat, longitude: lon } } };
}

const DURATION = /^(\d+(?:\.\d{1,9})?)s$/;

function estimateOf({ routes }: Partial<ComputeRoutesResponse>): RouteEstimate | undefined {
  const route = routes?.[0];
  if (route === undefined) return undefined;
  const { distanceMeters = 0, duration = '' } = route;
  const seconds = DURATION.exec(duration)?.[1];
  if (seconds === undefined || !Number.isFinite(distanceMeters)) {
    throw new CacheError('level-failed', 'the Routes API answered with a route that has no distance or duration');
  }
  return { distanceMeters, durationSeconds: Number(seconds) };
}
