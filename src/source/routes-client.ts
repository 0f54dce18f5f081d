import { Pool } from 'undici';
import type { LoadCall } from '../core/cache.js';
import { type Call, remainingMs, waitWithin } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import { callOf } from './load-call.js';
import {
  COMPUTE_ROUTES_PATH,
  type ComputeRoutesRequest,
  type ComputeRoutesResponse,
  type ErrorResponse,
  FIELD_MASK,
  type Waypoint,
} from './routes-wire.js';
import { Turnstile } from './turnstile.js';

const GOOGLE_URL = 'https://routes.googleapis.com';
/** Requests at a time, and connections kept for them. */
const REQUESTS_MAX = 20;
const WAITING_MAX = 1_000;
const CONNECT_TIMEOUT_MS = 1_000;
/** What we ask for takes less than a hundred bytes; errors take a few thousand. */
const RESPONSE_BYTES_MAX = 65_536;
/** A second try comes at a random moment within this time, so that those who failed together do not return together. */
const RETRY_WITHIN_MS = 100;
/** Second tries are at most a tenth of all requests, and ten on top. */
const RETRIES_PER_REQUEST = 0.1;
const RETRIES_SAVED_MAX = 10;

export interface RoutesClientOptions {
  readonly apiKey: string;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Where the API is. Default: Google's. */
  readonly url?: string;
}

interface Point {
  readonly lat: number;
  readonly lon: number;
}

export interface RouteRequest {
  readonly origin: Point;
  readonly destination: Point;
}

export interface RouteEstimate {
  readonly distanceMeters: number;
  readonly durationSeconds: number;
}

/** `reset`: the connection broke, and whether the request arrived is not known. */
type Attempt =
  | { readonly kind: 'answered'; readonly status: number; readonly text: string }
  | { readonly kind: 'reset'; readonly error: Error };

/**
 * Travel times by road from Google's Routes API (`computeRoutes`). Google does not allow its answers to be stored:
 * ask through something that coalesces, and keep nothing.
 */
export class RoutesClient {
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #apiKey: string;
  readonly #path: string;
  readonly #pool: Pool;
  readonly #turnstile: Turnstile;
  #retries = RETRIES_SAVED_MAX;
  #closing: Promise<void> | undefined;

  /** @throws CacheError `invalid-config` for a key or URL that cannot be one */
  constructor({ apiKey, clock, chance, url = GOOGLE_URL }: RoutesClientOptions) {
    if (!/^[\x21-\x7e]+$/.test(apiKey)) {
      throw new CacheError('invalid-config', 'apiKey must be printable ASCII, at least one character', {
        field: 'apiKey',
      });
    }
    if (!URL.canParse(url) || !/^https?:/.test(url)) {
      throw new CacheError('invalid-config', `url is ${JSON.stringify(url)}: give an http(s) URL`, { field: 'url' });
    }
    const base = new URL(url);
    this.#clock = clock;
    this.#chance = chance;
    this.#apiKey = apiKey;
    this.#path = base.pathname.replace(/\/$/, '') + COMPUTE_ROUTES_PATH;
    this.#pool = new Pool(base.origin, {
      connections: REQUESTS_MAX,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      maxResponseSize: RESPONSE_BYTES_MAX,
    });
    this.#turnstile = new Turnstile(clock, 'the Routes API', { insideMax: REQUESTS_MAX, waitingMax: WAITING_MAX });
  }

  /**
   * The fastest way by road, at this moment.
   * @returns undefined when there is none
   * @throws CacheError `invalid-value` for points that are none, `overloaded` when the quota is used up or too many
   *   wait, `unauthorized` when the key is refused, `deadline`, `aborted`, `closed`, else `level-failed`
   */
  async computeRoute(request: RouteRequest, call: LoadCall): Promise<RouteEstimate | undefined> {
    const body: ComputeRoutesRequest = {
      origin: waypoint(request.origin, 'origin'),
      destination: waypoint(request.destination, 'destination'),
      travelMode: 'DRIVE',
      routingPreference: 'TRAFFIC_AWARE',
    };
    const caller = callOf(this.#clock, call);
    const attempt = await this.#turnstile.run(caller, () => this.#tryTwice(JSON.stringify(body), caller));
    if (attempt.kind === 'reset') {
      throw new CacheError('level-failed', `the Routes API cannot be reached: ${attempt.error.message}`, {
        cause: attempt.error,
      });
    }
    if (attempt.status !== 200) throw this.#refusal(attempt.status, attempt.text);
    return estimateOf(attempt.text);
  }

  /** Turns away what waits; what is under way ends within the deadlines of its callers. */
  close(): Promise<void> {
    this.#turnstile.close();
    this.#closing ??= this.#pool.close();
    return this.#closing;
  }

  async #tryTwice(body: string, call: Call): Promise<Attempt> {
    this.#retries = Math.min(this.#retries + RETRIES_PER_REQUEST, RETRIES_SAVED_MAX);
    const first = await this.#try(body, call);
    const pauseMs = this.#chance.next() * RETRY_WITHIN_MS;
    if (!isPassing(first) || this.#retries < 1 || remainingMs(this.#clock, call) <= pauseMs) return first;
    this.#retries -= 1;
    const pause = new Promise<void>((resolve) => this.#clock.schedule(pauseMs, resolve));
    await waitWithin(this.#clock, call, 'a second try at the Routes API', pause);
    return this.#try(body, call);
  }

  async #try(body: string, call: Call): Promise<Attempt> {
    const leaving = new AbortController();
    try {
      return await waitWithin(this.#clock, call, 'the Routes API', this.#send(body, leaving.signal));
    } finally {
      leaving.abort();
    }
  }

  async #send(body: string, signal: AbortSignal): Promise<Attempt> {
    try {
      const response = await this.#pool.request({
        method: 'POST',
        path: this.#path,
        headers: {
          'content-type': 'application/json',
          'x-goog-api-key': this.#apiKey,
          'x-goog-fieldmask': FIELD_MASK,
        },
        body,
        signal,
      });
      return { kind: 'answered', status: response.statusCode, text: await response.body.text() };
    } catch (thrown) {
      return { kind: 'reset', error: toError(thrown) };
    }
  }

  #refusal(status: number, text: string): CacheError {
    const { error } = parse<Partial<ErrorResponse>>(text) ?? {};
    const said = `${error?.status ?? status}: ${error?.message ?? 'no reason given'}`.replaceAll(this.#apiKey, '(key)');
    const isKeyInvalid = error?.details?.some(({ reason }) => reason === 'API_KEY_INVALID') === true;
    if (status === 429) {
      return new CacheError('overloaded', `the quota of the Routes API is used up: ask less, or raise it (${said})`);
    }
    if (status === 401 || status === 403 || isKeyInvalid) {
      return new CacheError(
        'unauthorized',
        `the Routes API refuses the key: is it right, and is the API enabled for it? (${said})`,
      );
    }
    if (status === 400) return new CacheError('invalid-value', `the Routes API cannot make sense of it (${said})`);
    return new CacheError('level-failed', `the Routes API failed with HTTP ${status} (${said})`);
  }
}

const RESET = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** Likely to be over in a moment. A route is only computed, never made: asking twice does no harm. */
function isPassing(attempt: Attempt): boolean {
  if (attempt.kind === 'answered') return attempt.status === 503;
  return 'code' in attempt.error && RESET.has(String(attempt.error.code));
}

function waypoint({ lat, lon }: Point, field: string): Waypoint {
  if (!(Math.abs(lat) <= 90 && Math.abs(lon) <= 180)) {
    throw new CacheError('invalid-value', `${field} is ${lat}, ${lon}: there is no such place`, { field });
  }
  return { location: { latLng: { latitude: lat, longitude: lon } } };
}

const DURATION = /^(\d+(?:\.\d{1,9})?)s$/;

function estimateOf(text: string): RouteEstimate | undefined {
  const response = parse<ComputeRoutesResponse>(text);
  if (response === undefined)
    throw new CacheError('level-failed', 'the Routes API answered with something else than JSON');
  const route = response.routes?.[0];
  if (route === undefined) return undefined;
  const { distanceMeters = 0, duration = '' } = route;
  const seconds = DURATION.exec(duration)?.[1];
  if (seconds === undefined || !Number.isFinite(distanceMeters)) {
    throw new CacheError('level-failed', 'the Routes API answered with a route that has no distance or duration');
  }
  return { distanceMeters, durationSeconds: Number(seconds) };
}

/** What the other side sent, if it is an object; its fields are still to be doubted. */
function parse<T extends object>(text: string): T | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
