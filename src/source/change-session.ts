import { Socket } from 'node:net';
import { Client, type ClientConfig, DatabaseError } from 'pg';
import { CacheError, toError } from '../core/errors.js';
import { POSTGRES_TYPES } from './postgres-types.js';

const CONNECT_TIMEOUT_MS = 5_000;
/** Of every statement of a change feed but the few that wait for other transactions. */
const STATEMENT_TIMEOUT_MS = 10_000;
const LOCK_TIMEOUT_MS = 2_000;
const DEAD_AFTER_MS = 500;
/**
 * A node that is frozen keeps its connections, and with them the right to read. The server takes that away from a
 * session that is silent for so long, and from a stream that does not report.
 */
const SILENT_MAX_MS = 15_000;
const STREAM_SILENT_MAX_MS = 10_000;

export interface SessionOptions {
  readonly url: string;
  readonly applicationName: string;
  /** Ends the session at once, also while it is being opened. */
  readonly signal: AbortSignal;
  /** It failed, or was ended by the server or the signal: what it held is gone. Not called after `end`. */
  readonly onEnd: (error: Error) => void;
}

/** What a session for replication says beyond `pg`'s types. */
interface ReplicationConfig extends ClientConfig {
  readonly replication: 'database';
}

/** The connection inside a client of `pg`, which has no public way to take part in a copy in both directions. */
interface CopyConnection {
  on(event: 'copyData', listener: (message: { readonly chunk: Buffer }) => void): void;
  once(event: 'replicationStart', listener: () => void): void;
  readonly stream: { pause(): void; resume(): void };
  sendCopyFromChunk(chunk: Buffer): void;
}

/** One connection of a change feed to PostgreSQL. What it holds (locks, a stream) ends with it. */
export class ChangeSession {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  /** While it is being opened, whoever opens it is told. */
  #onEnd: (error: Error) => void = noop;
  #ended = false;

  private constructor(client: Client, socket: Socket, signal: AbortSignal) {
    this.#client = client;
    this.#socket = socket;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    client.on('error', (error) => this.#fail(error));
    client.on('end', () => this.#fail(new CacheError('level-failed', 'PostgreSQL closed the connection')));
  }

  /** @throws CacheError `level-failed`, `unauthorized` */
  static open(options: SessionOptions): Promise<ChangeSession> {
    return ChangeSession.#connect(options, {
      query_timeout: STATEMENT_TIMEOUT_MS + DEAD_AFTER_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      lock_timeout: LOCK_TIMEOUT_MS,
      options: `${TEXT_FORMS} -c idle_session_timeout=${SILENT_MAX_MS}`,
    });
  }

  /** One that can stream the log. */
  static openForReplication(options: SessionOptions): Promise<ChangeSession> {
    const config: Omit<ReplicationConfig, 'connectionString'> = {
      replication: 'database',
      options: `${TEXT_FORMS} -c wal_sender_timeout=${STREAM_SILENT_MAX_MS}`,
    };
    return ChangeSession.#connect(options, config);
  }

  static async #connect(options: SessionOptions, config: ClientConfig): Promise<ChangeSession> {
    const socket = new Socket();
    const client = new Client({
      ...config,
      connectionString: options.url,
      stream: () => socket,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      application_name: options.applicationName,
      keepAlive: true,
      types: POSTGRES_TYPES,
    });
    const session = new ChangeSession(client, socket, options.signal);
    try {
      options.signal.throwIfAborted();
      await session.#connected();
      session.#onEnd = options.onEnd;
      return session;
    } catch (thrown) {
      session.end();
      throw describe(thrown, 'PostgreSQL cannot be reached');
    }
  }

  /** @throws CacheError whose cause is the database's error */
  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    try {
      return (await this.#client.query<Row>(text, [...values])).rows;
    } catch (thrown) {
      throw describe(thrown, `PostgreSQL failed ${JSON.stringify(text.trim().slice(0, 60))}`);
    }
  }

  onNotification(listener: () => void): void {
    this.#client.on('notification', listener);
  }

  /** Begins to stream; resolves when the server has. What comes then is given to `onChunk`, until the session ends. */
  async stream(command: string, onChunk: (chunk: Buffer) => void): Promise<void> {
    const connection = this.#copy;
    connection.on('copyData', ({ chunk }) => onChunk(chunk));
    await new Promise<void>((resolve, reject) => {
      connection.once('replicationStart', () => resolve());
      // It settles only when the stream ends, or does not begin.
      this.#client.query(command).then(
        () => this.#fail(new CacheError('level-failed', 'PostgreSQL ended the stream of changes')),
        (thrown: unknown) => {
          const error = describe(thrown, 'PostgreSQL does not stream changes');
          reject(error);
          this.#fail(error);
        },
      );
    });
  }

  send(chunk: Buffer): void {
    if (!this.#ended) this.#copy.sendCopyFromChunk(chunk);
  }

  /** Whether the server may go on sending: while it may not, what it sends waits on its side. */
  setFlowing(flowing: boolean): void {
    // Not the socket: with TLS there is another one around it.
    const { stream } = this.#copy;
    if (flowing) stream.resume();
    else stream.pause();
  }

  /** Says farewell, and does not wait for an answer. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#client.end().catch(noop);
    // A paused socket would never see the server go.
    this.setFlowing(true);
    this.#socket.destroySoon();
  }

  /** A client that is ended while it connects never says so. */
  #connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onEnd = reject;
      this.#client.connect().then(() => resolve(), reject);
    });
  }

  get #copy(): CopyConnection {
    return (this.#client as unknown as { readonly connection: CopyConnection }).connection;
  }

  readonly #onAbort = (): void => {
    this.#fail(new CacheError('closed', 'the change feed is closed'));
    this.#socket.destroy();
  };

  #fail(error: Error): void {
    if (this.#ended) return;
    this.end();
    this.#onEnd(error);
  }
}

/** Times and numbers as this folder reads them, whatever the database's defaults are. */
const TEXT_FORMS = '-c TimeZone=UTC -c DateStyle=ISO -c extra_float_digits=1';

/** The code of the database's error, when it was the database that refused. */
export function refusalOf(thrown: unknown): string | undefined {
  const cause = thrown instanceof CacheError ? thrown.cause : thrown;
  return cause instanceof DatabaseError ? cause.code : undefined;
}

function describe(thrown: unknown, what: string): CacheError {
  const error = toError(thrown);
  const said = error.message === '' && 'code' in error ? String(error.code) : error.message;
  const code = refusalOf(error) ?? '';
  const isRefused = code.startsWith('28') || code === '42501';
  return new CacheError(isRefused ? 'unauthorized' : 'level-failed', `${what}: ${said}`, { cause: error });
}

function noop(): void {}
