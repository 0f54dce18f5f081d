import type { Known, LoadCall } from './cache.js';
import { type Call, deadlineError, remainingMs, sliceCall, waitWithin } from './call.js';
import type { Clock } from './clock.js';
import { CacheError, toError } from './errors.js';
import type { Hlc, HybridClock } from './hlc.js';
import { LEASE_MS, type LeaseAnswer, type LeaseOffice, type LeaseToken } from './lease.js';
import type { LoadFailures } from './load-failures.js';
import type { LoadedEntries } from './loaded-entries.js';
import type { Loader } from './loader.js';
import type { LocalTier } from './local.js';
import { MISS, type Outcome } from './outcome.js';
import type { Tally } from './tally.js';
import type { Rung, Serves, Write } from './tier.js';

/** Lets a bounded number of loads run at a time; the others wait in order, within their deadlines. */
export interface LoadGate {
  run<T>(call: Call, work: () => Promise<T>): Promise<T>;
}

/** What every load of a cache has in common. */
export interface LoadParts {
  readonly clock: Clock;
  readonly hlc: HybridClock;
  readonly gate: LoadGate;
  readonly failures: LoadFailures;
  readonly tally: Tally;
  readonly leases: LeaseOffice;
  readonly local: Pick<LocalTier, 'find'>;
  /** Reads what others may have filled since, from the nearest level that answers. */
  reread(keys: readonly string[], call: Call): Promise<readonly Outcome[]>;
  /** Fills the nearest level that takes it. Never rejects. */
  fill(writes: readonly Write[], call: Call): Promise<unknown>;
}

/** How often a key that others are loading is waited for, at least. After that we load it ourselves... */
const WAITS_MIN = 2;
/**
 * ...unless the waits were cut short, as they are when the end of a lease may have gone by unheard: those do not count, up to
 * this number. Else a gap before the death of a holder would send every node that waits to the source.
 */
const WAITS_MAX = 8;
/** One lease that runs out, and no second one. */
const PATIENCE_MS = 1.75 * LEASE_MS;
/**
 * How long a load waits for the time to come to a fence that it must be later than. Clocks of one city differ by less; of
 * one that is further ahead the load brings an answer, but nothing that may be kept.
 */
const FENCE_PATIENCE_MS = 25;
/** What the source may have of the time that a load has left. */
const SOURCE_SHARE = 0.95;

/**
 * The source as the last rung: asks a loader once for all keys that no level had and that nobody else in the city is
 * loading. What others load is waited for and read again. The races that leases close:
 *
 *   1. A and B miss the same key at the same time. A gets the lease, B is told that it is busy.
 *   2. A loads and fills; the fill ends the lease and wakes B, who finds the entry. One load.
 *   3. Had A's fill come between B's miss and B's wish, the office would say `filled`: B reads again. Still one.
 *   4. A key is deleted while A loads: the delete ends the lease, and the fill is refused by the fence. Whoever
 *      asks now gets a lease of his own.
 */
export class LoadRung implements Rung {
  readonly level = 'source';
  readonly #parts: LoadParts;
  readonly #loader: Loader;
  readonly #entries: LoadedEntries;
  readonly #since: Hlc;
  readonly #token: LeaseToken;

  /** @param since a reading taken before any level was asked on behalf of this load */
  constructor(parts: LoadParts, loader: Loader, entries: LoadedEntries, since: Hlc, token: LeaseToken) {
    this.#parts = parts;
    this.#loader = loader;
    this.#entries = entries;
    this.#since = since;
    this.#token = token;
  }

  async read(keys: readonly string[], whole: Call, serves: Serves = () => true): Promise<readonly Outcome[]> {
    const { failures, clock } = this.#parts;
    // What is left is for a stale copy to stand in, before the callers' own deadlines.
    const call = sliceCall(clock, whole, remainingMs(clock, whole) * SOURCE_SHARE);
    const outcomes = new Map<string, Outcome>();
    let open = keys.filter((key) => {
      const error = failures.recent(key, clock.monotonicMs());
      if (error !== undefined) outcomes.set(key, { kind: 'failed', error });
      return error === undefined;
    });
    const patientUntilMs = clock.monotonicMs() + PATIENCE_MS;
    for (let waits = 0; open.length > 0; waits++) {
      const mayWait = waits < WAITS_MIN || (waits < WAITS_MAX && clock.monotonicMs() < patientUntilMs);
      open = await this.#round(open, call, mayWait, outcomes, serves);
    }
    return keys.map((key) => outcomes.get(key) ?? MISS);
  }

  /** Gives back leases of keys whose loaded entry is not going to be kept. */
  release(keys: readonly string[]): void {
    const { leases, clock } = this.#parts;
    const deadlineAtMs = clock.monotonicMs() + LEASE_MS;
    void leases.release(keys, this.#token, { deadlineAtMs, signal: undefined, reason: 'write' });
  }

  /** @returns the keys that are to be asked for once more */
  async #round(
    keys: readonly string[],
    call: Call,
    mayWait: boolean,
    outcomes: Map<string, Outcome>,
    serves: Serves,
  ): Promise<string[]> {
    const { leases, clock } = this.#parts;
    const asking: Call = { ...sliceCall(clock, call, LEASE_MS), reason: 'lease' };
    const answers = await leases.acquire(keys, this.#token, this.#since, asking);
    const isOurs = (i: number) => !mayWait || (answers[i]?.kind !== 'filled' && answers[i]?.kind !== 'busy');
    const occupied = keys.filter((_, i) => isOccupied(answers[i]));
    const unserved = await this.#look(occupied, call, outcomes, serves);
    if (unserved.length < occupied.length) this.release(occupied.filter((key) => outcomes.has(key)));
    const ours = keys.filter((key, i) => isOurs(i) && !outcomes.has(key));
    const others = keys.filter((_, i) => !isOurs(i));
    const ends = answers.map((answer) => (answer.kind === 'busy' ? answer.ended : undefined));
    const [loaded] = await Promise.all([
      ours.length > 0 ? this.#load(ours, call, others.length > 0) : undefined,
      others.length > 0 ? Promise.all(ends) : undefined,
    ]);
    for (const key of ours) outcomes.set(key, loadedOutcome(loaded, key));
    if (others.length === 0) return [];
    if (remainingMs(clock, call) <= 0) {
      const error = deadlineError('the load by another node');
      for (const key of others) outcomes.set(key, { kind: 'failed', error });
      return [];
    }
    return this.#look(others, call, outcomes, serves);
  }

  /** Reads what others may have filled. @returns the keys for which nothing was found that may be the answer */
  async #look(keys: readonly string[], call: Call, outcomes: Map<string, Outcome>, serves: Serves): Promise<string[]> {
    if (keys.length === 0) return [];
    const found = await this.#parts.reread(keys, { ...call, reason: 'lease' });
    return keys.filter((key, i) => {
      const outcome = found[i];
      if (outcome?.kind !== 'found' || !this.#entries.isNews(key, outcome.entry) || !serves(key, outcome.entry)) {
        return true;
      }
      outcomes.set(key, outcome);
      return false;
    });
  }

  /** What the source said, as entries; or the error that it, or the wait for it, ended in. */
  async #load(keys: readonly string[], call: Call, fillNow: boolean): Promise<Map<string, Outcome> | Error> {
    const { clock, gate, tally, fill } = this.#parts;
    const stop = new LateSignal();
    const cancel = clock.schedule(remainingMs(clock, call), () => stop.abort(deadlineError('the source')));
    const stopRenewing = this.#keepRenewing(keys, call);
    try {
      const work = gate.run(call, () => this.#ask(keys, stop, call));
      const outcomes = await waitWithin(clock, call, 'the source', work);
      const unfilled = keys.filter((key) => outcomes.get(key)?.kind !== 'found');
      if (unfilled.length > 0) this.release(unfilled);
      // Two batches that wait for each other's keys would otherwise both wait until the leases run out.
      if (fillNow) await fill(fillsOf(outcomes), sliceCall(clock, call, LEASE_MS));
      return outcomes;
    } catch (thrown) {
      tally.loadErrors += 1;
      this.release(keys);
      return toError(thrown);
    } finally {
      cancel();
      stopRenewing();
    }
  }

  /** Asks the source, and remembers if it fails: how long the others had to wait for a place is not its fault. */
  async #ask(keys: readonly string[], stop: LateSignal, call: Call): Promise<Map<string, Outcome>> {
    const { clock, hlc, failures, tally, local } = this.#parts;
    // Before the source is asked: whatever is written or deleted from here on is later.
    const fillStart = hlc.early(FENCE_PATIENCE_MS);
    await this.#pass(fillStart, call);
    tally.loads += 1;
    const startedMs = clock.monotonicMs();
    const known = knownIn(local);
    const asked = (async () => this.#loader.load(keys, loadCall(stop, remainingMs(clock, call)), known))();
    try {
      const values = await waitWithin(clock, call, 'the source', asked);
      if (!(values instanceof Map)) {
        throw new CacheError('load-failed', 'the loader did not return a Map of the keys that exist');
      }
      const outcomes = new Map<string, Outcome>();
      for (const key of keys) {
        const outcome = this.#entries.outcomeOf(key, values.get(key), fillStart, this.#loader);
        // A value that cannot be kept fails its key alone; asked again at once, the source would say the same.
        if (outcome.kind === 'failed') failures.remember(key, outcome.error, clock.monotonicMs());
        else failures.forget(key);
        outcomes.set(key, outcome);
      }
      return outcomes;
    } catch (thrown) {
      const error = toError(thrown);
      for (const key of keys) failures.remember(key, error, clock.monotonicMs());
      throw error;
    } finally {
      tally.duration('load', clock.monotonicMs() - startedMs);
    }
  }

  /** Just after an invalidation that was issued here, the time may not have come yet to what must be later than it. */
  async #pass(reading: Hlc, call: Call): Promise<void> {
    const { clock, hlc } = this.#parts;
    const waitMs = Math.min(hlc.untilPastMs(reading), remainingMs(clock, call));
    if (waitMs <= 0) return;
    await new Promise<void>((resolve) => {
      clock.schedule(waitMs, resolve);
    });
  }

  #keepRenewing(keys: readonly string[], call: Call): () => void {
    const { clock, leases } = this.#parts;
    let cancel = () => {};
    const again = () => {
      cancel = clock.schedule(LEASE_MS / 2, () => {
        void leases.renew(keys, this.#token, sliceCall(clock, call, LEASE_MS / 2));
        again();
      });
    };
    again();
    return () => cancel();
  }
}

/** A signal that is made when somebody wants it: making one takes longer than the rest of a load, and few loaders look. */
class LateSignal {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

/** Its own properties: whoever copies the object with its properties has the signal too. */
function loadCall(stop: LateSignal, leftMs: number): LoadCall {
  return {
    get signal() {
      return stop.signal;
    },
    remainingMs: leftMs,
  };
}

/** What is held of a key when it is first asked for: what a write puts there later is not what the source was told of. */
function knownIn(local: Pick<LocalTier, 'find'>): Known<string, unknown> {
  const told = new Map<string, unknown>();
  return (key) => {
    if (!told.has(key)) {
      const held = local.find(key);
      told.set(key, held?.entry.kind === 'value' ? held.value : undefined);
    }
    return told.get(key);
  };
}

function isOccupied(answer: LeaseAnswer | undefined): boolean {
  return answer?.kind === 'granted' && answer.occupied === true;
}

function fillsOf(outcomes: ReadonlyMap<string, Outcome>): Write[] {
  return [...outcomes].flatMap(([key, outcome]): Write[] =>
    outcome.kind === 'found' ? [{ key, entry: outcome.entry, mode: 'fill' }] : [],
  );
}

function loadedOutcome(loaded: Map<string, Outcome> | Error | undefined, key: string): Outcome {
  if (loaded instanceof Error) return { kind: 'failed', error: loaded };
  return loaded?.get(key) ?? MISS;
}
