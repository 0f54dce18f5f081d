import type { Call } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { deadAtMs, TOMBSTONE_MS } from '../core/entry.js';
import { encodeEntry } from '../core/entry-format.js';
import { CacheError } from '../core/errors.js';
import { STORED, type WriteOutcome } from '../core/outcome.js';
import type { Write } from '../core/tier.js';
import { decodeVersion, isEncodedVersion } from '../core/version.js';
import type { RedisConnections } from './connections.js';
import type { PartitionKeys } from './key-layout.js';
import { isArray, isTryAgain, unlike } from './replies.js';
import type { ReplyTaker } from './reply-ring.js';
import type { RedisArgument } from './resp-encoder.js';
import type { Reply } from './resp-parser.js';
import { askScript, makeRunId } from './script-run.js';
import { WRITE } from './scripts.js';
import type { Question } from './shard-calls.js';

export interface WriteQuestionsOptions {
  readonly connections: RedisConnections;
  readonly clock: Clock;
  readonly chance: Chance;
  /** How many deletes may be kept of a partition. */
  gravesMax(): number;
}

/** What the script replies for a write that is older than deletes of which nothing else is kept. */
const BELOW_GRAVE_FLOOR = '-';

/** How a primary is told of entries that lie in one slot, and what its answers mean. */
export class WriteQuestions {
  readonly #options: WriteQuestionsOptions;

  constructor(options: WriteQuestionsOptions) {
    this.#options = options;
  }

  /** @param writes of keys of the partition */
  write(
    partition: PartitionKeys,
    writes: readonly Write[],
    call: Call,
    settle: (outcomes: readonly WriteOutcome[]) => void,
  ): Question {
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

function toWriteOutcome(reply: Reply): WriteOutcome {
  if (reply === 1) return STORED;
  const kept = String(reply);
  if (kept === BELOW_GRAVE_FLOOR) return { kind: 'superseded' };
  if (isEncodedVersion(kept)) return { kind: 'superseded', by: decodeVersion(kept) };
  return { kind: 'failed', error: new CacheError('level-failed', `redis answered a write with ${kept.slice(0, 100)}`) };
}
