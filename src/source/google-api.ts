import { Pool } from 'undici';
import type { LoadCall } from '../core/cache.js';
import { type Call, remainingMs, waitWithin } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { ErrorResponse } from './google-wire.js';
import { callOf } from './load-call.js';
import { RateLimit } from './rate-limit.js';
import { Turnstile } from './turnstile.js';

/** Requests at a time, and connections kept for them. */
const REQUESTS_MAX = 20;
const WAITING_MAX = 1_000;
const CONNECT_TIMEOUT_MS = 1_000;
/** What we ask for takes a few hundred bytes; errors take a few thousand. */
const RESPONSE_BYTES_MAX = 65_536;
/** A second try comes at a random moment within this time, so that those who failed together do not return together. */
const RETRY_WITHIN_MS = 100;
/** Second tries are at most a tenth of all requests, and ten on top. */
const RETRIES_PER_REQUEST = 0.1;
const RETRIES_SAVED_MAX = 10;
/** Google's quotas are per minute: what a second had not used may be used at once. */
const BURST_SECONDS = 5;

export interface GoogleApiOptions {
  readonly apiKey: string;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Where the API is. Default: Google's. */
  readonly url?: string;
  /**
   * Requests per minute that this process may send: its share of the project's quota. Default: 3,000, what Google gives a new
   * project, for all of its processes together.
   */
  readonly perMinute?: number;
}

export interface GoogleRequest {
  readonly method: 'GET' | 'POST';
  /** Begins with a slash. */
  readonly path: string;
  /** Which fields are wanted, as `X-Goog-FieldMask` has them. */
  readonly fields: string;
  readonly body?: object;
}

/** `reset`: the connection broke, and whether the request arrived is not known. */
type Attempt =
  | { readonly kind: 'answered'; readonly status: number; readonly text: string }
  | { readonly kind: 'reset'; readonly error: Error };

const PER_MINUTE = 3_000;
const PER_MINUTE_MAX = 1_000_000;

/**
 * One of Google's APIs over HTTP: so many requests at a time and per minute, within the deadlines of who asks, with a second try
 * for what fails in passing. All of them are read-only: asking twice does no harm.
 */
export class GoogleApi {
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #name: string;
  readonly #apiKey: string;
  readonly #basePath: string;
  readonly #pool: Pool;
  readonly #turnstile: Turnstile;
  readonly #rate: RateLimit;
  #retries = RETRIES_SAVED_MAX;
  #closing: Promise<void> | undefined;

  /**
   * @param name as it appears in errors, such as `the Routes API`
   * @throws CacheError `invalid-config` for a key, URL or number of requests that cannot be one
   */
  constructor(
    name: string,
    { apiKey, clock, chance, url, perMinute = PER_MINUTE }: GoogleApiOptions & { url: string },
  ) {
    if (!/^[\x21-\x7e]+$/.test(apiKey)) {
      throw new CacheError('invalid-config', 'apiKey must be printable ASCII, at least one character', {
        field: 'apiKey',
      });
    }
    if (!URL.canParse(url) || !/^https?:/.test(url)) {
      throw new CacheError('invalid-config', `url is ${JSON.stringify(url)}: give an http(s) URL`, { field: 'url' });
    }
    if (!(perMinute >= 1 && perMinute <= PER_MINUTE_MAX)) {
      throw new CacheError('invalid-config', `perMinute is ${perMinute}: give 1 to ${PER_MINUTE_MAX} requests`, {
        field: 'perMinute',
      });
    }
    const base = new URL(url);
    this.#clock = clock;
    this.#chance = chance;
    this.#name = name;
    this.#apiKey = apiKey;
    this.#basePath = base.pathname.replace(/\/$/, '');
    this.#pool = new Pool(base.origin, {
      connections: REQUESTS_MAX,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      maxResponseSize: RESPONSE_BYTES_MAX,
    });
    this.#turnstile = new Turnstile(clock, name, { insideMax: REQUESTS_MAX, waitingMax: WAITING_MAX });
    const perSecond = perMinute / 60;
    this.#rate = new RateLimit(clock, name, { perSecond, burst: Math.max(1, Math.floor(perSecond * BURST_SECONDS)) });
  }

  /**
   * @returns what the API answered, an object whose fields are still to be doubted
   * @throws CacheError `overloaded` when the quota is used up or too many wait, `unauthorized` when the key is refused,
   *   `invalid-value` when the API cannot make sense of the request, `deadline`, `aborted`, `closed`, else `level-failed`
   */
  async ask<T extends object>(request: GoogleRequest, call: LoadCall): Promise<Partial<T>> {
    const caller = callOf(this.#clock, call);
    const attempt = await this.#turnstile.run(caller, () => this.#tryTwice(request, caller));
    if (attempt.kind === 'reset') {
      throw new CacheError('level-failed', `${this.#name} cannot be reached: ${attempt.error.message}`, {
        cause: attempt.error,
      });
    }
    if (attempt.status === 429) this.#rate.refused();
    else this.#rate.accepted();
    if (attempt.status !== 200) throw this.#refusal(attempt.status, attempt.text);
    const answer = parse<T>(attempt.text);
    if (answer !== undefined) return answer;
    throw new CacheError('level-failed', `${this.#name} answered with something else than JSON`);
  }

  /** Turns away what waits; what is under way ends within the deadlines of its callers. */
  close(): Promise<void> {
    this.#turnstile.close();
    this.#closing ??= this.#pool.close();
    return this.#closing;
  }

  async #tryTwice(request: GoogleRequest, call: Call): Promise<Attempt> {
    this.#retries = Math.min(this.#retries + RETRIES_PER_REQUEST, RETRIES_SAVED_MAX);
    const first = await this.#try(request, call);
    const pauseMs = this.#chance.next() * RETRY_WITHIN_MS;
    if (!isPassing(first) || this.#retries < 1 || remainingMs(this.#clock, call) <= pauseMs) return first;
    this.#retries -= 1;
    const pause = new Promise<void>((resolve) => this.#clock.schedule(pauseMs, resolve));
    await waitWithin(this.#clock, call, `a second try at ${this.#name}`, pause);
    return this.#try(request, call);
  }

  async #try(request: GoogleRequest, call: Call): Promise<Attempt> {
    await this.#rate.enter(call);
    const leaving = new AbortController();
    try {
      return await waitWithin(this.#clock, call, this.#name, this.#send(request, leaving.signal));
    } finally {
      leaving.abort();
    }
  }

  async #send({ method, path, fields, body }: GoogleRequest, signal: AbortSignal): Promise<Attempt> {
    try {
      const response = await this.#pool.request({
        method,
        path: this.#basePath + path,
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          'x-goog-api-key': this.#apiKey,
          'x-goog-fieldmask': fields,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal,
      });
      return { kind: 'answered', status: response.statusCode, text: await response.body.text() };
    } catch (thrown) {
      return { kind: 'reset', error: toError(thrown) };
    }
  }

  #refusal(status: number, text: string): CacheError {
    const { error } = parse<ErrorResponse>(text) ?? {};
    const said = `${error?.status ?? status}: ${error?.message ?? 'no reason given'}`.replaceAll(this.#apiKey, '(key)');
    const isKeyInvalid = error?.details?.some(({ reason }) => reason === 'API_KEY_INVALID') === true;
    if (status === 429) {
      return new CacheError('overloaded', `the quota of ${this.#name} is used up: ask less, or raise it (${said})`);
    }
    if (status === 401 || status === 403 || isKeyInvalid) {
      return new CacheError(
        'unauthorized',
        `${this.#name} refuses the key: is it right, and is the API enabled for it? (${said})`,
      );
    }
    if (status === 400) return new CacheError('invalid-value', `${this.#name} cannot make sense of it (${said})`);
    return new CacheError('level-failed', `${this.#name} failed with HTTP ${status} (${said})`);
  }
}

const RESET = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** Likely to be over in a moment. */
function isPassing(attempt: Attempt): boolean {
  if (attempt.kind === 'answered') return attempt.status === 503;
  return 'code' in attempt.error && RESET.has(String(attempt.error.code));
}

/** What the other side sent, if it is an object. */
function parse<T extends object>(text: string): Partial<T> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Partial<T>) : undefined;
  } catch {
    return undefined;
  }
}
