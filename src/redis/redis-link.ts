import { waitWithin } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Cancel, Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { ReplyTaker } from './reply-ring.js';
import { type RedisAccess, RespConnection } from './resp-connection.js';
import type { RedisArgument } from './resp-encoder.js';
import type { Reply } from './resp-parser.js';

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

/** From the attempt to reach the port on: a frozen server's kernel accepts the connection, but nobody ever says hello. */
const HELLO_BOUND_MS = 1_500;
/** A server that owes an answer to a heartbeat and gives none to anything for so long is taken for frozen or cut off. */
const SILENCE_BOUND_MS = 1_000;
/** After a pause of this process the answer may lie in the socket, unread: the timers run first. */
const SECOND_LOOK_MS = 50;
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1_000;
const CLOSE_BOUND_MS = 1_000;

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
 * A server that takes what it is sent and answers nothing is given up: the heartbeat counts answers, and not bytes. One
 * that answers slowly is not: to throw away all that it works on would only make it work on it again. A connection that failed is thrown away with all it had in flight, and calls fail at once until the next one is ready.
 */
export class RedisLink {
  readonly address: string;
  /** As errors call it. */
  readonly name: string;
  readonly #options: RedisLinkOptions;
  #connection: RespConnection | undefined;
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

  /** Sends a command, behind those sent before. Rejects with what the server says; has no deadline. */
  send(args: readonly RedisArgument[]): Promise<Reply> {
    return new Promise((resolve, reject) => this.ask(args, { take: resolve, fail: reject }));
  }

  /** As `send`, without a promise. */
  ask(args: readonly RedisArgument[], taker: ReplyTaker): void {
    const refused = this.tryAsk(args, taker);
    if (refused !== undefined) taker.fail(refused);
  }

  /** As `ask`; the taker hears nothing of what is not asked. @returns why it was not */
  tryAsk(args: readonly RedisArgument[], taker: ReplyTaker): Error | undefined {
    if (this.#ready && this.#connection !== undefined) return this.#connection.tryAsk(args, taker);
    return this.#notConnected();
  }

  /**
   * Listens to a shard channel until the connection is lost, or the server no longer serves the slot. Nothing here
   * ends it: a channel that comes back to a link needs a new connection.
   */
  subscribe(channel: string, onMessage: (message: Buffer) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const taker = { take: resolve, fail: reject };
      if (this.#ready && this.#connection !== undefined) this.#connection.subscribe(channel, onMessage, taker);
      else taker.fail(this.#notConnected());
    });
  }

  /** Gives up this connection, for a reason found outside, and makes another. */
  reset(error: Error): void {
    this.#connection?.destroy(error);
  }

  /** Lets what is in flight end, within a second, and closes. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer();
    this.#attempt.fail(this.#notConnected());
    if (this.#ready) {
      const { clock } = this.#options;
      const call = { deadlineAtMs: clock.monotonicMs() + CLOSE_BOUND_MS, signal: undefined, reason: 'write' } as const;
      // When this is answered, so is what was asked before. What does not end in time is cut off below.
      await waitWithin(clock, call, `closing ${this.name}`, this.send(['PING'])).catch(() => {});
    }
    this.#ready = false;
    this.#connection?.destroy(this.#notConnected());
    this.#connection = undefined;
  }

  #connect(): void {
    if (this.#failures > 0) this.#attempt = startAttempt();
    this.#cancelTimer = this.#options.clock.schedule(HELLO_BOUND_MS, () => {
      this.reset(new CacheError('level-failed', `${this.name} did not say hello within ${HELLO_BOUND_MS} ms`));
    });
    try {
      this.#connection = new RespConnection({
        address: this.address,
        access: this.#options.access,
        onReady: () => this.#become(),
        onLost: (error) => this.#lose(error),
      });
    } catch (thrown) {
      // Settings of TLS that Node does not take.
      this.#lose(toError(thrown));
    }
  }

  #become(): void {
    if (this.#closed) return;
    this.#cancelTimer();
    this.#ready = true;
    this.#failures = 0;
    this.#attempt.succeed();
    this.#scheduleHeartbeat();
    this.#options.onReady(this);
  }

  #lose(error: Error): void {
    if (this.#closed) return;
    this.#cancelTimer();
    this.#connection = undefined;
    this.#ready = false;
    this.#attempt.fail(error);
    const { clock, chance } = this.#options;
    const pauseMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#cancelTimer = clock.schedule(pauseMs * (0.5 + chance.next() / 2), () => this.#connect());
    this.#options.onLost(this, error);
  }

  #scheduleHeartbeat(): void {
    const { clock, heartbeat } = this.#options;
    const connection = this.#connection;
    const listen = (answersBefore: number | undefined): void => {
      this.#cancelTimer = clock.schedule(SILENCE_BOUND_MS, () => {
        this.#cancelTimer = clock.schedule(SECOND_LOOK_MS, () => {
          if (connection?.answers !== answersBefore) {
            listen(connection?.answers);
            return;
          }
          const why = `${this.name} did not answer for ${SILENCE_BOUND_MS} ms: it is frozen or cut off`;
          connection?.destroy(new CacheError('level-failed', why));
        });
      });
    };
    this.#cancelTimer = clock.schedule(heartbeat.everyMs, () => {
      listen(connection?.answers);
      const answered = (): void => {
        if (connection !== this.#connection || this.#closed) return;
        this.#cancelTimer();
        this.#scheduleHeartbeat();
      };
      heartbeat.ask(this).then(answered, answered);
    });
  }

  #notConnected(): CacheError {
    return new CacheError('level-failed', `${this.name} is not connected`);
  }
}
