import { type Call, remainingMs } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { SkipReason } from '../core/outcome.js';
import type { RedisConnections } from './connections.js';
import type { ShardGuard } from './shard-guard.js';

/** Why there is no answer; part of every outcome of a level. */
export type Unanswered =
  | { readonly kind: 'skipped'; readonly why: SkipReason }
  | { readonly kind: 'failed'; readonly error: Error };

export type Answer<T> = { readonly kind: 'answered'; readonly value: T } | Unanswered;

/** Something to ask the primary of a slot. */
export interface Question<T> {
  readonly slot: number;
  /** How many keys it is for; 1 when left out. */
  readonly keys?: number;
  ask(): Promise<T>;
}

const NOT_READY: Unanswered = Object.freeze({ kind: 'skipped', why: 'not-ready' });
const NO_TIME: Unanswered = Object.freeze({ kind: 'skipped', why: 'no-time' });

/**
 * Asks several shards at once, each behind its guard and within the deadline of the call. A shard that is slow, dead
 * or shut off costs the answers of its own questions and no others.
 */
export class ShardCalls {
  readonly #connections: RedisConnections;
  readonly #clock: Clock;
  readonly #guard: ShardGuard;

  constructor(connections: RedisConnections, clock: Clock, guard: ShardGuard) {
    this.#connections = connections;
    this.#clock = clock;
    this.#guard = guard;
  }

  /** Answers in the order of the questions. Never rejects. All questions of a shard leave in one write. */
  async askAll<T>(questions: readonly Question<T>[], call: Call): Promise<Answer<T>[]> {
    const byShard = new Map<string | undefined, number[]>();
    for (const [at, { slot }] of questions.entries()) {
      const shard = this.#connections.ownerOf(slot);
      const together = byShard.get(shard);
      if (together === undefined) byShard.set(shard, [at]);
      else together.push(at);
    }
    const answers: Answer<T>[] = [];
    const shards = [...byShard].map(async ([shard, at]) => {
      const some = await this.#askShard(
        shard,
        at.map((one) => questions[one] as Question<T>),
        call,
      );
      for (const [index, one] of at.entries()) answers[one] = some[index] as Answer<T>;
    });
    await Promise.all(shards);
    return answers;
  }

  /** As `askAll`, for one question, which is what most reads and writes are. Never rejects. */
  async askOne<T>(slot: number, call: Call, ask: () => Promise<T>): Promise<Answer<T>> {
    const shard = this.#connections.ownerOf(slot);
    const skipped = this.#skip(shard, call);
    if (shard === undefined || skipped !== undefined) return skipped ?? NOT_READY;
    try {
      return answered(await this.#guard.run(shard, call, ask, 1));
    } catch (thrown) {
      return unanswered(thrown, shard);
    }
  }

  async #askShard<T>(shard: string | undefined, questions: readonly Question<T>[], call: Call): Promise<Answer<T>[]> {
    const skipped = this.#skip(shard, call);
    if (shard === undefined || skipped !== undefined) return questions.map(() => skipped ?? NOT_READY);
    const askEach = async (): Promise<Answer<T>[]> => {
      const asked = questions.map(({ ask }) => ask().then(answered, (thrown) => unanswered(thrown, shard)));
      const answers: Answer<T>[] = await Promise.all(asked);
      const [first] = answers;
      // The guard is to learn of a shard that answers nothing at all.
      if (first?.kind === 'failed' && answers.every(({ kind }) => kind === 'failed')) throw first.error;
      return answers;
    };
    const keys = questions.reduce((sum, question) => sum + (question.keys ?? 1), 0);
    try {
      return await this.#guard.run(shard, call, askEach, keys);
    } catch (thrown) {
      const failure = unanswered(thrown, shard);
      return questions.map(() => failure);
    }
  }

  #skip(shard: string | undefined, call: Call): Unanswered | undefined {
    if (shard === undefined) {
      this.#connections.refreshSoon();
      return NOT_READY;
    }
    if (remainingMs(this.#clock, call) <= 0) return NO_TIME;
    // Not a matter for the guard: a primary that was just elected is to be asked as soon as it is connected, however many
    // calls came before.
    const error = this.#connections.whyAway(shard);
    return error === undefined ? undefined : { kind: 'failed', error };
  }
}

function answered<T>(value: T): Answer<T> {
  return { kind: 'answered', value };
}

/** What an error of the guard, of the connection or of the server means to the level. */
function unanswered(thrown: unknown, shard: string): Unanswered {
  const error = toError(thrown);
  if (error instanceof CacheError) {
    if (error.code === 'breaker-open' || error.code === 'overloaded') return { kind: 'skipped', why: error.code };
    return { kind: 'failed', error };
  }
  // In these words the library refuses what would exceed the bound on commands in flight.
  if (error.message === 'The queue is full') return { kind: 'skipped', why: 'overloaded' };
  return {
    kind: 'failed',
    error: new CacheError('level-failed', `redis ${shard}: ${error.message}`, { cause: error }),
  };
}
