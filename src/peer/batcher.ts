import { type Call, remainingMs } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import type { Entry } from '../core/entry.js';
import { decodeEntry } from '../core/entry-format.js';
import { CacheError, toError } from '../core/errors.js';
import { MISS, type SkipReason, type WriteOutcome } from '../core/outcome.js';
import { parseHot } from './hot-reads.js';
import type { LeaseQuestion } from './lease-wire.js';
import { BATCH_BYTES_MAX, BATCH_KEYS_MAX } from './limits.js';
import { Ticket } from './ticket.js';
import type { LeaseOutcome, PeerRead, TakeRead } from './transport.js';
import { type DoubtedRead, decodeReply, encodeRequest, type WireRead, type WireWrite } from './wire.js';

/**
 * Two: while one request is answered the next is under way. With more the batches get smaller, and it is the number
 * of requests that costs.
 */
const IN_FLIGHT_MAX = 2;
/** What waits at most for one peer: a tenth of a second of work. Beyond it the caller is told at once. */
const QUEUE_KEYS_MAX = 32_768;
const QUEUE_BYTES_MAX = 16 * 1_048_576;

/** The reply to a request. */
export interface Sent {
  readonly body: Uint8Array;
  /** Which of its reads are of hot keys, as `formatHot` says it. */
  readonly hot: string | undefined;
}

/** Sends a request and resolves with the reply. Rejects with a CacheError; `overloaded` is no failure. */
export type Send = (body: Uint8Array) => Promise<Sent>;

interface ReadItem {
  readonly kind: 'read';
  readonly key: string;
  readonly ticket: Ticket<PeerRead>;
  readonly index: number;
}

interface WriteItem {
  readonly kind: 'write';
  readonly write: WireWrite;
  readonly ticket: Ticket<WriteOutcome>;
  readonly index: number;
}

interface LeaseItem {
  readonly kind: 'lease';
  readonly question: LeaseQuestion;
  readonly ticket: Ticket<LeaseOutcome>;
  readonly index: number;
}

type Item = ReadItem | WriteItem | LeaseItem;

/** What leaves together, each kind in the order in which it came. */
interface Batch {
  readonly reads: ReadItem[];
  readonly writes: WriteItem[];
  readonly leases: LeaseItem[];
}

/**
 * Adaptive batching for one peer: at most two requests are in flight; what comes meanwhile waits, and leaves together
 * as soon as one returns. An idle peer is asked at once, a busy one in large batches, and nothing has to be tuned.
 */
export class Batcher {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #send: Send;
  readonly #check: (entry: Entry) => void;
  #queue: Item[] = [];
  /** How many at the front of the queue are gone already. */
  #taken = 0;
  #queuedBytes = 0;
  #inFlight = 0;
  #woken = false;

  /**
   * @param name of the peer, as it appears in errors
   * @param check throws for an entry that is not to be taken from it
   */
  constructor(clock: Clock, name: string, send: Send, check: (entry: Entry) => void = () => {}) {
    this.#clock = clock;
    this.#name = name;
    this.#send = send;
    this.#check = check;
  }

  /** Answers in the order of the keys, within the call; `take` is told of each as it comes. Never rejects. */
  read(keys: readonly string[], call: Call, take?: TakeRead): Promise<readonly PeerRead[]> {
    const ticket = new Ticket<PeerRead>(keys.length, take);
    if (!this.#isOver(call)) {
      for (let index = 0; index < keys.length; index++) {
        this.#enqueue({ kind: 'read', key: keys[index] as string, ticket, index });
      }
    }
    return ticket.answers(this.#clock, call, this.#name);
  }

  /** Answers in the order of the writes, within the call. Never rejects. */
  write(writes: readonly WireWrite[], call: Call): Promise<readonly WriteOutcome[]> {
    const ticket = new Ticket<WriteOutcome>(writes.length);
    if (!this.#isOver(call)) {
      writes.forEach((write, index) => {
        this.#enqueue({ kind: 'write', write, ticket, index });
      });
    }
    return ticket.answers(this.#clock, call, this.#name);
  }

  /** Answers in the order of the questions, within the call. Never rejects. */
  lease(questions: readonly LeaseQuestion[], call: Call): Promise<readonly LeaseOutcome[]> {
    const ticket = new Ticket<LeaseOutcome>(questions.length);
    if (!this.#isOver(call)) {
      questions.forEach((question, index) => {
        this.#enqueue({ kind: 'lease', question, ticket, index });
      });
    }
    return ticket.answers(this.#clock, call, this.#name);
  }

  #isOver(call: Call): boolean {
    return call.signal?.aborted === true || remainingMs(this.#clock, call) <= 0;
  }

  #enqueue(item: Item): void {
    if (this.#queue.length - this.#taken >= QUEUE_KEYS_MAX || this.#queuedBytes >= QUEUE_BYTES_MAX) {
      skip(item, 'overloaded');
      return;
    }
    this.#queue.push(item);
    this.#queuedBytes += bytesOf(item);
    if (this.#woken || this.#inFlight >= IN_FLIGHT_MAX) return;
    this.#woken = true;
    // Not at once: callers of one tick leave together.
    process.nextTick(() => {
      this.#woken = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#inFlight < IN_FLIGHT_MAX) {
      const batch = this.#take();
      if (batch === undefined) return;
      this.#inFlight += 1;
      void this.#exchange(batch);
    }
  }

  /** The next items that somebody still waits for, as many as fit into one request; undefined when there are none. */
  #take(): Batch | undefined {
    const batch: Batch = { reads: [], writes: [], leases: [] };
    let count = 0;
    let bytes = 0;
    while (this.#taken < this.#queue.length && count < BATCH_KEYS_MAX) {
      const item = this.#queue[this.#taken] as Item;
      const itemBytes = bytesOf(item);
      if (!item.ticket.abandoned) {
        if (count > 0 && bytes + itemBytes > BATCH_BYTES_MAX) break;
        put(batch, item);
        count += 1;
        bytes += itemBytes;
      }
      this.#queuedBytes -= itemBytes;
      this.#taken += 1;
    }
    if (this.#taken === this.#queue.length || this.#taken > QUEUE_KEYS_MAX / 4) {
      this.#queue = this.#queue.slice(this.#taken);
      this.#taken = 0;
    }
    return count === 0 ? undefined : batch;
  }

  async #exchange(batch: Batch): Promise<void> {
    const { reads, writes, leases } = batch;
    try {
      const request = encodeRequest({
        reads: reads.map(({ key }) => key),
        writes: writes.map(({ write }) => write),
        leases: leases.map(({ question }) => question),
      });
      const { body, hot } = await this.#send(request);
      const reply = decodeReply(body, { reads: reads.length, writes: writes.length, leases: leases.length });
      writes.forEach(({ ticket, index }, i) => {
        ticket.settle(index, this.#named(reply.writes[i] as WriteOutcome));
      });
      leases.forEach(({ ticket, index }, i) => {
        ticket.settle(index, reply.leases[i] as LeaseOutcome);
      });
      this.#settleReads(reads, reply.reads, parseHot(hot));
    } catch (thrown) {
      fail(batch, toError(thrown));
    }
    this.#inFlight -= 1;
    this.#pump();
  }

  #settleReads(items: readonly ReadItem[], answers: readonly WireRead[], hot: ReadonlySet<number>): void {
    const later: ReadItem[] = [];
    for (let i = 0; i < items.length; i++) {
      const item = items[i] as ReadItem;
      const answer = answers[i] as WireRead;
      if (answer === 'miss') item.ticket.settle(item.index, MISS);
      else if (answer === 'later') later.push(item);
      else item.ticket.settle(item.index, this.#toOutcome(answer, hot.has(i)));
    }
    if (later.length === 0) return;
    if (later.length === answers.length) {
      const error = new CacheError('level-failed', `${this.#name} put off every key that it was asked for`);
      for (const item of later) item.ticket.settle(item.index, { kind: 'failed', error });
      return;
    }
    this.#queue = [...later, ...this.#queue.slice(this.#taken)];
    this.#taken = 0;
  }

  #toOutcome(read: Uint8Array | DoubtedRead, hot: boolean): PeerRead {
    const isSure = read instanceof Uint8Array;
    try {
      const entry = decodeEntry(isSure ? read : read.doubted);
      this.#check(entry);
      if (!isSure) return { kind: 'doubted', entry };
      return hot ? { kind: 'found', entry, hot } : { kind: 'found', entry };
    } catch (thrown) {
      return { kind: 'failed', error: toError(thrown) };
    }
  }

  #named(outcome: WriteOutcome): WriteOutcome {
    if (outcome.kind !== 'failed') return outcome;
    const { message } = outcome.error;
    return { kind: 'failed', error: new CacheError('level-failed', `${this.#name} did not keep it: ${message}`) };
  }
}

function put(batch: Batch, item: Item): void {
  if (item.kind === 'read') batch.reads.push(item);
  else if (item.kind === 'write') batch.writes.push(item);
  else batch.leases.push(item);
}

/** The same for all that was asked; who has too much to do has not failed. */
function fail({ reads, writes, leases }: Batch, error: Error): void {
  const isOverloaded = error instanceof CacheError && error.code === 'overloaded';
  for (const item of [...reads, ...writes, ...leases]) {
    if (isOverloaded) skip(item, 'overloaded');
    else item.ticket.settle(item.index, { kind: 'failed', error });
  }
}

/** Keys are bounded by their number; what counts is the entries. */
function bytesOf(item: Item): number {
  return item.kind === 'write' ? item.write.bytes.length : 0;
}

function skip(item: Item, why: SkipReason): void {
  item.ticket.settle(item.index, { kind: 'skipped', why });
}
