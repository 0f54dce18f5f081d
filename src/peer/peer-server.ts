import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { Door } from './door.js';
import { BodyReader, overloadedProblem, tooLarge } from './http-body.js';
import { HttpProblem, toProblem } from './http-problem.js';
import { formatAddress, type HostPort } from './peer-address.js';
import { RefusalLimit } from './refusal-limit.js';
import type { Refusals } from './refusals.js';
import { digestOf, type SignedHeader } from './request-signature.js';

/** A request that passed the door. */
export interface PeerRequest {
  readonly method: string;
  /** As it was sent: not decoded, not normalised. */
  readonly path: string;
  /** 1 when a peer asks, which is to be answered from the own store; 0 when somebody else does. */
  readonly hops: 0 | 1;
  /** The value of a header that is signed. */
  header(name: SignedHeader): string | undefined;
  /** @throws HttpProblem 413, 503 or 400; 400 also when it is not the body that was signed */
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
  readonly door: Door;
  readonly refusals: Refusals;
  readonly clock: Clock;
  readonly onError: (error: Error) => void;
}

/** Far more than the members of a city have in flight; what comes on top is turned away before it costs anything. */
const REQUESTS_MAX = 256;
const CONNECTIONS_MAX = 1_024;
/** Of one address: half of all, so that no stranger keeps everybody else out. */
const CONNECTIONS_OF_ONE_MAX = 512;
/** 32 tags of 256 bytes, percent-encoded, and room for the rest. */
const HEADERS_BYTES_MAX = 32_768;
const HEADERS_MAX_MS = 5_000;
const REQUEST_RECEIVE_MAX_MS = 10_000;
/** Above what our own clients keep a connection for: the side that sends must be the first to give it up. */
const KEEP_ALIVE_MS = 30_000;
/** How long a connection may stand still while a request or its answer is under way. */
const STILL_MAX_MS = 10_000;
/** Of a body that nobody reads, how much is taken so that its sender gets to read why. */
const UNREAD_BYTES_MAX = 1_048_576;
const CLOSE_MAX_MS = 2_000;

/** Found, and there is nothing: an answer like any other. */
const ANSWERS: ReadonlySet<string> = new Set(['miss', 'deleted']);

/**
 * The HTTP of a node: limits, and errors as JSON. Who may come in is decided by the door, what is behind it by
 * `peer-routes.ts`. The path is text, never a file or a URL to be normalised.
 */
export class PeerServer {
  readonly #options: PeerServerOptions;
  readonly #server: Server;
  readonly #bodies = new BodyReader();
  readonly #limit = new RefusalLimit();
  readonly #connections = new Map<string, number>();
  #handle: HandleRequest = () => {
    throw overloadedProblem('this node is starting');
  };
  #requests = 0;
  #closing: Promise<void> | undefined;

  constructor(options: PeerServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        headersTimeout: HEADERS_MAX_MS,
        requestTimeout: REQUEST_RECEIVE_MAX_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: 1_000,
        maxHeaderSize: HEADERS_BYTES_MAX,
        noDelay: true,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.timeout = STILL_MAX_MS;
    this.#server.on('connection', (socket) => this.#count(socket));
    this.#server.on('drop', (data) => this.#noteConnection(data?.remoteAddress));
    // Who waits to be told to go on is told so by whoever reads the body.
    this.#server.on('checkContinue', (request, response) => void this.#answer(request, response));
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (!socket.writable || error.code === 'ECONNRESET') {
        socket.destroy();
        return;
      }
      const { status, code, message } = unreadable(error);
      options.refusals.note(code, `what came from ${addressOf(socket as Socket)}`);
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
      reply = await this.#handle(this.#admit(request, response));
    } catch (thrown) {
      const problem = toProblem(toError(thrown));
      if (problem.status === 500) this.#options.onError(toError(thrown));
      const told = ANSWERS.has(problem.code) ? problem : this.#refuse(request, problem);
      reply = { status: told.status, headers: told.headers, body: errorBody(told.code, told.message) };
    }
    this.#send(request, response, reply);
  }

  /** @throws HttpProblem, or what the door does */
  #admit(request: IncomingMessage, response: ServerResponse): PeerRequest {
    if (this.#requests > REQUESTS_MAX) throw overloadedProblem(`${REQUESTS_MAX} requests are under way already`);
    const { method, path, hops, digest, header } = this.#options.door.admit(request);
    const body = async (limitBytes: number) => {
      if (request.headers.expect !== undefined) {
        const problem = tooLarge(unreadBytes(request), limitBytes);
        if (problem !== undefined) throw problem;
        response.writeContinue();
      }
      const bytes = await this.#bodies.read(request, limitBytes);
      if (digestOf(bytes) === digest) return bytes;
      throw new HttpProblem(400, 'wrong-digest', 'the body is not the one that was signed: its SHA-256 is another');
    };
    return { method, path, hops, header, body };
  }

  /** Counts it. Who is refused again and again is told only that, and has to connect anew. */
  #refuse({ socket, method }: IncomingMessage, problem: HttpProblem): HttpProblem {
    const { refusals, clock } = this.#options;
    const address = addressOf(socket);
    const isTold = problem.status === 503 || this.#limit.take(address, clock.monotonicMs());
    const told = isTold ? problem : tooOften(address, problem);
    refusals.note(told.code, `a ${method} from ${address}`);
    return told;
  }

  #count(socket: Socket): void {
    const address = addressOf(socket);
    const count = (this.#connections.get(address) ?? 0) + 1;
    if (count > CONNECTIONS_OF_ONE_MAX) {
      this.#noteConnection(address);
      socket.destroy();
      return;
    }
    this.#connections.set(address, count);
    socket.once('close', () => {
      const left = (this.#connections.get(address) ?? 1) - 1;
      if (left === 0) this.#connections.delete(address);
      else this.#connections.set(address, left);
    });
  }

  #noteConnection(address = 'nobody known'): void {
    this.#options.refusals.note('too-many-connections', `a connection from ${address}`);
  }

  #send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: PeerReply): void {
    if (response.destroyed) return;
    const bytes = typeof body === 'string' ? Buffer.from(body) : (body ?? Buffer.alloc(0));
    const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
    // A body that was given up on, or that nobody wants, is still coming.
    const isSmall = request.headers.expect === undefined && unreadBytes(request) <= UNREAD_BYTES_MAX;
    const isUnread = request.isPaused() || (!request.complete && !isSmall);
    const isLast = isUnread || this.#closing !== undefined;
    response.writeHead(status, {
      'content-type': type,
      ...(status === 204 ? undefined : { 'content-length': String(bytes.length) }),
      ...(isLast ? { connection: 'close' } : undefined),
      ...headers,
    });
    response.end(status === 204 ? undefined : bytes);
  }
}

function tooOften(address: string, { message }: HttpProblem): HttpProblem {
  return new HttpProblem(
    429,
    'refused-too-often',
    `too many requests from ${address} were refused; this one because ${message}`,
    { headers: { 'retry-after': '1', connection: 'close' } },
  );
}

/** NaN when it is not said. */
function unreadBytes({ headers }: IncomingMessage): number {
  if (headers['transfer-encoding'] !== undefined) return Number.NaN;
  return Number(headers['content-length'] ?? 0);
}

function addressOf({ remoteAddress = 'nobody known' }: Socket): string {
  return remoteAddress;
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
