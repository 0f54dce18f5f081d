import type { Call } from '../core/call.js';
import type { KeyRead } from './key-read.js';
import { BATCH_KEYS_MAX } from './limits.js';
import { OwnerReads, type OwnerReadsParts } from './owner-reads.js';

/** Keys that are asked for when the turn ends. */
interface Open {
  /** Of whoever came first, who waits no longer than the others. */
  readonly call: Call;
  readonly reads: KeyRead[];
}

/** Those who wait so much longer share a wait with those who wait less: what a timer may be late by. */
const SAME_DEADLINE_MS = 4;

/**
 * Keys that come one by one in the same turn of the event loop, and are asked for together. Guards, waits, hedges and what
 * ends them are made once for all that a member is asked in a turn: most reads are of one key, and those were two thirds
 * of a read. No more than fit into one request, so that none waits for more than that.
 */
export class TurnReads {
  readonly #parts: OwnerReadsParts;
  #open: Open[] = [];

  constructor(parts: OwnerReadsParts) {
    this.#parts = parts;
  }

  /** @param read with others to ask */
  ask(read: KeyRead, call: Call): void {
    for (const open of this.#open) {
      if (open.reads.length === BATCH_KEYS_MAX || !isLike(call, open.call)) continue;
      open.reads.push(read);
      return;
    }
    if (this.#open.length === 0) process.nextTick(() => this.#askAll());
    this.#open.push({ call, reads: [read] });
  }

  #askAll(): void {
    const all = this.#open;
    this.#open = [];
    for (const { call, reads } of all) new OwnerReads(this.#parts, call).ask(reads);
  }
}

function isLike({ deadlineAtMs, signal, reason }: Call, first: Call): boolean {
  const laterMs = deadlineAtMs - first.deadlineAtMs;
  return laterMs >= 0 && laterMs <= SAME_DEADLINE_MS && reason === first.reason && signal === first.signal;
}
