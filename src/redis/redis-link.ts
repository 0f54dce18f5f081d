import type { ConnectionOptions } from 'node:tls';
import { RESP_TYPES, RedisClient } from '@redis/client';
import { waitWithin } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Cancel, Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import { parseAddress } from './address.js';

/** How to be let in. */
export interface RedisAccess {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** True for TLS as Node does it by default, or its settings (`ca`, `cert`, `key`, `servername`, ...). */
  readonly tls?: boolean | ConnectionOptions | undefined;
}

export type RedisArgument = string | Buffer;

/** What a link asks its server at regular intervals, to know that it still answers. */
export interface Heartbeat {
  readonly everyMs: number;
  /** Settles when the server has answered, whatever it said. */
  ask(link: RedisLink): Promise<unknown>;
}

export interface RedisLinkOptions {
  readonly address: string;
  readonly access: RedisAccess;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly heartbeat: Heartbeat;
  /** A connection is there and may be used. */
  onReady(link: RedisLink): void;
  /** A connection was lost, or could not be made; another attempt follows by itself. */
  onLost(link: RedisLink, error: Error): void;
}

/** The library gives up an attempt to reach the port. */
const CONNECT_BOUND_MS = 1_000;
/** We give up an attempt: a frozen server's kernel accepts the connection, but nobody ever says hello. */
const HELLO_BOUND_MS = 1_500;
/** A server that does not answer a heartbeat for so long is taken for frozen or cut off. */
const SILENCE_BOUND_MS = 1_000;
/** After a pause of this process the answer may lie in the socket, unread: the timers run first. */
const SECOND_LOOK_MS = 50;
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1_000;
const CLOSE_BOUND_MS = 1_000;
/** Commands that wait for an answer on one connection; what comes on top is refused at once. */
const IN_FLIGHT_MAX = 16_384;

/** Bulk replies as Buffers, maps as arrays of key, value, key, value. */
const PLAIN_REPLIES = { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.MAP]: Array };

/**
 * Not `createClient`: that builds a class of all four hundred commands anew whenever the options differ from the last
 * ones, as every address does. Ten milliseconds each and as much of garbage, at the moment when all connections are lost.
 */
const makeClient = RedisClient.factory({ RESP: 3 });

function openClient(address: string, access: RedisAccess) {
  const { host, port } = parseAddress(address);
  const { tls } = access;
  const socket = { host, port, connectTimeout: CONNECT_BOUND_MS, reconnectStrategy: false as const };
  return makeClient({
    socket: tls === undefined || tls === false ? socket : { ...socket, ...(tls === true ? {} : tls), tls: true },
    ...(access.username === undefined ? {} : { username: access.username }),
    ...(access.password === undefined ? {} : { password: access.password }),
    // A timeout of the library costs half the throughput and does not cover the answer; each call has its deadline.
    commandOptions: { timeout: 0, typeMapping: PLAIN_REPLIES },
    commandsQueueMaxLength: IN_FLIGHT_MAX,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  });
}

type Client = ReturnType<typeof openClient>;

interface Attempt {
  readonly done: Promise<void>;
  succeed(): void;
  fail(error: Error): void;
}

function startAttempt(): Attempt {
  let succeed = (): void => {};
  let fail = (_error: Error): void => {};
  const done = new Promise<void>((resolve, reject) => {
    succeed = resolve;
    fail = reject;
  });
  // Mostly nobody waits for it.
  done.catch(() => {});
  return { done, succeed, fail };
}

/**
 * One connection to one server, made again whenever it is lost.
 *
 * The library's own reconnecting, `pingInterval` and `socketTimeout` stay off: the timeout counts from the last byte
 * in *either* direction, so a frozen server is never noticed while we keep sending to it. The heartbeat here counts
 * answers. A client that failed is thrown away with all it had in flight, and calls fail at once until the next one
 * is ready.
 */
export class RedisLink {
  readonly address: string;
  /** As errors call it. */
  readonly name: string;
  readonly #options: RedisLinkOptions;
  #client: Client | undefined;
  #ready = false;
  #closed = false;
  #failures = 0;
  #cancelTimer: Cancel = () => {};
  #attempt: Attempt = startAttempt();

  constructor(options: RedisLinkOptions) {
    this.address = options.address;
    this.name = `redis ${options.address}`;
    this.#options = options;
    this.#connect();
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Resolves when the connection is there; rejects when the attempt under way comes to nothing. */
  get opened(): Promise<void> {
    return this.#attempt.done;
  }

  /** Sends a command, behind those sent before. Rejects with what the server or the library says; has no deadline. */
  send(args: readonly RedisArgument[]): Promise<unknown> {
    if (!this.#ready || this.#client === undefined) return Promise.reject(this.#notConnected());
    return this.#client.sendCommand(args);
  }

  /**
   * Listens to a shard channel until the connection is lost, or the server no longer serves the slot. Nothing here
   * ends it: the library does not reliably notice that the server did, and would not ask again for a channel that it
   * believes to have. A channel that comes back to a link needs a new connection.
   */
  subscribe(channel: string, onMessage: (message: Buffer) => void): Promise<void> {
    if (!this.#ready || this.#client === undefined) return Promise.reject(this.#notConnected());
    return this.#client.sSubscribe(channel, onMessage, true);
  }

  /** Gives up this connection, for a reason found outside, and makes another. */
  reset(error: Error): void {
    if (this.#client !== undefined) this.#lose(this.#client, error);
  }

  /** Lets what is in flight end, within a second, and closes. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer();
    this.#attempt.fail(this.#notConnected());
    const client = this.#client;
    if (client === undefined) return;
    if (this.#ready) {
      const { clock } = this.#options;
      const call = { deadlineAtMs: clock.monotonicMs() + CLOSE_BOUND_MS, signal: undefined, reason: 'write' } as const;
      // What does not end in time is cut off below.
      await waitWithin(clock, call, `closing ${this.name}`, client.close()).catch(() => {});
    }
    this.#ready = false;
    this.#client = undefined;
    client.destroy();
  }

  #connect(): void {
    const client = openClient(this.address, this.#options.access);
    this.#client = client;
    if (this.#failures > 0) this.#attempt = startAttempt();
    client.on('error', (thrown: unknown) => this.#lose(client, toError(thrown)));
    // The library cannot cancel an attempt that is under way: one that we gave up is ended when it succeeds.
    client.on('connect', () => {
      if (client !== this.#client) client.destroy();
    });
    this.#cancelTimer = this.#options.clock.schedule(HELLO_BOUND_MS, () => {
      this.#lose(client, new CacheError('level-failed', `${this.name} did not say hello within ${HELLO_BOUND_MS} ms`));
    });
    client.connect().then(
      () => this.#become(client),
      (thrown: unknown) => this.#lose(client, toError(thrown)),
    );
  }

  #become(client: Client): void {
    if (client !== this.#client || this.#closed) return;
    this.#cancelTimer();
    this.#ready = true;
    this.#failures = 0;
    this.#attempt.succeed();
    this.#scheduleHeartbeat(client);
    this.#options.onReady(this);
  }

  #lose(client: Client, error: Error): void {
    if (client !== this.#client || this.#closed) return;
    this.#cancelTimer();
    this.#client = undefined;
    this.#ready = false;
    client.destroy();
    this.#attempt.fail(error);
    const { clock, chance } = this.#options;
    const pauseMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#cancelTimer = clock.schedule(pauseMs * (0.5 + chance.next() / 2), () => this.#connect());
    this.#options.onLost(this, error);
  }

  #scheduleHeartbeat(client: Client): void {
    const { clock, heartbeat } = this.#options;
    const giveUp = (): void => {
      const why = `${this.name} did not answer for ${SILENCE_BOUND_MS} ms: it is frozen, overloaded or cut off`;
      this.#lose(client, new CacheError('level-failed', why));
    };
    this.#cancelTimer = clock.schedule(heartbeat.everyMs, () => {
      this.#cancelTimer = clock.schedule(SILENCE_BOUND_MS, () => {
        this.#cancelTimer = clock.schedule(SECOND_LOOK_MS, giveUp);
      });
      const answered = (): void => {
        if (client !== this.#client || this.#closed) return;
        this.#cancelTimer();
        this.#scheduleHeartbeat(client);
      };
      heartbeat.ask(this).then(answered, answered);
    });
  }

  #notConnected(): CacheError {
    return new CacheError('level-failed', `${this.name} is not connected`);
  }
}
