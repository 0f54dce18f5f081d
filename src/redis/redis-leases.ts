import { type Call, sliceCall } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import type { Hlc } from '../core/hlc.js';
import { partitionOf } from '../core/key.js';
import { type KeyWait, KeyWaits } from '../core/key-waits.js';
import { LEASE_MS, type LeaseAnswer, type LeaseOffice, type LeaseToken } from '../core/lease.js';
import { encodeHlc } from '../core/version.js';
import { batchByPartition, SCRIPT_KEYS_MAX } from './batches.js';
import type { RedisConnections } from './connections.js';
import type { KeyLayout, PartitionKeys } from './key-layout.js';
import { LEASE, RELEASE, RENEW } from './lease-scripts.js';
import { makeRunId, runScript } from './script-run.js';
import type { Answer, ShardCalls } from './shard-calls.js';

export interface RedisLeasesOptions {
  readonly connections: RedisConnections;
  readonly calls: ShardCalls;
  readonly layout: KeyLayout;
  readonly clock: Clock;
  readonly chance: Chance;
}

/** In Redis a lease is over a moment before whoever waits for it gives up: else one that ran out is found busy again. */
const LIFE_MS = LEASE_MS - 100;
/** Redis and the timers of Node count in whole ms. */
const TICK_MS = 5;
/** A shard that has not answered by then is taken for out: the load goes on without a lease. */
const ANSWER_BOUND_MS = 500;

const GRANTED: LeaseAnswer = Object.freeze({ kind: 'granted' });
const OCCUPIED: LeaseAnswer = Object.freeze({ kind: 'granted', occupied: true });
const FILLED: LeaseAnswer = Object.freeze({ kind: 'filled' });
const UNAVAILABLE: LeaseAnswer = Object.freeze({ kind: 'unavailable' });

/**
 * The leases of a city, in its Redis. The end of one that somebody waits for is published with the changes of its
 * partition; the feed tells it here. What is lost of them is noticed as a gap, and what nobody publishes, that a
 * holder died, is bounded by what the lease had left.
 */
export class RedisLeases implements LeaseOffice {
  readonly #options: RedisLeasesOptions;
  readonly #waits: KeyWaits;

  constructor(options: RedisLeasesOptions) {
    this.#options = options;
    this.#waits = new KeyWaits(options.clock);
  }

  async acquire(keys: readonly string[], token: LeaseToken, since: Hlc, call: Call): Promise<readonly LeaseAnswer[]> {
    const { clock } = this.#options;
    // Before anybody is asked: the end may be heard of before the answer that there is something to wait for.
    const waits = keys.map((key) => this.#waits.begin(key, call));
    const asking = sliceCall(clock, call, ANSWER_BOUND_MS);
    const replies = await this.#run(keys, asking, (partition, some) => {
      const places = [...some.map((key) => partition.entryPrefix + key), ...leaseKeys(partition, some)];
      const values = [token, encodeHlc(since), String(clock.wallMs()), String(LIFE_MS)];
      return runScript(this.#options.connections, asking, partition.slot, LEASE, places, values);
    });
    return waits.map((wait, at) => this.#toAnswer(replies[at], wait));
  }

  async renew(keys: readonly string[], token: LeaseToken, call: Call): Promise<void> {
    await this.#run(keys, call, (partition, some) => {
      const values = [token, String(LIFE_MS)];
      return runScript(this.#options.connections, call, partition.slot, RENEW, leaseKeys(partition, some), values);
    });
  }

  async release(keys: readonly string[], token: LeaseToken, call: Call): Promise<void> {
    const { connections, chance } = this.#options;
    await this.#run(keys, call, (partition, some) => {
      const { slot, sequenceKey, channel, leaseKeyFrom } = partition;
      const places = [sequenceKey, ...leaseKeys(partition, some)];
      return runScript(connections, call, slot, RELEASE, places, [
        channel,
        makeRunId(chance),
        String(leaseKeyFrom),
        token,
      ]);
    });
  }

  /** The entry of a key changed, or the lease on it ended. */
  ended(key: string): void {
    this.#waits.wake(key);
  }

  /** Ends in a partition (in all, when left out) may have gone by unheard. */
  lost(partition?: number): void {
    this.#waits.wakeAll(partition === undefined ? undefined : (key) => partitionOf(key) === partition);
  }

  /** Runs a script in every partition that the keys lie in. @returns its replies, by key; undefined where there is none */
  async #run(
    keys: readonly string[],
    call: Call,
    ask: (partition: PartitionKeys, keys: readonly string[]) => Promise<unknown>,
  ): Promise<readonly unknown[]> {
    const { calls, layout } = this.#options;
    const batches = batchByPartition(layout, keys, SCRIPT_KEYS_MAX);
    const questions = batches.map(({ partition, at }) => ({
      slot: partition.slot,
      ask: () =>
        ask(
          partition,
          at.map((one) => keys[one] as string),
        ),
    }));
    const answers: readonly Answer<unknown>[] = await calls.askAll(questions, call);
    const replies = new Array<unknown>(keys.length);
    for (const [index, { at }] of batches.entries()) {
      const answer = answers[index];
      if (answer?.kind !== 'answered' || !Array.isArray(answer.value)) continue;
      for (const [nth, one] of at.entries()) replies[one] = answer.value[nth];
    }
    return replies;
  }

  #toAnswer(reply: unknown, wait: KeyWait): LeaseAnswer {
    if (typeof reply === 'number' && reply > 0) {
      const cancel = this.#options.clock.schedule(reply + TICK_MS, () => wait.cancel());
      void wait.ended.then(cancel);
      return { kind: 'busy', ended: wait.ended };
    }
    wait.cancel();
    if (reply === 0) return GRANTED;
    if (reply === -2) return OCCUPIED;
    return reply === -1 ? FILLED : UNAVAILABLE;
  }
}

function leaseKeys({ leasePrefix }: PartitionKeys, keys: readonly string[]): string[] {
  return keys.map((key) => leasePrefix + key);
}
