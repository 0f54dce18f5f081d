import type { Known, LoadCall } from '../core/cache.js';
import { type Call, waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import type { ReadChanged, VehicleId } from './fleet-records.js';
import { callOf, checkWaiting } from './load-call.js';

/** Ids per statement. */
const BATCH_MAX = 1_000;
/** Statements of one kind at a time: while they run, what comes gathers for the next ones. */
const RUNNING_MAX = 4;
/** Ids that may wait to be asked for. */
const WAITING_MAX = 100_000;

/** Ids that are asked for in one statement, and who asked. */
class Batch<T> {
  readonly ids = new Set<VehicleId>();
  /** What those who asked first hold of them. */
  readonly known = new Map<VehicleId, T>();
  readonly callers = new Set<Call>();
  readonly givenUp = new AbortController();
  /** Settles `found` as the statement does. */
  start: (statement: Promise<ReadonlyMap<VehicleId, T>>) => void = noop;
  readonly found = new Promise<ReadonlyMap<VehicleId, T>>((resolve) => {
    this.start = resolve;
  });
  answered = false;
}

/**
 * Makes one statement of the reads that come in one turn of the event loop, and of those that come while a few
 * statements of the kind are under way; each id is asked for once. So a quiet database answers at once, and a slow one
 * gets fewer and larger statements.
 *
 * A read never joins a statement that was sent before it: what that one found may be older than the read, and the
 * caller will take it for newer.
 */
export class BatchedReads<T> {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #read: ReadChanged<T>;
  /** Not sent yet, oldest first. */
  readonly #gathering = new Set<Batch<T>>();
  /** Where each id that was not asked for yet is gathered. */
  readonly #waiting = new Map<VehicleId, Batch<T>>();
  #filling: Batch<T> | undefined;
  #running = 0;
  #scheduled = false;

  /** @param name the kind, as it appears in errors */
  constructor(clock: Clock, name: string, read: ReadChanged<T>) {
    this.#clock = clock;
    this.#name = name;
    this.#read = read;
  }

  /**
   * The values of those ids that exist. Values are shared with whoever asked for the same id: not to be changed.
   * @throws CacheError `overloaded`, `deadline`, `aborted`; what the statement throws
   */
  async read(ids: readonly VehicleId[], call: LoadCall, known?: Known<VehicleId, T>): Promise<Map<VehicleId, T>> {
    if (ids.length === 0) return new Map();
    const caller = callOf(this.#clock, call);
    checkWaiting(this.#clock, caller, this.#name);
    const batches = this.#join(ids, caller, known);
    try {
      const all = Promise.all([...batches].map((batch) => batch.found));
      const found = await waitWithin(this.#clock, caller, this.#name, all);
      return pick(ids, found);
    } finally {
      for (const batch of batches) this.#leave(batch, caller);
    }
  }

  #join(ids: readonly VehicleId[], caller: Call, known: Known<VehicleId, T> | undefined): ReadonlySet<Batch<T>> {
    if (this.#waiting.size + ids.length > WAITING_MAX) {
      throw new CacheError(
        'overloaded',
        `${this.#name}: ${this.#waiting.size} ids wait to be read and ${ids.length} more were asked for, beyond the limit of ${WAITING_MAX}`,
      );
    }
    const batches = new Set<Batch<T>>();
    for (const id of ids) {
      const batch = this.#waiting.get(id) ?? this.#add(id, known?.(id));
      batch.callers.add(caller);
      batches.add(batch);
    }
    this.#schedule();
    return batches;
  }

  #add(id: VehicleId, known: T | undefined): Batch<T> {
    let batch = this.#filling;
    if (batch === undefined || batch.ids.size >= BATCH_MAX) {
      batch = new Batch();
      this.#filling = batch;
      this.#gathering.add(batch);
    }
    batch.ids.add(id);
    if (known !== undefined) batch.known.set(id, known);
    this.#waiting.set(id, batch);
    return batch;
  }

  #leave(batch: Batch<T>, caller: Call): void {
    batch.callers.delete(caller);
    if (batch.callers.size > 0 || batch.answered) return;
    this.#take(batch);
    batch.givenUp.abort(new CacheError('aborted', `everybody has given up waiting for ${this.#name}`));
  }

  /** Nobody joins it any more. */
  #take(batch: Batch<T>): void {
    if (!this.#gathering.delete(batch)) return;
    for (const id of batch.ids) this.#waiting.delete(id);
    if (this.#filling === batch) this.#filling = undefined;
  }

  /** A turn ends when the promises that could settle have settled: reads behind a few of them still come along. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() =>
      process.nextTick(() => {
        this.#scheduled = false;
        this.#sendSome();
      }),
    );
  }

  #sendSome(): void {
    for (const batch of this.#gathering) {
      if (this.#running >= RUNNING_MAX) return;
      this.#take(batch);
      void this.#send(batch);
    }
  }

  async #send(batch: Batch<T>): Promise<void> {
    this.#running += 1;
    const deadlineAtMs = Math.max(...[...batch.callers].map((caller) => caller.deadlineAtMs));
    const remainingMs = deadlineAtMs - this.#clock.monotonicMs();
    const call = { signal: batch.givenUp.signal, remainingMs };
    batch.start(this.#read([...batch.ids], call, (id) => batch.known.get(id)));
    // Its callers are told how it ended; here it only matters that it did.
    await batch.found.catch(noop);
    batch.answered = true;
    this.#running -= 1;
    this.#sendSome();
  }
}

function pick<T>(ids: readonly VehicleId[], found: readonly ReadonlyMap<VehicleId, T>[]): Map<VehicleId, T> {
  const picked = new Map<VehicleId, T>();
  for (const id of ids) {
    for (const values of found) {
      const value = values.get(id);
      if (value === undefined) continue;
      picked.set(id, value);
      break;
    }
  }
  return picked;
}

function noop(): void {}
