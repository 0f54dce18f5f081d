import type { Call } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { deadAtMs, freshness, TOMBSTONE_MS } from '../core/entry.js';
import { decodeEntry, encodeEntry } from '../core/entry-format.js';
import { CacheError, toError } from '../core/errors.js';
import { partitionOf } from '../core/key.js';
import { MISS, type Outcome, STORED, type WriteOutcome } from '../core/outcome.js';
import type { HeldCopies, Serves, Tier, Write } from '../core/tier.js';
import { decodeVersion, isEncodedVersion } from '../core/version.js';
import { type Batch, batchByPartition, SCRIPT_KEYS_MAX } from './batches.js';
import type { RedisConnections } from './connections.js';
import { HeadReads } from './head-reads.js';
import type { KeyLayout, PartitionKeys } from './key-layout.js';
import type { RedisArgument } from './redis-link.js';
import { makeRunId, runScript } from './script-run.js';
import { WRITE } from './scripts.js';
import type { Answer, Question, ShardCalls } from './shard-calls.js';

export interface RedisTierOptions {
  readonly connections: RedisConnections;
  readonly calls: ShardCalls;
  readonly layout: KeyLayout;
  readonly clock: Clock;
  readonly chance: Chance;
  /** False as long as nobody knows what may not be served; then reads are skipped. */
  mayRead(): boolean;
  /** Whether Redis may have lost what it had acknowledged of a partition. */
  mayLack(partition: number): boolean;
  /** How many deletes may be kept of a partition. */
  gravesMax(): number;
  close(): Promise<void>;
}

/** Keys of one MGET; a reply is one piece of work for the server. */
const READ_KEYS_MAX = 512;

/** What the script replies for a write that is older than deletes of which nothing else is kept. */
const BELOW_GRAVE_FLOOR = '-';

const NOT_READY: Outcome = Object.freeze({ kind: 'skipped', why: 'not-ready' });

/** L2: the entries of a city, in its Redis Cluster or its single Redis. */
export class RedisTier implements Tier {
  readonly level = 'distributed';
  readonly #options: RedisTierOptions;
  readonly #heads: HeadReads;

  constructor(options: RedisTierOptions) {
    this.#options = options;
    this.#heads = new HeadReads({ ...options, readWhole: (keys, call) => this.#readWhole(keys, call) });
  }

  read(keys: readonly string[], call: Call, _serves?: Serves, held?: HeldCopies): Promise<readonly Outcome[]> {
    if (!this.#options.mayRead()) return Promise.resolve(keys.map(() => NOT_READY));
    return held === undefined ? this.#readWhole(keys, call) : this.#readHeads(keys, held, call);
  }

  async #readHeads(keys: readonly string[], held: HeldCopies, call: Call): Promise<readonly Outcome[]> {
    const outcomes = await this.#heads.read(keys, held, call);
    return outcomes.map((outcome, at) => this.#judged(outcome, partitionOf(keys[at] as string)));
  }

  async #readWhole(keys: readonly string[], call: Call): Promise<readonly Outcome[]> {
    const { calls, clock, connections, layout } = this.#options;
    const [only] = keys;
    if (keys.length === 1 && only !== undefined) {
      const partition = partitionOf(only);
      const { slot, entryPrefix } = layout.partitions[partition] as PartitionKeys;
      const answer = await calls.askOne(slot, call, () => this.#get(slot, entryPrefix + only, call));
      if (answer.kind !== 'answered') return [answer];
      return [this.#judged(toOutcome(answer.value, clock.wallMs()), partition)];
    }
    const batches = batchByPartition(layout, keys, READ_KEYS_MAX, !connections.isCluster);
    const questions = batches.map(({ partition: { slot }, at }): Question<readonly unknown[]> => {
      const some = at.map((one) => this.#entryKey(keys[one] as string));
      return { slot, keys: some.length, ask: () => this.#getMany(slot, some, call) };
    });
    const answers = await calls.askAll(questions, call);
    const nowMs = clock.wallMs();
    const outcomes = this.#inOrder(keys.length, batches, answers, (value) => toOutcome(value, nowMs));
    return outcomes.map((outcome, at) => this.#judged(outcome, partitionOf(keys[at] as string)));
  }

  async write(writes: readonly Write[], call: Call): Promise<readonly WriteOutcome[]> {
    const [only] = writes;
    if (writes.length === 1 && only !== undefined) {
      const partition = this.#partitionOf(only.key);
      const answer = await this.#options.calls.askOne(partition.slot, call, () => this.#put(partition, writes, call));
      return [answer.kind === 'answered' ? toWriteOutcome(answer.value[0]) : answer];
    }
    const keys = writes.map(({ key }) => key);
    const batches = batchByPartition(this.#options.layout, keys, SCRIPT_KEYS_MAX);
    const questions = batches.map(({ partition, at }): Question<readonly unknown[]> => {
      const some = at.map((one) => writes[one] as Write);
      return { slot: partition.slot, keys: some.length, ask: () => this.#put(partition, some, call) };
    });
    const answers = await this.#options.calls.askAll(questions, call);
    return this.#inOrder(writes.length, batches, answers, toWriteOutcome);
  }

  close(): Promise<void> {
    return this.#options.close();
  }

  /** Asked when the answer is here: that the partition has another server may have been learned with it. */
  #judged(outcome: Outcome, partition: number): Outcome {
    if (outcome.kind !== 'found' || !this.#options.mayLack(partition)) return outcome;
    return { ...outcome, unsure: true };
  }

  #inOrder<T, O>(
    length: number,
    batches: readonly Batch[],
    answers: readonly Answer<readonly T[]>[],
    toResult: (value: T | undefined) => O,
  ) {
    const results = new Array<O | Exclude<Answer<never>, { kind: 'answered' }>>(length);
    for (const [index, { at }] of batches.entries()) {
      const answer = answers[index] as Answer<readonly T[]>;
      for (const [nth, one] of at.entries()) {
        results[one] = answer.kind === 'answered' ? toResult(answer.value[nth]) : answer;
      }
    }
    return results;
  }

  #partitionOf(key: string): PartitionKeys {
    return this.#options.layout.partitions[partitionOf(key)] as PartitionKeys;
  }

  #entryKey(key: string): string {
    return this.#partitionOf(key).entryPrefix + key;
  }

  #get(slot: number, entryKey: string, call: Call): Promise<unknown> {
    return this.#options.connections.send(slot, ['GET', entryKey], call);
  }

  async #getMany(slot: number, entryKeys: readonly string[], call: Call): Promise<readonly unknown[]> {
    try {
      const reply = await this.#options.connections.send(slot, ['MGET', ...entryKeys], call);
      return asArray(reply, entryKeys.length);
    } catch (thrown) {
      // The slot is on its way to another node and the keys are on either side; one by one they are found.
      if (!isTryAgain(thrown)) throw thrown;
      return Promise.all(entryKeys.map((key) => this.#get(slot, key, call)));
    }
  }

  async #put(partition: PartitionKeys, writes: readonly Write[], call: Call): Promise<readonly unknown[]> {
    const { connections, clock, chance, gravesMax } = this.#options;
    const { slot, sequenceKey, channel, entryPrefix, keyFrom, leasePrefix, gravesKey, graveTimesKey } = partition;
    const nowMs = Math.floor(clock.wallMs());
    const keys = [sequenceKey, ...writes.map(({ key }) => entryPrefix + key)];
    const leaseKeys = writes.map(({ key }) => leasePrefix + key);
    const graveUntil = Buffer.alloc(8);
    graveUntil.writeDoubleBE(nowMs + TOMBSTONE_MS);
    const values: RedisArgument[] = [channel, makeRunId(chance), String(keyFrom), String(nowMs)];
    values.push(gravesKey, graveTimesKey, String(gravesMax()), graveUntil);
    for (const { entry, mode } of writes) {
      const lifeMs = Math.max(0, Math.ceil(deadAtMs(entry) - nowMs));
      values.push(mode === 'fill' ? 'f' : 's', String(lifeMs), asBuffer(encodeEntry(entry)));
    }
    const run = (some: readonly string[]) => runScript(connections, call, slot, WRITE, some, values);
    const reply = await run([...keys, ...leaseKeys]).catch((thrown: unknown) => {
      // The slot is on its way to another node, and nobody touches several keys there unless all exist, which leases
      // seldom do. A lease that is left alone runs out; what its holder fills is refused by the fence.
      if (!isTryAgain(thrown)) throw thrown;
      return run(keys);
    });
    return asArray(reply, writes.length);
  }
}

/** What lies under a key, as an outcome: what cannot be read is a failure, not a miss that somebody would fill. */
function toOutcome(stored: unknown, nowMs: number): Outcome {
  if (stored === null || stored === undefined) return MISS;
  try {
    if (!(stored instanceof Buffer)) throw new CacheError('corrupt-entry', 'redis answered with something else');
    // A copy: the reply is a piece of what came out of the socket, and would keep all of its 64 KiB alive. Out of the
    // pool of Node, which costs a fifth of memory of its own; a piece of that keeps 8 KiB.
    const entry = decodeEntry(Buffer.from(stored));
    return freshness(entry, nowMs) === 'dead' ? MISS : { kind: 'found', entry };
  } catch (thrown) {
    return { kind: 'failed', error: toError(thrown) };
  }
}

function toWriteOutcome(reply: unknown): WriteOutcome {
  if (reply === 1) return STORED;
  const kept = String(reply);
  if (kept === BELOW_GRAVE_FLOOR) return { kind: 'superseded' };
  if (isEncodedVersion(kept)) return { kind: 'superseded', by: decodeVersion(kept) };
  return { kind: 'failed', error: new CacheError('level-failed', `redis answered a write with ${kept.slice(0, 100)}`) };
}

function asArray(reply: unknown, length: number): readonly unknown[] {
  if (Array.isArray(reply) && reply.length === length) return reply;
  throw new CacheError('level-failed', `redis answered ${length} keys with something else`);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isTryAgain(thrown: unknown): boolean {
  return toError(thrown).message.startsWith('TRYAGAIN');
}
