import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../core/clock.js';
import { GEOCODE_LOCATION_PATH, type GeocodeLocationResponse } from './geocoding-wire.js';
import type { ErrorResponse, LatLng } from './google-wire.js';
import { COMPUTE_ROUTES_PATH, type ComputeRoutesRequest, type ComputeRoutesResponse } from './routes-wire.js';

/** Roads are longer than the straight line, by about this much in India's cities. */
const DETOUR = 1.3;
/** 36 km/h: a loaded truck, city and highway taken together. */
const SPEED_METERS_PER_S = 10;
/** Beyond this there is sea in between. */
const ROUTE_METERS_MAX = 5_000_000;
const EARTH_RADIUS_METERS = 6_371_008.8;
/** Nobody lives farther north or south. */
const INHABITED_LAT_MAX = 80;
/** A plot is a hundredth of a hundredth of a degree wide, some ten metres. */
const PLOTS_PER_DEGREE = 10_000;
const REQUEST_BYTES_MAX = 65_536;

/** What goes wrong with one request. `reset`: the connection breaks without an answer. */
export type FakeFailure = 'unavailable' | 'internal' | 'reset';

export interface FakeBehaviour {
  /** How long each answer takes. Default 0. */
  readonly delayMs?: number;
  /** What the next requests meet, in order; those after them are answered. */
  readonly failures?: readonly FakeFailure[];
  /** How many requests more are answered before the quota is used up. Default: no end. */
  readonly quota?: number;
}

export interface FakeGoogleServer {
  /** For `RoutesClient` and `GeocodingClient`, such as `http://127.0.0.1:40123`. */
  readonly url: string;
  /** Requests that came in so far, answered or not. */
  readonly requests: number;
  /** From now on, in place of what was said before. */
  behave(behaviour: FakeBehaviour): void;
  close(): Promise<void>;
}

/**
 * Stands in for Google's Routes and Geocoding APIs, on this machine only: the same paths, headers, checks, answers and
 * errors, and the same answer to the same question, whatever the hour. A route is the great circle times 1.3 at 36 km/h;
 * beyond 5,000 km there is none. A place is a plot ten metres wide; beyond 80 degrees north and south there is none.
 */
export async function startFakeGoogleServer(options: {
  readonly clock: Clock;
  readonly apiKey: string;
}): Promise<FakeGoogleServer> {
  let behaviour: FakeBehaviour = {};
  let failures: FakeFailure[] = [];
  let quota = Number.POSITIVE_INFINITY;
  let requests = 0;

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    requests += 1;
    const failure = failures.shift();
    const body = await readBody(request);
    await new Promise<void>((resolve) => options.clock.schedule(behaviour.delayMs ?? 0, resolve));
    if (failure === 'reset') {
      request.socket.resetAndDestroy();
      return;
    }
    const checked = check(request, body, options.apiKey);
    if ('error' in checked) {
      send(response, checked);
    } else if (failure !== undefined) {
      send(response, FAILURES[failure]);
    } else if (quota <= 0) {
      send(response, OVER_QUOTA);
    } else {
      quota -= 1;
      send(response, 'at' in checked ? geocode(checked) : computeRoutes(checked));
    }
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => request.socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get requests() {
      return requests;
    },
    behave(next) {
      behaviour = next;
      failures = [...(next.failures ?? [])];
      quota = next.quota ?? Number.POSITIVE_INFINITY;
    },
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const FAILURES: Readonly<Record<Exclude<FakeFailure, 'reset'>, ErrorResponse>> = {
  unavailable: failed(503, 'UNAVAILABLE', 'The service is currently unavailable.'),
  internal: failed(500, 'INTERNAL', 'Internal error encountered.'),
};

const OVER_QUOTA = failed(
  429,
  'RESOURCE_EXHAUSTED',
  "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of the service.",
  'RATE_LIMIT_EXCEEDED',
);

function failed(code: number, status: string, message: string, reason?: string): ErrorResponse {
  const details = reason === undefined ? [] : [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason }];
  return { error: { code, message, status, ...(details.length > 0 && { details }) } };
}

interface Question {
  readonly origin: LatLng;
  readonly destination: LatLng;
  /** Paths of the field mask. */
  readonly fields: readonly string[];
}

interface PlaceQuestion {
  readonly at: LatLng;
  readonly fields: readonly string[];
}

const FIELDS = new Set(['*', 'routes', 'routes.distanceMeters', 'routes.duration']);
const PLACE_FIELDS = new Set(['*', 'results', 'results.placeId', 'results.formattedAddress']);

/** What is wrong with a request, in the words and in the order of the real one. */
function check(request: IncomingMessage, body: string, apiKey: string): Question | PlaceQuestion | ErrorResponse {
  const { method, url = '' } = request;
  const isPlace = method === 'GET' && url.startsWith(GEOCODE_LOCATION_PATH);
  if (!isPlace && (method !== 'POST' || url !== COMPUTE_ROUTES_PATH)) {
    return failed(404, 'NOT_FOUND', 'Requested entity was not found.');
  }
  const key = request.headers['x-goog-api-key'];
  if (key === undefined) return failed(403, 'PERMISSION_DENIED', 'The request is missing a valid API key.');
  if (key !== apiKey) {
    const message = 'API key not valid. Please pass a valid API key.';
    return failed(400, 'INVALID_ARGUMENT', message, 'API_KEY_INVALID');
  }
  const mask = request.headers['x-goog-fieldmask'];
  const known = isPlace ? PLACE_FIELDS : FIELDS;
  // Geocoding gives everything to whoever names nothing; routes are refused.
  const fields = String(mask ?? (isPlace ? '*' : '')).split(',');
  const unknown = fields.find((field) => !known.has(field));
  if (unknown === '') return failed(400, 'INVALID_ARGUMENT', 'FieldMask is a required parameter.');
  if (unknown !== undefined) {
    const message = `Error expanding 'fields' parameter. Cannot find matching fields for path '${unknown}'.`;
    return failed(400, 'INVALID_ARGUMENT', message);
  }
  if (isPlace) {
    const at = pointOf(url.slice(GEOCODE_LOCATION_PATH.length));
    return at === undefined ? failed(400, 'INVALID_ARGUMENT', 'Invalid location query.') : { at, fields };
  }
  const { origin, destination } = pointsOf(body);
  if (origin === undefined || destination === undefined) {
    return failed(400, 'INVALID_ARGUMENT', 'Origin and destination must be set.');
  }
  return { origin, destination, fields };
}

function pointsOf(body: string): { origin?: LatLng | undefined; destination?: LatLng | undefined } {
  try {
    const { origin, destination } = JSON.parse(body) as Partial<ComputeRoutesRequest>;
    return { origin: origin?.location.latLng, destination: destination?.location.latLng };
  } catch {
    return {};
  }
}

function computeRoutes({ origin, destination, fields }: Question): ComputeRoutesResponse {
  const distanceMeters = Math.round(greatCircleMeters(origin, destination) * DETOUR);
  if (distanceMeters > ROUTE_METERS_MAX) return {};
  const isAsked = (field: string) => fields.some((path) => path === field || path === 'routes' || path === '*');
  const duration = `${Math.round(distanceMeters / SPEED_METERS_PER_S)}s`;
  return {
    routes: [
      {
        ...(isAsked('routes.distanceMeters') && distanceMeters > 0 && { distanceMeters }),
        ...(isAsked('routes.duration') && { duration }),
      },
    ],
  };
}

function pointOf(text: string): LatLng | undefined {
  const [, lat = '', lon = ''] = /^(-?\d{1,2}(?:\.\d+)?),(-?\d{1,3}(?:\.\d+)?)$/.exec(decodeURIComponent(text)) ?? [];
  const [latitude, longitude] = [Number(lat), Number(lon)];
  return lat === '' || Math.abs(latitude) > 90 || Math.abs(longitude) > 180 ? undefined : { latitude, longitude };
}

function geocode({ at: { latitude, longitude }, fields }: PlaceQuestion): GeocodeLocationResponse {
  if (Math.abs(latitude) > INHABITED_LAT_MAX) return {};
  const isAsked = (field: string) => fields.some((path) => path === field || path === 'results' || path === '*');
  const [row, column] = [latitude, longitude].map((degrees) => Math.floor(degrees * PLOTS_PER_DEGREE)) as [
    number,
    number,
  ];
  const placeId = `ChIJ${Buffer.from(`${row} ${column}`).toString('base64url')}`;
  return {
    results: [
      {
        ...(isAsked('results.placeId') && { placeId }),
        ...(isAsked('results.formattedAddress') && { formattedAddress: `Plot ${row}/${column}, India` }),
      },
    ],
  };
}

/** By the haversine formula. */
function greatCircleMeters(from: LatLng, to: LatLng): number {
  const radians = Math.PI / 180;
  const half =
    Math.sin(((to.latitude - from.latitude) * radians) / 2) ** 2 +
    Math.cos(from.latitude * radians) *
      Math.cos(to.latitude * radians) *
      Math.sin(((to.longitude - from.longitude) * radians) / 2) ** 2;
  return 2 * EARTH_RADIUS_METERS * Math.asin(Math.sqrt(Math.min(1, half)));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > REQUEST_BYTES_MAX) throw new Error('the request is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, body: ComputeRoutesResponse | GeocodeLocationResponse | ErrorResponse): void {
  response.writeHead('error' in body ? body.error.code : 200, { 'content-type': 'application/json; charset=UTF-8' });
  response.end(JSON.stringify(body, undefined, 2));
}
