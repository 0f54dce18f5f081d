import type { Call } from '../core/call.js';
import { partitionOf } from '../core/key.js';
import type { Outcome, WriteOutcome } from '../core/outcome.js';
import type { HeldCopies, Serves, Tier, Write } from '../core/tier.js';
import { batchByPartition, SCRIPT_KEYS_MAX } from './batches.js';
import { EntryQuestions, type EntryQuestionsOptions } from './entry-questions.js';
import { HeadReads } from './head-reads.js';
import type { KeyLayout, PartitionKeys } from './key-layout.js';
import type { ShardCalls } from './shard-calls.js';
import { TurnQuestions } from './turn-questions.js';

export interface RedisTierOptions extends EntryQuestionsOptions {
  readonly calls: ShardCalls;
  readonly layout: KeyLayout;
  /** False as long as nobody knows what may not be served; then reads are skipped. */
  mayRead(): boolean;
  /** Whether Redis may have lost what it had acknowledged of a partition. */
  mayLack(partition: number): boolean;
  close(): Promise<void>;
}

/** Keys of one MGET; a reply is one piece of work for the server. */
const READ_KEYS_MAX = 512;

const NOT_READY: Outcome = Object.freeze({ kind: 'skipped', why: 'not-ready' });

/** L2: the entries of a city, in its Redis Cluster or its single Redis. */
export class RedisTier implements Tier {
  readonly level = 'distributed';
  readonly #options: RedisTierOptions;
  readonly #heads: HeadReads;
  readonly #questions: EntryQuestions;
  readonly #turn: TurnQuestions;

  constructor(options: RedisTierOptions) {
    this.#options = options;
    this.#heads = new HeadReads({ ...options, readWhole: (keys, call) => this.#readWhole(keys, call) });
    this.#questions = new EntryQuestions(options);
    this.#turn = new TurnQuestions(options.connections, options.calls);
  }

  read(keys: readonly string[], call: Call, _serves?: Serves, held?: HeldCopies): Promise<readonly Outcome[]> {
    if (!this.#options.mayRead()) return Promise.resolve(keys.map(() => NOT_READY));
    return held === undefined ? this.#readWhole(keys, call) : this.#readHeads(keys, held, call);
  }

  async #readHeads(keys: readonly string[], held: HeldCopies, call: Call): Promise<readonly Outcome[]> {
    const outcomes = await this.#heads.read(keys, held, call);
    return outcomes.map((outcome, at) => this.#judged(outcome, partitionOf(keys[at] as string)));
  }

  #readWhole(keys: readonly string[], call: Call): Promise<readonly Outcome[]> {
    const { calls, connections, layout } = this.#options;
    const [only] = keys;
    return new Promise((resolve) => {
      if (keys.length === 1 && only !== undefined) {
        const partition = partitionOf(only);
        const { slot, entryPrefix } = layout.partitions[partition] as PartitionKeys;
        const settle = ([outcome]: readonly Outcome[]) => resolve([this.#judged(outcome as Outcome, partition)]);
        this.#turn.ask(this.#questions.read(slot, [entryPrefix + only], call, settle), call);
        return;
      }
      const batches = batchByPartition(layout, keys, READ_KEYS_MAX, !connections.isCluster);
      const gathering = new Gathering(keys.length, batches.length, resolve);
      const questions = batches.map(({ partition: { slot }, at }) => {
        const some = at.map((one) => this.#entryKey(keys[one] as string));
        return this.#questions.read(slot, some, call, (outcomes) => {
          const judge = (outcome: Outcome, nth: number) =>
            this.#judged(outcome, partitionOf(keys[at[nth] as number] as string));
          gathering.put(at, outcomes.map(judge));
        });
      });
      calls.askEach(questions, call);
    });
  }

  write(writes: readonly Write[], call: Call): Promise<readonly WriteOutcome[]> {
    const { calls, layout } = this.#options;
    const [only] = writes;
    return new Promise((resolve) => {
      if (writes.length === 1 && only !== undefined) {
        this.#turn.ask(this.#questions.write(this.#partitionOf(only.key), writes, call, resolve), call);
        return;
      }
      const keys = writes.map(({ key }) => key);
      const batches = batchByPartition(layout, keys, SCRIPT_KEYS_MAX);
      const gathering = new Gathering(writes.length, batches.length, resolve);
      const questions = batches.map(({ partition, at }) => {
        const some = at.map((one) => writes[one] as Write);
        return this.#questions.write(partition, some, call, (outcomes) => gathering.put(at, outcomes));
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

  #entryKey(key: string): string {
    return this.#partitionOf(key).entryPrefix + key;
  }
}

/** What comes batch by batch, in the order in which it was asked for. One promise for all of it. */
class Gathering<O> {
  readonly #outcomes: O[];
  readonly #resolve: (outcomes: readonly O[]) => void;
  #missing: number;

  constructor(length: number, batches: number, resolve: (outcomes: readonly O[]) => void) {
    this.#outcomes = new Array<O>(length);
    this.#missing = batches;
    this.#resolve = resolve;
    if (batches === 0) resolve([]);
  }

  put(at: readonly number[], outcomes: readonly O[]): void {
    for (let nth = 0; nth < at.length; nth++) this.#outcomes[at[nth] as number] = outcomes[nth] as O;
    this.#missing -= 1;
    if (this.#missing === 0) this.#resolve(this.#outcomes);
  }
}
