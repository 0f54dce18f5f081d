import type { Cache, EntryInfo } from '../core/cache.js';
import { type Call, type CallOptions, startCall } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import { hashKey } from '../core/key.js';
import { batchesOf } from './batches.js';
import { Demand } from './demand.js';
import type { DemandBoard } from './demand-board.js';
import type { VehicleId } from './domain.js';
import type { FleetKeyspaces, VehicleSpace } from './keyspaces.js';
import { Pace } from './pace.js';
import type { FleetCounters } from './stats.js';
import { pause, restOf } from './waits.js';

/** Keeps what is asked for from expiring, and tells the city what that is. */
export interface Refresh {
  /** Runs a round every minute from now on. Nodes begin at different seconds of it. */
  start(): void;
  stop(): void;
  /** Runs one round, or waits for the one that is running; resolves with how many were loaded anew. */
  runOnce(options?: CallOptions): Promise<number>;
}

const INTERVAL_MS = 60_000;
/** What expires later than this is left for a later round. */
const AHEAD_MS = 5 * 60_000;
/** A round's loads are spread over this long: a third of the round, so that what has least time left still has enough. */
const SPREAD_MS = 20_000;
const BATCH = 50;
const BATCH_DEADLINE_MS = 10_000;
/** Most vehicles that are kept an eye on, per kind. */
const DEMAND_MAX = 50_000;
const NAME = 'the refresh';

export interface RefresherParts {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly keyspaces: FleetKeyspaces;
  readonly counters: FleetCounters;
  readonly board: DemandBoard;
}

/** The kinds that are kept of each vehicle. */
export type VehicleKind = Exclude<keyof FleetKeyspaces, 'nearby' | 'freightHours'>;
/** Those that live shortest come first. */
const KINDS: readonly VehicleKind[] = ['trips', 'location', 'status', 'details', 'fuel', 'maintenance', 'ewayBills'];

/** Some of a kind that are to be loaded anew. */
interface Batch {
  readonly space: VehicleSpace<unknown>;
  readonly ids: readonly VehicleId[];
  /** What was filled later than this needs no loading: somebody else was first. */
  readonly filledAfter: Date;
}

/**
 * Every minute, loads anew what expires within five minutes, or within half its lifetime if that is less, and was
 * asked for in the last five rounds. What lives shorter than two rounds is left alone: a round a minute cannot keep it
 * fresh (a moving vehicle's position, which its next report replaces anyway).
 *
 * It looks at an entry only when that may be about to expire. Each key is loaded by one node of the city: the lease on it
 * goes to the first, and who comes later is told by the same office that it was filled since he looked, however long
 * ago that was. The loads of a round are spread over a third of it. A database that fails ends the round.
 */
export class Refresher implements Refresh {
  readonly #parts: RefresherParts;
  readonly #demand: Readonly<Record<VehicleKind, Demand>>;
  #cancelNext: (() => void) | undefined;
  #stop = new AbortController();
  #round: Promise<number> | undefined;

  constructor(parts: RefresherParts) {
    this.#parts = parts;
    this.#demand = Object.fromEntries(KINDS.map((kind) => [kind, new Demand(DEMAND_MAX)])) as Record<
      VehicleKind,
      Demand
    >;
  }

  /** Somebody asked for this. */
  note(kind: VehicleKind, id: VehicleId): void {
    this.#demand[kind].note(id);
  }

  start(): void {
    if (this.#cancelNext !== undefined) return;
    this.#stop = new AbortController();
    this.#scheduleRound(hashKey(this.#parts.cache.stats().nodeId) % INTERVAL_MS);
  }

  stop(): void {
    this.#cancelNext?.();
    this.#cancelNext = undefined;
    this.#stop.abort(new CacheError('aborted', `${NAME} was stopped`));
  }

  /** Resolves when no round is running any more. */
  async settle(): Promise<void> {
    await this.#round?.catch(() => {});
  }

  runOnce(options?: CallOptions): Promise<number> {
    this.#round ??= this.#run(options).finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  #scheduleRound(delayMs: number): void {
    this.#cancelNext = this.#parts.clock.schedule(delayMs, () => {
      this.#scheduleRound(INTERVAL_MS);
      // A round that failed is counted where it failed; the next one tries again.
      this.runOnce({ signal: this.#stop.signal }).catch(() => {});
    });
  }

  async #run(options: CallOptions | undefined): Promise<number> {
    const { clock, board } = this.#parts;
    const call = startCall(clock, options, INTERVAL_MS, 'refresh');
    await board.publish(this.#takeAsked(), restOf(clock, call, NAME));
    const batches: Batch[] = [];
    for (const kind of KINDS) batches.push(...(await this.#expiring(kind, call)));
    const spreadUntilMs = clock.monotonicMs() + SPREAD_MS;
    const pace = new Pace();
    let refreshed = 0;
    for (const [at, batch] of batches.entries()) {
      const startedMs = clock.monotonicMs();
      refreshed += await this.#load(batch, call);
      const left = batches.length - at - 1;
      if (left === 0) break;
      const nowMs = clock.monotonicMs();
      const evenlyMs = (spreadUntilMs - nowMs) / (left + 1);
      await pause(clock, call, Math.max(pace.afterSuccess(nowMs - startedMs), evenlyMs), NAME);
    }
    return refreshed;
  }

  *#takeAsked(): Iterable<readonly [id: VehicleId, times: number]> {
    for (const kind of KINDS) yield* this.#demand[kind].takeAsked();
  }

  async #load({ space, ids, filledAfter }: Batch, call: Call): Promise<number> {
    const { clock, counters } = this.#parts;
    try {
      const options = restOf(clock, call, NAME, BATCH_DEADLINE_MS);
      const loaded = await space.refresh(ids, { ...options, filledAfter });
      counters.refreshed += loaded;
      counters.refreshesSpared += ids.length - loaded;
      return loaded;
    } catch (thrown) {
      counters.refreshErrors += 1;
      throw toError(thrown);
    }
  }

  /** Those of a kind that are to be loaded anew; the others are put off until they may be. */
  async #expiring(kind: VehicleKind, call: Call): Promise<Batch[]> {
    const { cache, clock, keyspaces } = this.#parts;
    const space: VehicleSpace<unknown> = keyspaces[kind];
    const demand = this.#demand[kind];
    const expiring: { readonly id: VehicleId; readonly createdMs: number }[] = [];
    for (const ids of batchesOf(demand.due(clock.monotonicMs()), BATCH)) {
      const options = restOf(clock, call, NAME);
      const entries = await Promise.all(ids.map((id) => cache.getEntry(space.key(id), options)));
      for (const [at, id] of ids.entries()) {
        const entry = entries[at];
        const waitMs = waitBeforeRefresh(space, entry);
        if (waitMs > 0) demand.postpone(id, clock.monotonicMs() + waitMs);
        else if (entry !== undefined) expiring.push({ id, createdMs: entry.createdAt.getTime() });
      }
    }
    return batchesOf(expiring, BATCH).map((some) => ({
      space,
      ids: some.map(({ id }) => id),
      // Whatever is refreshed in this round was made at least half a lifetime, a minute or more, after all of these.
      filledAfter: new Date(Math.max(...some.map(({ createdMs }) => createdMs))),
    }));
  }
}

/** How long an entry may be left alone, in ms; 0 when it is to be loaded anew. */
function waitBeforeRefresh(space: VehicleSpace<unknown>, entry: EntryInfo | undefined): number {
  // Gone, or known to be absent: whoever asks next loads it.
  if (entry?.value === undefined) return INTERVAL_MS;
  const aheadMs = Math.min(AHEAD_MS, space.lifetimeOf(entry.value).ttl / 2);
  if (aheadMs < INTERVAL_MS) return INTERVAL_MS;
  return Math.max(0, entry.ttlMs - aheadMs);
}
