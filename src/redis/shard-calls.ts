import { type Call, remainingMs } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { SkipReason } from '../core/outcome.js';
import type { RedisConnections } from './connections.js';
import type { ReplyTaker } from './reply-ring.js';
import type { Reply } from './resp-parser.js';
import type { ShardGuard } from './shard-guard.js';

/** Why there is no answer; part of every outcome of a level. */
export type Unanswered =
  | { readonly kind: 'skipped'; readonly why: SkipReason }
  | { readonly kind: 'failed'; readonly error: Error };

export type Answer<T> = { readonly kind: 'answered'; readonly value: T } | Unanswered;

/** Something to ask the primary of a slot, and who is told what came of it. */
export interface Question {
  readonly slot: number;
  /** How many keys it is for. */
  readonly keys: number;
  ask(taker: ReplyTaker): void;
  /** Called once, when the answer is there or is not waited for any more. */
  settle(answer: Answer<Reply>): void;
}

/** What one shard is asked at once, behind one guard. */
export interface Group {
  /** How many keys it is for. */
  readonly keys: number;
  /** Resolves when all were answered; rejects when all failed, for the guard is to learn of a shard that does nothing else. */
  ask(): Promise<void>;
  /** The shard is not asked, or not waited for any more: whatever is not answered yet will not be. */
  end(why: Unanswered): void;
}

/** A question whose answer is a promise. */
export interface Asking<T> {
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

  /** Settles every question, each as its answer comes. All questions of a shard leave in one write. */
  askEach(questions: readonly Question[], call: Call): void {
    const byShard = new Map<string | undefined, Question[]>();
    for (const question of questions) {
      const shard = this.#connections.ownerOf(question.slot);
      const together = byShard.get(shard);
      if (together === undefined) byShard.set(shard, [question]);
      else together.push(question);
    }
    for (const [shard, together] of byShard) this.askTogether(shard, together, call);
  }

  /** As `askEach`, of one shard. */
  askTogether(shard: string | undefined, questions: readonly Question[], call: Call): void {
    this.askGroup(shard, new Together(questions, shard ?? 'none'), call);
  }

  /** Has a shard asked behind its guard; what cannot be is ended at once. */
  askGroup(shard: string | undefined, group: Group, call: Call): void {
    const skipped = this.#skip(shard, call);
    if (shard === undefined || skipped !== undefined) {
      group.end(skipped ?? NOT_READY);
      return;
    }
    this.#guard
      .run(shard, call, () => group.ask(), group.keys)
      .catch((thrown: unknown) => group.end(unanswered(thrown, shard)));
  }

  /** As `askEach`; answers in the order of the questions. Never rejects. */
  askAll<T>(questions: readonly Asking<T>[], call: Call): Promise<Answer<T>[]> {
    if (questions.length === 0) return Promise.resolve([]);
    return new Promise((resolve) => {
      const answers: Answer<T>[] = [];
      let open = questions.length;
      const each = questions.map(
        ({ slot, keys = 1, ask }, at): Question => ({
          slot,
          keys,
          ask: (taker) =>
            ask().then(
              (value) => taker.take(value as Reply),
              (thrown: unknown) => taker.fail(toError(thrown)),
            ),
          settle: (answer) => {
            answers[at] = answer as Answer<T>;
            open -= 1;
            if (open === 0) resolve(answers);
          },
        }),
      );
      this.askEach(each, call);
    });
  }

  /** As `askAll`, for one question, which is what most writes are. Never rejects. */
  async askOne<T>(slot: number, call: Call, ask: () => Promise<T>): Promise<Answer<T>> {
    const shard = this.#connections.ownerOf(slot);
    const skipped = this.#skip(shard, call);
    if (shard === undefined || skipped !== undefined) return skipped ?? NOT_READY;
    try {
      return { kind: 'answered', value: await this.#guard.run(shard, call, ask, 1) };
    } catch (thrown) {
      return unanswered(thrown, shard);
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

/** Questions to one shard behind one guard: it waits once for all of them, and each is settled as it is answered. */
class Together implements Group {
  readonly keys: number;
  readonly #open: (Question | undefined)[];
  readonly #shard: string;
  #unsettled: number;
  #firstError: Error | undefined;
  #anyAnswer = false;
  #resolve = (): void => {};
  #reject = (_error: Error): void => {};

  constructor(questions: readonly Question[], shard: string) {
    this.#open = [...questions];
    this.#unsettled = questions.length;
    this.#shard = shard;
    this.keys = questions.reduce((sum, question) => sum + question.keys, 0);
  }

  ask(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      for (let i = 0; i < this.#open.length; i++) this.#open[i]?.ask(new Part(this, i));
    });
  }

  answer(at: number, reply: Reply): void {
    this.#anyAnswer = true;
    this.#settle(at, { kind: 'answered', value: reply });
  }

  fail(at: number, error: Error): void {
    this.#firstError ??= error;
    this.#settle(at, unanswered(error, this.#shard));
  }

  end(why: Unanswered): void {
    for (let i = 0; i < this.#open.length; i++) {
      const question = this.#open[i];
      this.#open[i] = undefined;
      question?.settle(why);
    }
  }

  #settle(at: number, answer: Answer<Reply>): void {
    const question = this.#open[at];
    this.#open[at] = undefined;
    question?.settle(answer);
    this.#unsettled -= 1;
    if (this.#unsettled > 0) return;
    if (this.#anyAnswer || this.#firstError === undefined) this.#resolve();
    else this.#reject(this.#firstError);
  }
}

class Part implements ReplyTaker {
  readonly #together: Together;
  readonly #at: number;

  constructor(together: Together, at: number) {
    this.#together = together;
    this.#at = at;
  }

  take(reply: Reply): void {
    this.#together.answer(this.#at, reply);
  }

  fail(error: Error): void {
    this.#together.fail(this.#at, error);
  }
}

/** What an error of the guard, of the connection or of the server means to the level. */
export function unanswered(thrown: unknown, shard: string): Unanswered {
  const error = toError(thrown);
  if (error instanceof CacheError) {
    if (error.code === 'breaker-open' || error.code === 'overloaded') return { kind: 'skipped', why: error.code };
    return { kind: 'failed', error };
  }
  return {
    kind: 'failed',
    error: new CacheError('level-failed', `redis ${shard}: ${error.message}`, { cause: error }),
  };
}
