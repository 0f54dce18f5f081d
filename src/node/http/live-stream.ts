import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cancel, Clock } from '../../core/clock.js';
import { CacheError, toError } from '../../core/errors.js';
import type { VehicleLocation } from '../../fleet/domain.js';
import type { Fleet } from '../../fleet/fleet.js';
import { locationVersion } from '../../fleet/positions.js';
import { Bearers, TOKEN_LENGTH_MIN } from './bearer.js';
import { type LiveQuery, readLiveQuery } from './live-query.js';
import { failure, headersFor, json, type Reply, send } from './reply.js';

/** Somebody asked where vehicles are: what a log of access needs, without places. */
export interface LiveAccess {
  readonly what: 'opened' | 'closed' | 'refused';
  readonly address: string | undefined;
  /** Of a refusal. */
  readonly status?: number;
  /** Of those that were named. */
  readonly vehicles?: readonly string[];
  readonly regions?: number;
  readonly box?: boolean;
  /** Positions that were sent. */
  readonly sent?: number;
}

export interface LiveStreamOptions {
  /** What callers must have as `Authorization: Bearer`: at least 32 characters. Several while it is being changed. */
  readonly token: string | readonly string[];
  /** Told of every stream and of every refusal. */
  readonly onAccess?: (access: LiveAccess) => void;
}

/** Live positions as server-sent events, for an HTTP server of Node. */
export interface LiveStream {
  /** Where it is to be reached, unless its owner has another place for it. */
  readonly path: '/fleet/live';
  /** Streams that are open. */
  readonly size: number;
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Ends all streams; what comes later is refused. */
  close(): void;
}

interface Stream {
  readonly response: ServerResponse;
  readonly query: LiveQuery;
  readonly address: string | undefined;
  hears: boolean;
  stuckFor: number;
  sent: number;
  /** Lets the subscription go on; called when the socket has taken what it was given, or is gone. */
  goOn(): void;
  end(): void;
}

const STREAMS_MAX = 64;
const TICK_MS = 5_000;
/** So that nothing on the way takes a quiet stream for a dead one; every third tick. */
const HEARTBEAT_TICKS = 3;
/** A socket that has taken nothing for so many ticks is given up. */
const STUCK_TICKS = 6;
/** What an EventSource waits before it comes back. */
const RETRY_MS = 2_000;

/**
 * Makes `GET /fleet/live?vehicle=42&region=19.07,72.87&box=south,west,north,east`.
 * @throws CacheError `invalid-options` for a token that is too short
 */
export function openLiveStream(fleet: Fleet, clock: Clock, { token, onAccess }: LiveStreamOptions): LiveStream {
  return new LiveStreams(fleet, clock, checkTokens(token), onAccess);
}

class LiveStreams implements LiveStream {
  readonly path = '/fleet/live';
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  readonly #bearers: Bearers;
  readonly #onAccess: ((access: LiveAccess) => void) | undefined;
  readonly #streams = new Set<Stream>();
  #ticks = 0;
  #cancel: Cancel | undefined;
  #closed = false;

  constructor(fleet: Fleet, clock: Clock, tokens: readonly string[], onAccess: LiveStreamOptions['onAccess']) {
    this.#fleet = fleet;
    this.#clock = clock;
    this.#bearers = new Bearers(tokens);
    this.#onAccess = onAccess;
  }

  get size(): number {
    return this.#streams.size;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const address = request.socket.remoteAddress;
    const refused = this.#refuse(request);
    if (refused !== undefined) {
      this.#onAccess?.({ what: 'refused', address, status: refused.status });
      send(response, refused);
      return;
    }
    try {
      const { searchParams } = new URL(request.url ?? '', 'http://localhost');
      this.#open(response, readLiveQuery(searchParams), address);
    } catch (thrown) {
      const reply = replyTo(toError(thrown));
      this.#onAccess?.({ what: 'refused', address, status: reply.status });
      send(response, reply);
    }
  }

  close(): void {
    this.#closed = true;
    for (const { response, end } of [...this.#streams]) {
      end();
      response.end();
    }
  }

  #refuse({ method, headers }: IncomingMessage): Reply | undefined {
    if (!this.#bearers.knows(headers.authorization)) {
      const message = 'Positions are personal data. Send the token of this node as Authorization: Bearer.';
      return failure(401, 'unauthorized', message, { 'www-authenticate': 'Bearer realm="fleet"' });
    }
    if (method !== 'GET') {
      return failure(405, 'method-not-allowed', `${this.path} takes GET, not ${method}.`, { allow: 'GET' });
    }
    if (!this.#closed && this.#streams.size < STREAMS_MAX) return undefined;
    const why = this.#closed
      ? 'This node is stopping.'
      : `There are ${STREAMS_MAX} streams already. Close one, or wait.`;
    return failure(503, 'overloaded', why, { 'retry-after': '5' });
  }

  #open(response: ServerResponse, query: LiveQuery, address: string | undefined): void {
    const { vehicles, regions, box } = query.compiled;
    const watched = {
      ...(vehicles && { vehicles: [...vehicles] }),
      regions: regions?.size ?? 0,
      box: box !== undefined,
    };
    const stream: Stream = {
      response,
      query,
      address,
      hears: true,
      stuckFor: 0,
      sent: 0,
      goOn: () => {},
      end: () => {},
    };
    // Before anything is written: the fleet may refuse.
    const unsubscribe = this.#fleet.subscribe(query.filter, (location) => this.#tell(stream, location), {
      current: true,
      onCurrent: () => response.write('event: current\ndata: {}\n\n'),
    });
    stream.end = () => {
      if (!this.#streams.delete(stream)) return;
      unsubscribe();
      stream.goOn();
      this.#onAccess?.({ what: 'closed', address, ...watched, sent: stream.sent });
      if (this.#streams.size > 0) return;
      this.#cancel?.();
      this.#cancel = undefined;
    };
    this.#streams.add(stream);
    response.once('close', stream.end);
    response.on('drain', () => stream.goOn());
    // A write to somebody who has just gone; his 'close' follows.
    response.on('error', () => {});
    response.writeHead(200, { ...headersFor('text/event-stream; charset=utf-8'), 'x-accel-buffering': 'no' });
    response.write(`retry: ${RETRY_MS}\n\n`);
    this.#hearing(stream);
    this.#cancel ??= this.#clock.schedule(TICK_MS, () => this.#tick());
    this.#onAccess?.({ what: 'opened', address, ...watched });
  }

  /** While the socket is full nothing more comes, and the newest of each vehicle waits in the subscription. */
  #tell(stream: Stream, location: VehicleLocation): Promise<void> | undefined {
    const { response, query } = stream;
    // It is told once more of who leaves.
    const name = query.compiled.fits(location) ? '' : 'event: left\n';
    stream.sent += 1;
    if (response.write(`${name}id: ${locationVersion(location)}\ndata: ${JSON.stringify(location)}\n\n`))
      return undefined;
    return new Promise((resolve) => {
      stream.goOn = resolve;
    });
  }

  #tick(): void {
    this.#cancel = this.#clock.schedule(TICK_MS, () => this.#tick());
    this.#ticks += 1;
    for (const stream of [...this.#streams]) {
      const { response } = stream;
      if (response.writableNeedDrain) {
        stream.stuckFor += 1;
        if (stream.stuckFor >= STUCK_TICKS) response.destroy();
        continue;
      }
      stream.stuckFor = 0;
      this.#hearing(stream);
      if (this.#ticks % HEARTBEAT_TICKS === 0) response.write(': \n\n');
    }
  }

  /** Whether moves are heard of as they happen; told when that changes. */
  #hearing(stream: Stream): void {
    const { hearsAll } = this.#fleet;
    if (hearsAll === stream.hears) return;
    stream.hears = hearsAll;
    stream.response.write(`event: hearing\ndata: ${JSON.stringify({ hearsAll })}\n\n`);
  }
}

function replyTo(error: Error): Reply {
  const { code, field } = error instanceof CacheError ? error : { code: 'internal', field: undefined };
  const status = code === 'invalid-value' ? 400 : code === 'internal' ? 500 : 503;
  return json(status, { error: { code, message: error.message, ...(field !== undefined && { field }) } });
}

function checkTokens(token: string | readonly string[]): readonly string[] {
  const tokens = typeof token === 'string' ? [token] : token;
  const isGood = Array.isArray(tokens) && tokens.length > 0 && tokens.every((one) => /^[\x21-\x7e]{32,}$/.test(one));
  if (isGood) return tokens;
  throw new CacheError('invalid-options', `token must have at least ${TOKEN_LENGTH_MIN} visible ASCII characters`, {
    field: 'token',
  });
}
