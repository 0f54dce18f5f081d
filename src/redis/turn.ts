import type { Call } from '../core/call.js';

/** What is to be asked of one shard when the turn ends. */
interface Open<T> {
  readonly shard: string | undefined;
  /** Of whoever came first, who waits no longer than the others. */
  readonly call: Call;
  readonly items: T[];
}

type Ask<T> = (shard: string | undefined, items: readonly T[], call: Call) => void;

/** Those who wait so much longer share a wait with those who wait less: what a timer may be late by. */
const SAME_DEADLINE_MS = 4;
/** One wait must not stand for everything: it ends only when all of it is answered. */
const TOGETHER_MAX = 512;

/**
 * What comes one by one in the same turn of the event loop, and is asked together: one guard, one wait and one timer for all
 * that a primary is asked in a turn. Most reads and writes are of one key, and those were a third of a read.
 */
export class Turn<T> {
  readonly #ask: Ask<T>;
  #open: Open<T>[] = [];

  constructor(ask: Ask<T>) {
    this.#ask = ask;
  }

  add(shard: string | undefined, item: T, call: Call): void {
    for (const open of this.#open) {
      if (open.shard !== shard || !isLike(call, open.call) || open.items.length === TOGETHER_MAX) continue;
      open.items.push(item);
      return;
    }
    if (this.#open.length === 0) process.nextTick(() => this.#askAll());
    this.#open.push({ shard, call, items: [item] });
  }

  #askAll(): void {
    const all = this.#open;
    this.#open = [];
    for (const { shard, call, items } of all) this.#ask(shard, items, call);
  }
}

function isLike({ deadlineAtMs, signal, reason }: Call, first: Call): boolean {
  const laterMs = deadlineAtMs - first.deadlineAtMs;
  return laterMs >= 0 && laterMs <= SAME_DEADLINE_MS && reason === first.reason && signal === first.signal;
}
