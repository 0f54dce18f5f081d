import type { Call } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { deadAtMs, freshness, TOMBSTONE_MS } from '../core/entry.js';
import { decodeEntry, encodeEntry } from '../core/entry-format.js';
import { CacheError, toError } from '../core/errors.js';
import { MISS, type Outcome, STORED, type WriteOutcome } from '../core/outcome.js';
import type { Write } from '../core/tier.js';
import { decodeVersion, isEncodedVersion } from '../core/version.js';
import type { RedisConnections } from './connections.js';
import type { PartitionKeys } from './key-layout.js';
import type { ReplyTaker } from './reply-ring.js';
import type { RedisArgument } from './resp-encoder.js';
import type { Reply } from './resp-parser.js';
import { askScript, makeRunId } from './script-run.js';
import { WRITE } from './scripts.js';
import type { Question } from './shard-calls.js';

export interface EntryQuestionsOptions {
  readonly connections: RedisConnections;
  readonly clock: Clock;
  readonly chance: Chance;
  /** How many deletes may be kept of a partition. */
  gravesMax(): number;
}

type Settle<O> = (outcomes: readonly O[]) => void;

/** What the script replies for a write that is older than deletes of which nothing else is kept. */
const BELOW_GRAVE_FLOOR = '-';

/** What is asked of a primary about entries that lie in one slot, and what its answers mean. */
export class EntryQuestions {
  readonly #options: EntryQuestionsOptions;

  constructor(options: EntryQuestionsOptions) {
    this.#options = options;
  }

  /** @param entryKeys keys of Redis, of one slot, or of any slots of a single Redis */
  read(slot: number, entryKeys: readonly string[], call: Call, settle: Settle<Outcome>): Question {
    const { connections, clock } = this.#options;
    const isOne = entryKeys.length === 1;
    const args = [isOne ? 'GET' : 'MGET'];
    for (const key of entryKeys) args.push(key);
    return {
      slot,
      keys: entryKeys.length,
      ask: (taker) =>
        connections.ask(slot, args, call, isOne ? taker : new ValuesTaker(connections, slot, entryKeys, call, taker)),
      settle: (answer) => {
        const nowMs = clock.wallMs();
        if (answer.kind !== 'answered') settle(entryKeys.map(() => answer));
        else if (isOne) settle([toOutcome(answer.value, nowMs)]);
        else settle((answer.value as readonly Reply[]).map((value) => toOutcome(value, nowMs)));
      },
    };
  }

  /** @param writes of keys of the partition */
  write(partition: PartitionKeys, writes: readonly Write[], call: Call, settle: Settle<WriteOutcome>): Question {
    return {
      slot: partition.slot,
      keys: writes.length,
      ask: (taker) => this.#put(partition, writes, call, taker),
      settle: (answer) => {
        if (answer.kind !== 'answered') settle(writes.map(() => answer));
        else if (isArray(answer.value, writes.length)) settle(answer.value.map(toWriteOutcome));
        else settle(writes.map(() => ({ kind: 'failed', error: unlike(writes.length) })));
      },
    };
  }

  #put(partition: PartitionKeys, writes: readonly Write[], call: Call, taker: ReplyTaker): void {
    const { connections, clock, chance, gravesMax } = this.#options;
    const { slot, sequenceKey, channel, entryPrefix, keyFrom, leasePrefix, gravesKey, graveTimesKey } = partition;
    const nowMs = Math.floor(clock.wallMs());
    const keys = [sequenceKey];
    for (const { key } of writes) keys.push(entryPrefix + key);
    const graveUntil = Buffer.allocUnsafe(8);
    graveUntil.writeDoubleBE(nowMs + TOMBSTONE_MS);
    const values: RedisArgument[] = [channel, makeRunId(chance), String(keyFrom), String(nowMs)];
    values.push(gravesKey, graveTimesKey, String(gravesMax()), graveUntil);
    for (const { entry, mode } of writes) {
      const lifeMs = Math.max(0, Math.ceil(deadAtMs(entry) - nowMs));
      values.push(mode === 'fill' ? 'f' : 's', String(lifeMs), encodeEntry(entry));
    }
    const keysAndLeases = [...keys];
    for (const { key } of writes) keysAndLeases.push(leasePrefix + key);
    askScript(connections, call, slot, WRITE, keysAndLeases, values, {
      take: (reply) => taker.take(reply),
      fail: (error) => {
        // The slot is on its way to another node, and nobody touches several keys there unless all exist, which leases
        // seldom do. A lease that is left alone runs out; what its holder fills is refused by the fence.
        if (isTryAgain(error)) askScript(connections, call, slot, WRITE, keys, values, taker);
        else taker.fail(error);
      },
    });
  }
}

/** Takes the values of several keys: an array of as many as were asked for. */
class ValuesTaker implements ReplyTaker {
  readonly #connections: RedisConnections;
  readonly #slot: number;
  readonly #entryKeys: readonly string[];
  readonly #call: Call;
  readonly #taker: ReplyTaker;

  constructor(
    connections: RedisConnections,
    slot: number,
    entryKeys: readonly string[],
    call: Call,
    taker: ReplyTaker,
  ) {
    this.#connections = connections;
    this.#slot = slot;
    this.#entryKeys = entryKeys;
    this.#call = call;
    this.#taker = taker;
  }

  take(reply: Reply): void {
    const { length } = this.#entryKeys;
    if (isArray(reply, length)) this.#taker.take(reply);
    else this.#taker.fail(unlike(length));
  }

  fail(error: Error): void {
    if (!isTryAgain(error)) {
      this.#taker.fail(error);
      return;
    }
    // The slot is on its way to another node and the keys are on either side; one by one they are found.
    const each = this.#entryKeys.map((key) => this.#connections.send(this.#slot, ['GET', key], this.#call));
    Promise.all(each).then(
      (values) => this.#taker.take(values),
      (thrown: unknown) => this.#taker.fail(toError(thrown)),
    );
  }
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

function toWriteOutcome(reply: Reply): WriteOutcome {
  if (reply === 1) return STORED;
  const kept = String(reply);
  if (kept === BELOW_GRAVE_FLOOR) return { kind: 'superseded' };
  if (isEncodedVersion(kept)) return { kind: 'superseded', by: decodeVersion(kept) };
  return { kind: 'failed', error: new CacheError('level-failed', `redis answered a write with ${kept.slice(0, 100)}`) };
}

function isArray(reply: Reply, length: number): reply is readonly Reply[] {
  return Array.isArray(reply) && reply.length === length;
}

function unlike(length: number): CacheError {
  return new CacheError('level-failed', `redis answered ${length} keys with something else`);
}

function isTryAgain(error: Error): boolean {
  return error.message.startsWith('TRYAGAIN');
}
