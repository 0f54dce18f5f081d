import { Socket } from 'node:net';
import { DatabaseError, Pool, type PoolClient } from 'pg';
import type { LoadCall } from '../core/cache.js';
import { type Call, waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import { callOf, checkWaiting } from './load-call.js';
import { POSTGRES_TYPES } from './postgres-types.js';
import { Turnstile } from './turnstile.js';

/** The user's ceiling of the platform: connections of one node to its database. */
const CONNECTIONS_MAX = 20;
/** How long connecting, and a statement, may take. */
const CONNECT_TIMEOUT_MS = 1_000;
const STATEMENT_TIMEOUT_MS = 1_000;
/** Beyond this many waiting statements none would be served within any deadline. */
const WAITING_MAX = 1_000;
/** How long past its timeout a statement may stay unanswered before the connection is given up as dead. */
const DEAD_AFTER_MS = 500;
const IDLE_MS = 60_000;
/** What still runs this long after `close` is cut off. */
const CLOSE_WITHIN_MS = 2_000;

export interface PostgresPoolOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  readonly clock: Clock;
  /** Most connections, and so most statements at a time. Default 20. */
  readonly connectionsMax?: number;
  /** Default 1 s. */
  readonly connectTimeoutMs?: number;
  /** After which the server ends a statement. Default 1 s. */
  readonly statementTimeoutMs?: number;
  /** As the database lists our connections. Default `fleetflow-cache`. */
  readonly applicationName?: string;
}

/** A statement that each connection prepares once; the name stands for the text. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/**
 * Connections to PostgreSQL, each used by one statement at a time.
 *
 * A caller waits no longer than its call allows: for its turn, for a connection and for the answer. A statement whose
 * callers have left goes on, and keeps its connection, until the server ends it at the statement timeout, which every
 * connection sets once when it opens (ending it sooner would take a round trip before each statement, or a connection
 * more to cancel it; a stuck database costs at most one statement per connection and timeout either way). A server
 * that is frozen does not even end statements: then the connection is dropped half a second later.
 *
 * Prepared statements and settings belong to a session: connect directly, or through a pooler in session mode.
 */
export class PostgresPool {
  readonly #clock: Clock;
  readonly #pool: Pool;
  readonly #turnstile: Turnstile;
  readonly #sockets = new Set<Socket>();
  #queries = 0;
  #closing: Promise<void> | undefined;

  constructor(options: PostgresPoolOptions) {
    const connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX;
    const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
    this.#clock = options.clock;
    this.#turnstile = new Turnstile(options.clock, 'PostgreSQL', {
      insideMax: connectionsMax,
      waitingMax: WAITING_MAX,
    });
    this.#pool = new Pool({
      connectionString: options.url,
      max: connectionsMax,
      connectionTimeoutMillis: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      statement_timeout: statementTimeoutMs,
      query_timeout: statementTimeoutMs + DEAD_AFTER_MS,
      idleTimeoutMillis: IDLE_MS,
      allowExitOnIdle: true,
      keepAlive: true,
      application_name: options.applicationName ?? 'fleetflow-cache',
      options: '-c TimeZone=UTC -c DateStyle=ISO',
      types: POSTGRES_TYPES,
      stream: () => this.#openSocket(),
    });
    // Who waits for a connection that breaks is told by the statement; the pool drops it. Without listeners, on the pool
    // for idle connections and on those in use, the error events that come on top would end the process.
    this.#pool.on('error', noop);
    this.#pool.on('connect', (client) => client.on('error', noop));
  }

  /** Statements sent so far. */
  get queries(): number {
    return this.#queries;
  }

  /** What a loader was told, as a call that several statements can share. */
  callOf(call: LoadCall): Call {
    return callOf(this.#clock, call);
  }

  /**
   * Runs one statement and resolves with its rows.
   * @throws CacheError `deadline`, `aborted`, `overloaded`, `unauthorized`, `closed`; `level-failed` with the error of
   *   the database as cause
   */
  query<Row extends object>(statement: Statement, values: readonly unknown[], call: Call): Promise<readonly Row[]> {
    const work = this.#turnstile.run(call, () => this.#run<Row>(statement, values, call));
    return waitWithin(this.#clock, call, `PostgreSQL (${statement.name})`, work);
  }

  /** Lets what runs end, for at most 2 s, and closes every connection. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #run<Row extends object>(
    statement: Statement,
    values: readonly unknown[],
    call: Call,
  ): Promise<readonly Row[]> {
    let client: PoolClient | undefined;
    let broken: Error | undefined;
    try {
      client = await this.#pool.connect();
      checkWaiting(this.#clock, call, 'a connection to PostgreSQL');
      this.#queries += 1;
      const result = await client.query<Row>({ ...statement, values: [...values] });
      return result.rows;
    } catch (thrown) {
      if (thrown instanceof CacheError) throw thrown;
      const error = toError(thrown);
      if (!isRefusal(error)) broken = error;
      throw describe(error, statement, client !== undefined);
    } finally {
      client?.release(broken);
    }
  }

  #openSocket(): Socket {
    const socket = new Socket();
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }

  async #close(): Promise<void> {
    this.#turnstile.close();
    const ended = this.#pool.end().then(() => Promise.all([...this.#sockets].map(closed)));
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.schedule(CLOSE_WITHIN_MS, resolve);
      ended.then(() => {
        cancel();
        resolve();
      }, resolve);
    });
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** The database answered, and answers on: the connection is as good as before. Class 57P means that it is going away. */
function isRefusal(error: Error): error is DatabaseError {
  return error instanceof DatabaseError && error.code?.startsWith('57P') === false;
}

const QUERY_CANCELED = '57014';
const TOO_MANY_CONNECTIONS = '53300';
/** Invalid authorization, and insufficient privilege. */
const UNAUTHORIZED = /^28|^42501$/;

function describe(error: Error, statement: Statement, isConnected: boolean): CacheError {
  const code = 'code' in error ? String(error.code) : '';
  const said = error.message === '' ? code : error.message;
  if (code === QUERY_CANCELED) {
    return new CacheError('deadline', `PostgreSQL ended ${statement.name}: ${said}`, { cause: error });
  }
  if (code === TOO_MANY_CONNECTIONS) {
    return new CacheError('overloaded', `PostgreSQL has no connection left: ${said}`, { cause: error });
  }
  if (UNAUTHORIZED.test(code)) {
    return new CacheError('unauthorized', `PostgreSQL refused us: ${said}`, { cause: error });
  }
  const where = isConnected ? `PostgreSQL failed ${statement.name}` : 'PostgreSQL cannot be reached';
  return new CacheError('level-failed', `${where}: ${said}`, { cause: error });
}

function closed(socket: Socket): Promise<void> {
  return socket.closed ? Promise.resolve() : new Promise((resolve) => socket.once('close', () => resolve()));
}

function noop(): void {}
