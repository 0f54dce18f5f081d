import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { CacheError, toError } from '../core/errors.js';
import { parseAddress } from './address.js';
import { ReplyRing, type ReplyTaker } from './reply-ring.js';
import { type RedisArgument, RespEncoder } from './resp-encoder.js';
import { type Reply, RespParser } from './resp-parser.js';

/** How to be let in. */
export interface RedisAccess {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** True for TLS as Node does it by default, or its settings (`ca`, `cert`, `key`, `servername`, ...). */
  readonly tls?: boolean | ConnectionOptions | undefined;
}

export interface RespConnectionOptions {
  readonly address: string;
  readonly access: RedisAccess;
  /** The server has greeted: it may be asked. */
  onReady(): void;
  /** It could not be made, or was lost. Everybody who waits is told after this. */
  onLost(error: Error): void;
}

/** Commands that wait for an answer on one connection; what comes on top is refused at once. */
const IN_FLIGHT_MAX = 16_384;
/** So is what comes when so much has not left yet: the server, or the network, takes nothing any more. */
const UNSENT_MAX_BYTES = 64 * 1024 * 1024;
const KEEP_ALIVE_MS = 5_000;
const PIECE_BYTES = 65_536;

/**
 * One connection to one server: commands in, answers in their order. All commands of a turn of the event loop leave in
 * one write, each answer is taken by whoever asked without a promise in between, and what comes is read into the same
 * 64 KiB again and again.
 *
 * It has no deadlines and makes no second attempt. Whoever does not wait any more is still answered: nobody may
 * leave the row, or answers would go to others.
 */
export class RespConnection {
  readonly #name: string;
  readonly #options: RespConnectionOptions;
  readonly #socket: Socket;
  readonly #encoder = new RespEncoder();
  readonly #waiting = new ReplyRing(IN_FLIGHT_MAX);
  readonly #channels = new Map<string, (message: Buffer) => void>();
  #willFlush = false;
  #lost: Error | undefined;
  #answers = 0;

  constructor(options: RespConnectionOptions) {
    this.#options = options;
    this.#name = `redis ${options.address}`;
    const parser = new RespParser({ onReply: (reply) => this.#answer(reply), onPush: (parts) => this.#hear(parts) });
    const read = (length: number, bytes: Uint8Array): boolean => {
      try {
        parser.read(bytes as Buffer, length);
      } catch (thrown) {
        this.destroy(toError(thrown));
      }
      return true;
    };
    this.#socket = openSocket(options, read);
    this.#socket.on('error', (error) => this.destroy(error));
    this.#socket.on('close', () => this.destroy(new CacheError('level-failed', `${this.#name} closed the connection`)));
    this.#greet(options.access);
  }

  /** How many answers have come. */
  get answers(): number {
    return this.#answers;
  }

  /** Behind what was asked before. */
  ask(args: readonly RedisArgument[], taker: ReplyTaker): void {
    const refused = this.tryAsk(args, taker);
    if (refused !== undefined) taker.fail(refused);
  }

  /**
   * As `ask`, for who asks for much at once and counts the answers: they come in the order of what was asked. What is not
   * asked is not answered either.
   * @returns why it was not asked
   */
  tryAsk(args: readonly RedisArgument[], taker: ReplyTaker): Error | undefined {
    if (this.#lost !== undefined) return this.#lost;
    const unsentBytes = this.#socket.writableLength + this.#encoder.length;
    if (unsentBytes > UNSENT_MAX_BYTES || !this.#waiting.add(taker)) {
      return new CacheError('overloaded', `${this.#name} has more to answer than may wait for it`);
    }
    this.#encoder.add(args);
    this.#flushLater();
    return undefined;
  }

  /** Listens to a shard channel for as long as the connection lasts, or the server serves the slot. */
  subscribe(channel: string, onMessage: (message: Buffer) => void, taker: ReplyTaker): void {
    this.#channels.set(channel, onMessage);
    this.ask(['SSUBSCRIBE', channel], taker);
  }

  /** Tells the owner, then everybody who waits. What comes afterwards is heard by nobody. */
  destroy(error: Error): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    this.#socket.destroy();
    this.#channels.clear();
    this.#options.onLost(error);
    const failure = new CacheError('level-failed', `${this.#name}: ${error.message}`, { cause: error });
    for (let taker = this.#waiting.shift(); taker !== undefined; taker = this.#waiting.shift()) taker.fail(failure);
  }

  #greet({ username, password }: RedisAccess): void {
    const isSecret = username !== undefined || password !== undefined;
    const secret = isSecret ? ['AUTH', username ?? 'default', password ?? ''] : [];
    this.ask(['HELLO', '3', ...secret], {
      take: () => this.#options.onReady(),
      fail: (error) => this.destroy(error),
    });
  }

  /** When everybody who was called back in this turn has asked what he wants to ask. */
  #flushLater(): void {
    if (this.#willFlush) return;
    this.#willFlush = true;
    process.nextTick(() => this.#flush());
  }

  #flush(): void {
    this.#willFlush = false;
    if (this.#lost !== undefined) return;
    this.#encoder.drain((commands) => {
      this.#socket.write(commands);
      // Mostly the kernel takes all of it at once.
      return this.#socket.writableLength === 0;
    });
  }

  #answer(reply: Reply): void {
    if (this.#lost !== undefined) return;
    this.#answers += 1;
    const taker = this.#waiting.shift();
    if (taker === undefined) {
      this.destroy(new CacheError('level-failed', `${this.#name} answered what nobody asked`));
    } else if (reply instanceof Error) taker.fail(reply);
    else taker.take(reply);
  }

  #hear([kind, channel, content]: readonly Reply[]): void {
    if (this.#lost !== undefined) return;
    switch (String(kind)) {
      case 'smessage':
        if (content instanceof Buffer) this.#channels.get(String(channel))?.(content);
        break;
      case 'ssubscribe':
        // The answer to the command, in the row of answers.
        this.#answer(null);
        break;
    }
  }
}

function openSocket(
  { address, access }: RespConnectionOptions,
  callback: (length: number, bytes: Uint8Array) => boolean,
) {
  const { host, port } = parseAddress(address);
  const { tls } = access;
  const onread = { buffer: Buffer.allocUnsafeSlow(PIECE_BYTES), callback };
  const settings = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS, onread };
  if (tls === undefined || tls === false) return connect(settings);
  return connectTls({ ...settings, ...(tls === true ? {} : tls) });
}
