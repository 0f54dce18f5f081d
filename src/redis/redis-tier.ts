import type { Call } from '../core/call.js';
import { toError } from '../core/errors.js';
import { partitionOf } from '../core/key.js';
import type { Outcome, WriteOutcome } from '../core/outcome.js';
import type { HeldCopies, OutcomeTaker, Serves, Tier, Write } from '../core/tier.js';
import { batchByPartition, SCRIPT_KEYS_MAX } from './batches.js';
import { HeadReads } from './head-reads.js';
import type { KeyLayout, PartitionKeys } from './key-layout.js';
import { makePlace, type Place, ReadRow, type ReadRowOptions } from './read-row.js';
import type { Question, ShardCalls } from './shard-calls.js';
import { Turn } from './turn.js';
import { WriteQuestions, type WriteQuestionsOptions } from './write-questions.js';

export interface RedisTierOptions extends WriteQuestionsOptions {
  readonly calls: ShardCalls;
  readonly layout: KeyLayout;
  /** False as long as nobody knows what may not be served; then reads are skipped. */
  mayRead(): boolean;
  /** Whether Redis may have lost what it had acknowledged of a partition. */
  mayLack(partition: number): boolean;
  close(): Promise<void>;
}

const NOT_READY: Outcome = Object.freeze({ kind: 'skipped', why: 'not-ready' });

/** L2: the entries of a city, in its Redis Cluster or its single Redis. */
export class RedisTier implements Tier {
  readonly level = 'distributed';
  readonly #options: RedisTierOptions;
  readonly #heads: HeadReads;
  readonly #rows: ReadRowOptions;
  readonly #reads: Turn<Place>;
  readonly #questions: WriteQuestions;
  readonly #writes: Turn<Question>;

  constructor(options: RedisTierOptions) {
    const { calls } = options;
    this.#options = options;
    this.#heads = new HeadReads({ ...options, readWhole: (keys, call) => this.#readWhole(keys, call) });
    this.#rows = { ...options, judge: (outcome, partition) => this.#judged(outcome, partition) };
    this.#reads = new Turn((shard, places, call) => this.#askRow(shard, places, call));
    this.#questions = new WriteQuestions(options);
    this.#writes = new Turn((shard, questions, call) => calls.askTogether(shard, questions, call));
  }

  read(keys: readonly string[], call: Call, _serves?: Serves, held?: HeldCopies): Promise<readonly Outcome[]> {
    return new Promise((resolve) => this.ask(keys, call, held, new Gathering(keys.length, resolve)));
  }

  ask(keys: readonly string[], call: Call, held: HeldCopies | undefined, taker: OutcomeTaker): void {
    if (!this.#options.mayRead()) for (let at = 0; at < keys.length; at++) taker.take(NOT_READY, at);
    else if (held === undefined) this.#askWhole(keys, call, taker);
    else this.#askHeads(keys, held, call, taker);
  }

  #askHeads(keys: readonly string[], held: HeldCopies, call: Call, taker: OutcomeTaker): void {
    this.#heads.read(keys, held, call).then(
      (outcomes) => {
        for (const [at, key] of keys.entries()) taker.take(this.#judged(outcomes[at] as Outcome, partitionOf(key)), at);
      },
      (thrown: unknown) => {
        const failed: Outcome = { kind: 'failed', error: toError(thrown) };
        for (const at of keys.keys()) taker.take(failed, at);
      },
    );
  }

  #readWhole(keys: readonly string[], call: Call): Promise<readonly Outcome[]> {
    return new Promise((resolve) => this.#askWhole(keys, call, new Gathering(keys.length, resolve)));
  }

  #askWhole(keys: readonly string[], call: Call, taker: OutcomeTaker): void {
    const [only] = keys;
    if (keys.length === 1 && only !== undefined) {
      // Together with what else is asked of its shard in this turn.
      const place = this.#placeOf(only, taker, 0);
      this.#reads.add(this.#shardOf(place), place, call);
      return;
    }
    const places = keys.map((key, at) => this.#placeOf(key, taker, at));
    // Those of a partition are one command.
    if (this.#options.connections.isCluster) places.sort((a, b) => a.partition - b.partition);
    const byShard = new Map<string | undefined, Place[]>();
    for (const place of places) {
      const shard = this.#shardOf(place);
      const together = byShard.get(shard);
      if (together === undefined) byShard.set(shard, [place]);
      else together.push(place);
    }
    for (const [shard, together] of byShard) this.#askRow(shard, together, call);
  }

  #placeOf(key: string, taker: OutcomeTaker, at: number): Place {
    const partition = partitionOf(key);
    const { entryPrefix } = this.#options.layout.partitions[partition] as PartitionKeys;
    return makePlace(partition, entryPrefix + key, taker, at);
  }

  #shardOf({ partition }: Place): string | undefined {
    const { connections, layout } = this.#options;
    return connections.ownerOf((layout.partitions[partition] as PartitionKeys).slot);
  }

  #askRow(shard: string | undefined, places: readonly Place[], call: Call): void {
    this.#options.calls.askGroup(shard, new ReadRow(this.#rows, shard, places, call), call);
  }

  write(writes: readonly Write[], call: Call): Promise<readonly WriteOutcome[]> {
    const { calls, connections, layout } = this.#options;
    const [only] = writes;
    return new Promise((resolve) => {
      if (writes.length === 1 && only !== undefined) {
        const question = this.#questions.write(this.#partitionOf(only.key), writes, call, resolve);
        this.#writes.add(connections.ownerOf(question.slot), question, call);
        return;
      }
      const keys = writes.map(({ key }) => key);
      const gathering = new Gathering<WriteOutcome>(writes.length, resolve);
      const questions = batchByPartition(layout, keys, SCRIPT_KEYS_MAX).map(({ partition, at }) => {
        const some = at.map((one) => writes[one] as Write);
        return this.#questions.write(partition, some, call, (outcomes) => {
          for (const [nth, outcome] of outcomes.entries()) gathering.take(outcome, at[nth] as number);
        });
      });
      calls.askEach(questions, call);
    });
  }

  close(): Promise<void> {
    return this.#options.close();
  }

  /** Asked when the answer is here: that the partition has another server may have been learned with it. */
  #judged(outcome: Outcome, partition: number): Outcome {
    if (outcome.kind !== 'found' || !this.#options.mayLack(partition)) return outcome;
    return { ...outcome, unsure: true };
  }

  #partitionOf(key: string): PartitionKeys {
    return this.#options.layout.partitions[partitionOf(key)] as PartitionKeys;
  }
}

/** What comes key by key, in the order in which it was asked for. One promise for all of it. */
class Gathering<O> {
  readonly #outcomes: O[];
  readonly #resolve: (outcomes: readonly O[]) => void;
  #missing: number;

  constructor(length: number, resolve: (outcomes: readonly O[]) => void) {
    this.#outcomes = new Array<O>(length);
    this.#missing = length;
    this.#resolve = resolve;
    if (length === 0) resolve([]);
  }

  take(outcome: O, at: number): void {
    this.#outcomes[at] = outcome;
    this.#missing -= 1;
    if (this.#missing === 0) this.#resolve(this.#outcomes);
  }
}
