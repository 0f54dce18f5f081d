import type { LoadCall } from '../core/cache.js';
import { waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { ReportedLocation, SavedLocation } from './fleet-records.js';
import { callOf, checkWaiting } from './load-call.js';
import { isAboutData } from './refusal.js';

/** Positions per statement: enough to be cheap, few enough not to hold the rows of many vehicles for long. */
const BATCH_MAX = 500;
/** Statements at a time. What a device kept while it was offline can wait: it takes one connection, whatever its amount. */
const LIVE_RUNNING_MAX = 4;
const PAST_RUNNING_MAX = 1;
/** Positions that may wait to be sent, in each lane: about 8 MB, and what a quick database takes in a second. */
const WAITING_MAX = 20_000;
/** How long a statement may take with all its waits. The pool ends it much sooner; nobody who has left ends it. */
const SAVE_WITHIN_MS = 5_000;

export type SaveLocations = (locations: readonly ReportedLocation[], call: LoadCall) => Promise<SavedLocation[]>;

/** What one caller has in one statement: never more than one part of it, and never half of a part. */
class Part {
  readonly indexes: readonly number[];
  readonly reports: readonly ReportedLocation[];
  markSent: () => void = noop;
  settle: (saved: Promise<readonly SavedLocation[]> | readonly SavedLocation[]) => void = noop;
  readonly sent = new Promise<void>((resolve) => {
    this.markSent = resolve;
  });
  readonly saved = new Promise<readonly SavedLocation[]>((resolve) => {
    this.settle = resolve;
  });

  constructor(indexes: readonly number[], all: readonly ReportedLocation[]) {
    this.indexes = indexes;
    this.reports = indexes.map((index) => all[index] as ReportedLocation);
    this.saved.catch(noop);
  }
}

/**
 * Group commit: makes one statement of the positions that come in one turn of the event loop, and of those that come
 * while a few statements are under way. Each caller is answered for its own when the transaction has been committed.
 *
 * Live positions and history leave in lanes of their own, so that a burst of history delays no live position: it
 * takes one connection, and its own places in the queue.
 *
 * When the database refuses the data of a statement, the callers in it are parted until those at fault are alone.
 */
export class BatchedSaves {
  readonly #clock: Clock;
  readonly #live: Lane;
  readonly #past: Lane;

  constructor(clock: Clock, save: SaveLocations) {
    this.#clock = clock;
    this.#live = new Lane('live positions', LIVE_RUNNING_MAX, save);
    this.#past = new Lane('positions of the past', PAST_RUNNING_MAX, save);
  }

  /**
   * As the save underneath; of more than 500, and of live ones and history, in a transaction for each. The call bounds
   * the wait until they are sent; what was sent is answered as the database does, some seconds later at most, so that
   * whoever keeps a cache learns what became of it.
   * @throws CacheError `deadline` or `aborted`: what was not sent by then is not saved; `overloaded`: none of them is;
   *   what the save throws: some of them may be saved. Sending all of them again is safe
   */
  async save(reports: readonly ReportedLocation[], call: LoadCall): Promise<SavedLocation[]> {
    const caller = callOf(this.#clock, call);
    checkWaiting(this.#clock, caller, this.#live.name);
    const live: number[] = [];
    const past: number[] = [];
    for (const [index, { history }] of reports.entries()) (history === true ? past : live).push(index);
    this.#live.checkRoom(live.length);
    this.#past.checkRoom(past.length);
    const parts = [
      ...partsOf(live, reports).map((part) => ({ lane: this.#live, part })),
      ...partsOf(past, reports).map((part) => ({ lane: this.#past, part })),
    ];
    for (const { lane, part } of parts) lane.add(part);
    let gone: unknown;
    let toSave = parts;
    try {
      const sent = Promise.all(parts.map(({ part }) => part.sent));
      await waitWithin(this.#clock, caller, 'positions to be sent', sent);
    } catch (error) {
      gone = error;
      toSave = parts.filter(({ lane, part }) => !lane.withdraw(part));
    }
    // Those that were sent in the very moment in which the caller gave up are saved like all others.
    const isCutShort = toSave.length < parts.length;
    const saved = await joined(toSave.map(({ part }) => part));
    if (isCutShort) throw gone;
    return saved;
  }
}

/** The answers of all parts, in the order of what was given. Waits for all, so that nothing goes on behind a failure. */
async function joined(parts: readonly Part[]): Promise<SavedLocation[]> {
  const saved: SavedLocation[] = [];
  const ends = await Promise.allSettled(parts.map((part) => part.saved));
  for (const [nth, end] of ends.entries()) {
    if (end.status === 'rejected') throw end.reason;
    for (const [at, index] of (parts[nth] as Part).indexes.entries()) saved[index] = end.value[at] as SavedLocation;
  }
  return saved;
}

class Lane {
  readonly name: string;
  readonly #runningMax: number;
  readonly #save: SaveLocations;
  readonly #waiting = new Set<Part>();
  #waitingReports = 0;
  #running = 0;
  #scheduled = false;

  constructor(name: string, runningMax: number, save: SaveLocations) {
    this.name = name;
    this.#runningMax = runningMax;
    this.#save = save;
  }

  checkRoom(count: number): void {
    if (count === 0 || this.#waitingReports + count <= WAITING_MAX) return;
    throw new CacheError(
      'overloaded',
      `${this.#waitingReports} ${this.name} wait to be saved and ${count} more came, beyond the limit of ${WAITING_MAX}: send fewer at a time, and these again later`,
    );
  }

  add(part: Part): void {
    this.#waiting.add(part);
    this.#waitingReports += part.reports.length;
    if (this.#scheduled) return;
    this.#scheduled = true;
    // A turn ends when the promises that could settle have settled: saves behind a few of them still come along.
    queueMicrotask(() =>
      process.nextTick(() => {
        this.#scheduled = false;
        this.#sendSome();
      }),
    );
  }

  /** @returns false when it has been sent */
  withdraw(part: Part): boolean {
    if (!this.#waiting.delete(part)) return false;
    this.#waitingReports -= part.reports.length;
    return true;
  }

  #sendSome(): void {
    while (this.#waiting.size > 0 && this.#running < this.#runningMax) void this.#send(this.#takeSome());
  }

  #takeSome(): Part[] {
    const taken: Part[] = [];
    let count = 0;
    for (const part of this.#waiting) {
      count += part.reports.length;
      if (count > BATCH_MAX) break;
      this.withdraw(part);
      part.markSent();
      taken.push(part);
    }
    return taken;
  }

  async #send(parts: readonly Part[]): Promise<void> {
    this.#running += 1;
    await this.#saveTogether(parts);
    this.#running -= 1;
    this.#sendSome();
  }

  async #saveTogether(parts: readonly Part[]): Promise<void> {
    const reports = parts.flatMap((part) => part.reports);
    try {
      const saved = await this.#save(reports, { signal: NEVER, remainingMs: SAVE_WITHIN_MS });
      if (saved.length !== reports.length) {
        throw new CacheError('level-failed', `${saved.length} answers came for ${reports.length} ${this.name}`);
      }
      let from = 0;
      for (const part of parts) {
        part.settle(saved.slice(from, from + part.reports.length));
        from += part.reports.length;
      }
    } catch (thrown) {
      if (parts.length > 1 && isAboutData(thrown)) {
        const half = Math.ceil(parts.length / 2);
        await this.#saveTogether(parts.slice(0, half));
        await this.#saveTogether(parts.slice(half));
        return;
      }
      for (const part of parts) part.settle(Promise.reject(toError(thrown)));
    }
  }
}

const NEVER = new AbortController().signal;

function partsOf(indexes: readonly number[], reports: readonly ReportedLocation[]): Part[] {
  const parts: Part[] = [];
  for (let from = 0; from < indexes.length; from += BATCH_MAX) {
    parts.push(new Part(indexes.slice(from, from + BATCH_MAX), reports));
  }
  return parts;
}

function noop(): void {}
