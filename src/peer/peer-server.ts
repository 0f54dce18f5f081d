import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import { BodyReader, overloadedProblem } from './http-body.js';
import { HttpProblem, toProblem } from './http-problem.js';
import { HOPS_HEADER } from './limits.js';
import { formatAddress, type HostPort } from './peer-address.js';

/** A request that passed the door. */
export interface PeerRequest {
  readonly method: string;
  /** As it was sent: not decoded, not normalised. */
  readonly path: string;
  /** 1 when a peer asks, which is to be answered from the own store; 0 when somebody else does. */
  readonly hops: 0 | 1;
  /** The value of a header, under its lower-case name. */
  header(name: string): string | undefined;
  body(limitBytes: number): Promise<Buffer>;
}

export interface PeerReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export type HandleRequest = (request: PeerRequest) => Promise<PeerReply> | PeerReply;

export interface PeerServerOptions {
  readonly listen: HostPort;
  readonly secret: string;
  readonly clock: Clock;
  readonly onError: (error: Error) => void;
}

/** Far more than the members of a city have in flight; what comes on top is turned away before it costs anything. */
const REQUESTS_MAX = 256;
const CONNECTIONS_MAX = 1_024;
const HEADERS_MAX_MS = 5_000;
const REQUEST_RECEIVE_MAX_MS = 10_000;
/** Above what our own clients keep a connection for: the side that sends must be the first to give it up. */
const KEEP_ALIVE_MS = 30_000;
const CLOSE_MAX_MS = 2_000;

/**
 * The door of a node: limits, the secret, hops, and errors as JSON. What is behind it is `peer-routes.ts`. Nothing of a
 * request is looked at before the secret has been, and the path is text, never a file or a URL to be normalised.
 */
export class PeerServer {
  readonly #options: PeerServerOptions;
  readonly #server: Server;
  readonly #bodies = new BodyReader();
  readonly #credentials: Buffer;
  #handle: HandleRequest = () => {
    throw overloadedProblem('this node is starting');
  };
  #requests = 0;
  #closing: Promise<void> | undefined;

  constructor(options: PeerServerOptions) {
    this.#options = options;
    this.#credentials = digest(`Bearer ${options.secret}`);
    this.#server = createServer(
      {
        headersTimeout: HEADERS_MAX_MS,
        requestTimeout: REQUEST_RECEIVE_MAX_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: 1_000,
        noDelay: true,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (!socket.writable || error.code === 'ECONNRESET') {
        socket.destroy();
        return;
      }
      const { status, code, message } = unreadable(error);
      const body = errorBody(code, message);
      socket.end(
        `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
    });
  }

  /**
   * Starts to listen.
   * @returns the port that it got
   * @throws CacheError `address-in-use`, or `invalid-config` for an address that is not of this machine
   */
  listen(): Promise<number> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException) => reject(listenError(this.#options.listen, error));
      this.#server.once('error', onError);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', onError);
        this.#server.on('error', (error) => this.#options.onError(error));
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** From now on requests are answered. */
  serve(handle: HandleRequest): void {
    this.#handle = handle;
  }

  /** Takes no more requests, lets those under way end within 2 s, then ends the connections. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      if (!this.#server.listening) {
        resolve();
        return;
      }
      const cancel = this.#options.clock.schedule(CLOSE_MAX_MS, () => this.#server.closeAllConnections());
      this.#server.close(() => {
        cancel();
        resolve();
      });
      this.#server.closeIdleConnections();
    });
    return this.#closing;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#requests += 1;
    response.once('close', () => {
      this.#requests -= 1;
    });
    let reply: PeerReply;
    try {
      reply = await this.#handle(this.#admit(request));
    } catch (thrown) {
      const problem = toProblem(toError(thrown));
      if (problem.status === 500) this.#options.onError(toError(thrown));
      reply = { status: problem.status, headers: problem.headers, body: errorBody(problem.code, problem.message) };
    }
    this.#send(request, response, reply);
  }

  /** @throws HttpProblem 503, 401 or 400 */
  #admit(request: IncomingMessage): PeerRequest {
    if (this.#requests > REQUESTS_MAX) throw overloadedProblem(`${REQUESTS_MAX} requests are under way already`);
    if (!timingSafeEqual(digest(request.headers.authorization ?? ''), this.#credentials)) {
      throw new HttpProblem(
        401,
        'unauthorized',
        'send the secret of the peers (peers.secret) as "authorization: Bearer ..."',
        { headers: { 'www-authenticate': 'Bearer' } },
      );
    }
    return {
      method: request.method ?? '',
      path: request.url ?? '',
      hops: hopsOf(request.headers[HOPS_HEADER]),
      header: (name) => textOf(request.headers[name]),
      body: (limitBytes) => this.#bodies.read(request, limitBytes),
    };
  }

  #send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: PeerReply): void {
    if (response.destroyed) return;
    const bytes = typeof body === 'string' ? Buffer.from(body) : (body ?? Buffer.alloc(0));
    const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
    // A body that was given up on is still coming.
    const isLast = request.isPaused() || this.#closing !== undefined;
    response.writeHead(status, {
      'content-type': type,
      ...(status === 204 ? undefined : { 'content-length': String(bytes.length) }),
      ...(isLast ? { connection: 'close' } : undefined),
      ...headers,
    });
    response.end(status === 204 ? undefined : bytes);
  }
}

/** Both sides are hashed first, so that neither the length nor the first wrong byte shows in the time it takes. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function hopsOf(header: string | string[] | undefined): 0 | 1 {
  if (header === undefined || header === '0') return 0;
  if (header === '1') return 1;
  throw new HttpProblem(
    400,
    'too-many-hops',
    `${HOPS_HEADER} is ${JSON.stringify(header)}: a request is handed on once at most, so only 0 and 1 are allowed`,
  );
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header;
}

function errorBody(code: string, message: string): string {
  return JSON.stringify({ error: { code, message } });
}

function unreadable(error: NodeJS.ErrnoException): { status: string; code: string; message: string } {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return { status: '431 Request Header Fields Too Large', code: 'too-large', message: 'the headers are too large' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: '408 Request Timeout', code: 'timeout', message: 'the request took too long to arrive' };
    default:
      return { status: '400 Bad Request', code: 'malformed', message: 'this is not an HTTP request' };
  }
}

function listenError(listen: HostPort, error: NodeJS.ErrnoException): CacheError {
  const address = formatAddress(listen);
  const details = { field: 'peers.listen', cause: error };
  if (error.code === 'EADDRINUSE') {
    return new CacheError(
      'address-in-use',
      `peers.listen is ${address}, which another process listens on: stop that one, or choose another port (0 takes any free one)`,
      details,
    );
  }
  return new CacheError(
    'invalid-config',
    `peers.listen is ${address}, which cannot be used: ${error.message}`,
    details,
  );
}
