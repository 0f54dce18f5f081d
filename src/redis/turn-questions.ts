import type { Call } from '../core/call.js';
import type { RedisConnections } from './connections.js';
import type { Question, ShardCalls } from './shard-calls.js';

/** Questions to one shard that are asked when the turn ends. */
interface Open {
  readonly shard: string | undefined;
  /** Of whoever came first, who waits no longer than the others. */
  readonly call: Call;
  readonly questions: Question[];
}

/** Those who wait so much longer share a wait with those who wait less: what a timer may be late by. */
const SAME_DEADLINE_MS = 4;
/** One wait must not stand for everything: it ends only when all of it is answered. */
const TOGETHER_MAX = 512;

/**
 * Questions that come one by one in the same turn of the event loop, and are asked together: one guard, one wait and one
 * timer for all that a primary is asked in a turn. Most reads and writes are of one key, and those were a third of a read.
 */
export class TurnQuestions {
  readonly #connections: RedisConnections;
  readonly #calls: ShardCalls;
  #open: Open[] = [];

  constructor(connections: RedisConnections, calls: ShardCalls) {
    this.#connections = connections;
    this.#calls = calls;
  }

  ask(question: Question, call: Call): void {
    const shard = this.#connections.ownerOf(question.slot);
    for (const open of this.#open) {
      if (open.shard !== shard || !isLike(call, open.call) || open.questions.length === TOGETHER_MAX) continue;
      open.questions.push(question);
      return;
    }
    if (this.#open.length === 0) process.nextTick(() => this.#askAll());
    this.#open.push({ shard, call, questions: [question] });
  }

  #askAll(): void {
    const all = this.#open;
    this.#open = [];
    for (const { shard, call, questions } of all) this.#calls.askTogether(shard, questions, call);
  }
}

function isLike({ deadlineAtMs, signal, reason }: Call, first: Call): boolean {
  const laterMs = deadlineAtMs - first.deadlineAtMs;
  return laterMs >= 0 && laterMs <= SAME_DEADLINE_MS && reason === first.reason && signal === first.signal;
}
