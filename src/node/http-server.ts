import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import { EXPOSITION_CONTENT_TYPE } from '../metrics/exposition.js';
import { EventStream } from './http/event-stream.js';
import { failure, json, type Reply, send } from './http/reply.js';
import type { PageData } from './page-data.js';

/** What the server shows. Each is asked when somebody asks for it, and must answer at once. */
export interface HttpSource {
  /** The text of Prometheus. */
  metricsText(): string;
  stats(): unknown;
  health(): Health;
  page(): PageData;
}

export interface Health {
  /** Whether this process can do its work. */
  readonly ok: boolean;
  readonly [detail: string]: unknown;
}

/** What answers a path in its own way, and sees for itself to who may ask. */
export interface HttpRoute {
  readonly path: string;
  handle(request: IncomingMessage, response: ServerResponse): void;
  close(): void;
}

export interface HttpServerOptions {
  /** Nobody is asked who he is: an address that others reach needs a guard in front. Default 127.0.0.1. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The configuration field that the port comes from, as errors name it. */
  readonly field: string;
  readonly source: HttpSource;
  readonly clock: Clock;
  /** A further path. */
  readonly route?: HttpRoute;
}

export interface HttpServer {
  readonly port: number;
  /** Of the page: `http://127.0.0.1:9464/`. */
  readonly url: string;
  /** Lets answers under way finish, for at most a second. */
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 256;
const HEADERS_BOUND_MS = 5_000;
const REQUEST_BOUND_MS = 10_000;
const KEEP_ALIVE_MS = 5_000;
/** After this long without a byte in or out, a connection is given up. */
const SILENCE_BOUND_MS = 30_000;
const CLOSE_BOUND_MS = 1_000;

const PAGE_FILES = [
  { path: '/', file: 'page.html', contentType: 'text/html; charset=utf-8' },
  { path: '/page.css', file: 'page.css', contentType: 'text/css; charset=utf-8' },
  { path: '/page.js', file: 'page.js', contentType: 'text/javascript; charset=utf-8' },
  { path: '/page.svg', file: 'page.svg', contentType: 'image/svg+xml' },
];

/**
 * The operator's door of a process: `/metrics`, `/stats`, `/healthz`, the page on `/` and its numbers on `/events`.
 * @throws CacheError `address-in-use` when the port is taken, `invalid-config` when it cannot be listened on
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host = '127.0.0.1', source, clock, route } = options;
  const events = new EventStream(clock, () => source.page());
  const routes = await routesOf(source);
  const server = createServer(
    {
      headersTimeout: HEADERS_BOUND_MS,
      requestTimeout: REQUEST_BOUND_MS,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      if (route !== undefined && pathOf(request) === route.path) route.handle(request, response);
      else answer(request, response, { routes, events, others: route === undefined ? [] : [route.path] });
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.setTimeout(SILENCE_BOUND_MS);
  const port = await listen(server, host, options);
  let closed: Promise<void> | undefined;
  return {
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/`,
    close: () => {
      route?.close();
      closed ??= close(server, events, clock);
      return closed;
    },
  };
}

async function routesOf(source: HttpSource): Promise<ReadonlyMap<string, () => Reply>> {
  const routes = new Map<string, () => Reply>([
    ['/metrics', () => ({ status: 200, contentType: EXPOSITION_CONTENT_TYPE, body: source.metricsText() })],
    ['/stats', () => json(200, source.stats())],
    ['/healthz', () => healthReply(source.health())],
  ]);
  for (const { path, file, contentType } of PAGE_FILES) {
    const body = await readFile(new URL(`./page/${file}`, import.meta.url));
    routes.set(path, () => ({ status: 200, contentType, body }));
  }
  return routes;
}

function healthReply(health: Health): Reply {
  return json(health.ok ? 200 : 503, health);
}

function pathOf({ url = '' }: IncomingMessage): string {
  const [path = ''] = url.split('?', 1);
  return path;
}

interface Answering {
  readonly routes: ReadonlyMap<string, () => Reply>;
  readonly events: EventStream;
  /** Paths that others answer. */
  readonly others: readonly string[];
}

function answer(request: IncomingMessage, response: ServerResponse, { routes, events, others }: Answering): void {
  const { method = '' } = request;
  const path = pathOf(request);
  const route = routes.get(path);
  const methods = path === '/events' ? ['GET'] : ['GET', 'HEAD'];
  if (route === undefined && path !== '/events') {
    const known = [...routes.keys(), '/events', ...others].join(', ');
    send(response, failure(404, 'not-found', `There is no ${path} here, only ${known}.`));
  } else if (!methods.includes(method)) {
    const allow = methods.join(', ');
    send(response, failure(405, 'method-not-allowed', `${path} takes ${allow}, not ${method}.`, { allow }));
  } else {
    try {
      if (route !== undefined) send(response, route());
      else if (events.isFull) send(response, tooMany());
      else events.add(response);
    } catch (error) {
      send(response, failure(500, 'internal', `${path} failed: ${toError(error).message}`));
    }
  }
}

function tooMany(): Reply {
  return failure(503, 'overloaded', 'Too many listen to /events already. Close another page, or wait.', {
    'retry-after': '5',
  });
}

function listen(server: Server, host: string, { port, field }: HttpServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(listenError(toError(error), `${host}:${port}`, field));
    server.on('error', fail);
    try {
      server.listen({ host, port, exclusive: true }, () => resolve((server.address() as AddressInfo).port));
    } catch (error) {
      fail(error);
    }
  });
}

function listenError(cause: Error, address: string, field: string): CacheError {
  if ('code' in cause && cause.code === 'EADDRINUSE') {
    const message = `${field}: ${address} is in use by another process; stop that one or choose another port`;
    return new CacheError('address-in-use', message, { field, cause });
  }
  return new CacheError('invalid-config', `${field}: cannot listen on ${address}: ${cause.message}`, { field, cause });
}

async function close(server: Server, events: EventStream, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  events.close();
  const cancel = clock.schedule(CLOSE_BOUND_MS, () => server.closeAllConnections());
  await closed;
  cancel();
}
