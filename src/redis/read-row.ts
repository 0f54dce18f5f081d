import type { Call } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { freshness } from '../core/entry.js';
import { decodeEntry } from '../core/entry-format.js';
import { CacheError, toError } from '../core/errors.js';
import { MISS, type Outcome } from '../core/outcome.js';
import type { OutcomeTaker } from '../core/tier.js';
import type { RedisConnections } from './connections.js';
import type { KeyLayout, PartitionKeys } from './key-layout.js';
import type { RedisLink } from './redis-link.js';
import { isArray, isTryAgain, unlike } from './replies.js';
import type { ReplyTaker } from './reply-ring.js';
import { type Reply, RespError } from './resp-parser.js';
import { type Group, unanswered } from './shard-calls.js';

/** One key that is asked for, and who is told what came of it. */
export interface Place {
  readonly partition: number;
  /** The key in Redis. */
  readonly entryKey: string;
  readonly taker: OutcomeTaker;
  /** For the taker. */
  readonly at: number;
  isOver: boolean;
}

export function makePlace(partition: number, entryKey: string, taker: OutcomeTaker, at: number): Place {
  return { partition, entryKey, taker, at, isOver: false };
}

export interface ReadRowOptions {
  readonly connections: RedisConnections;
  readonly layout: KeyLayout;
  readonly clock: Clock;
  /** What an outcome of a partition is to the asker. */
  readonly judge: (outcome: Outcome, partition: number) => Outcome;
}

/** Keys of one MGET; a reply is one piece of work for the server. */
const MGET_KEYS_MAX = 512;

/**
 * Reads of one shard, asked in one go: a command for each key, or for keys of one partition that stand side by side. The
 * answers of a connection come in the order of what it was asked, so the row itself takes them all, one after the other, and
 * there is nothing to make for each.
 */
export class ReadRow implements Group, ReplyTaker {
  readonly keys: number;
  readonly #options: ReadRowOptions;
  readonly #shard: string;
  readonly #places: readonly Place[];
  readonly #call: Call;
  #link: RedisLink | undefined;
  /** Behind the last place of each command that was asked. */
  readonly #ends: number[] = [];
  /** How many commands were answered, and how many places with them. */
  #answeredCommands = 0;
  #answeredPlaces = 0;
  #unsettled: number;
  #firstError: Error | undefined;
  #anyAnswer = false;
  #resolve = (): void => {};
  #reject = (_error: Error): void => {};

  constructor(options: ReadRowOptions, shard: string | undefined, places: readonly Place[], call: Call) {
    this.#options = options;
    this.#shard = shard ?? 'none';
    this.#call = call;
    this.#places = places;
    this.keys = places.length;
    this.#unsettled = places.length;
  }

  ask(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#link = this.#options.connections.linkTo(this.#shard);
      this.#askAll();
    });
  }

  end(why: Outcome): void {
    for (const place of this.#places) settle(place, why);
  }

  take(reply: Reply): void {
    const from = this.#answeredPlaces;
    this.#answer(from, this.#nextEnd(), reply);
  }

  fail(error: Error): void {
    const from = this.#answeredPlaces;
    const end = this.#nextEnd();
    if (error instanceof RespError && this.#link !== undefined) this.#follow(from, end, this.#link, error);
    else this.#giveUp(from, end, error);
  }

  #askAll(): void {
    const places = this.#places;
    for (let from = 0; from < places.length; ) {
      const end = this.#endOfCommand(from);
      const refused =
        this.#link === undefined
          ? new CacheError('level-failed', `redis ${this.#shard} is not connected`)
          : this.#link.tryAsk(this.#argsOf(from, end), this);
      if (refused !== undefined) {
        // What comes behind it would be refused as well. What was asked before is answered.
        this.#giveUp(from, places.length, refused);
        return;
      }
      this.#ends.push(end);
      from = end;
    }
  }

  #endOfCommand(from: number): number {
    const places = this.#places;
    const partition = places[from]?.partition;
    const isAnywhere = !this.#options.connections.isCluster;
    const most = Math.min(places.length, from + MGET_KEYS_MAX);
    let end = from + 1;
    while (end < most && (isAnywhere || places[end]?.partition === partition)) end += 1;
    return end;
  }

  #argsOf(from: number, end: number): string[] {
    const args = [end - from === 1 ? 'GET' : 'MGET'];
    for (let i = from; i < end; i++) args.push((this.#places[i] as Place).entryKey);
    return args;
  }

  #nextEnd(): number {
    this.#answeredPlaces = this.#ends[this.#answeredCommands] as number;
    this.#answeredCommands += 1;
    return this.#answeredPlaces;
  }

  #answer(from: number, end: number, reply: Reply): void {
    const count = end - from;
    if (count > 1 && !isArray(reply, count)) {
      this.#giveUp(from, end, unlike(count));
      return;
    }
    this.#anyAnswer = true;
    const nowMs = this.#options.clock.wallMs();
    for (let i = from; i < end; i++) {
      const place = this.#places[i] as Place;
      if (place.isOver) continue;
      const stored = count === 1 ? reply : (reply as readonly Reply[])[i - from];
      settle(place, this.#options.judge(toOutcome(stored, nowMs), place.partition));
    }
    this.#settled(count);
  }

  #giveUp(from: number, end: number, error: Error): void {
    this.#firstError ??= error;
    const why = unanswered(error, this.#shard);
    for (let i = from; i < end; i++) settle(this.#places[i] as Place, why);
    this.#settled(end - from);
  }

  #settled(count: number): void {
    this.#unsettled -= count;
    if (this.#unsettled > 0) return;
    if (this.#anyAnswer || this.#firstError === undefined) this.#resolve();
    else this.#reject(this.#firstError);
  }

  /** Asks again where an error points to. */
  #follow(from: number, end: number, asked: RedisLink, error: Error): void {
    const slot = this.#slotOf(from);
    this.#options.connections.follow(slot, this.#argsOf(from, end), this.#call, asked, error).then(
      (reply) => this.#answer(from, end, reply),
      (thrown: unknown) => {
        const again = toError(thrown);
        // The slot is on its way to another node and the keys are on either side; one by one they are found.
        if (end - from > 1 && isTryAgain(again)) this.#askEach(from, end);
        else this.#giveUp(from, end, again);
      },
    );
  }

  #askEach(from: number, end: number): void {
    for (let i = from; i < end; i++) {
      this.#options.connections.ask(this.#slotOf(i), this.#argsOf(i, i + 1), this.#call, {
        take: (reply) => this.#answer(i, i + 1, reply),
        fail: (error) => this.#giveUp(i, i + 1, error),
      });
    }
  }

  #slotOf(at: number): number {
    const { partition } = this.#places[at] as Place;
    return (this.#options.layout.partitions[partition] as PartitionKeys).slot;
  }
}

function settle(place: Place, outcome: Outcome): void {
  if (place.isOver) return;
  place.isOver = true;
  place.taker.take(outcome, place.at);
}

/** What lies under a key, as an outcome: what cannot be read is a failure, not a miss that somebody would fill. */
function toOutcome(stored: Reply | undefined, nowMs: number): Outcome {
  if (stored === null || stored === undefined) return MISS;
  try {
    if (!(stored instanceof Buffer)) throw new CacheError('corrupt-entry', 'redis answered with something else');
    const entry = decodeEntry(stored);
    return freshness(entry, nowMs) === 'dead' ? MISS : { kind: 'found', entry };
  } catch (thrown) {
    return { kind: 'failed', error: toError(thrown) };
  }
}
