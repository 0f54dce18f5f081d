import type { Cache, SetOptions, WriteResult } from '../core/cache.js';
import {
  abortedError,
  type Call,
  type CallOptions,
  deadlineError,
  remainingMs,
  startCall,
  waitWithin,
} from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import { batchesOf } from './batches.js';
import type { LocationUpdate, VehicleId, VehicleLocation } from './domain.js';
import { Jumps } from './jumps.js';
import { keys } from './keys.js';
import { locationTags } from './keyspaces.js';
import { locationLifetime } from './lifetimes.js';
import type { LiveLocations } from './live-locations.js';
import type { FleetRepository, SavedLocation } from './ports.js';
import { isSignificantMove, judgeUpdate, locationVersion } from './positions.js';
import type { Region } from './region.js';
import { RouteInvalidation } from './route-invalidation.js';
import type { FleetCounters } from './stats.js';
import type { Moved } from './subscriptions.js';
import { outsideCall } from './waits.js';

/**
 * What became of a report.
 * - `newest`: it is where the vehicle is now, in the database and in the cache.
 * - `history`: kept in the database; something newer, or something else of the same time, was there.
 * - `duplicate`: the database had it already.
 * - `ghost`: without a fix; kept nowhere.
 * - `jump`: farther from where the vehicle was than it can have driven; kept nowhere. The next report, if it can be
 *   reached from this one, is believed.
 * - `rejected`: out of range; kept nowhere, `error.field` says what.
 *
 * `clamped`: the device's clock lied, and `location.at` is not what it said.
 */
export type Recorded =
  | {
      readonly outcome: 'newest';
      readonly location: VehicleLocation;
      readonly clamped: boolean;
      /** What each level of the cache did with it. */
      readonly write: WriteResult;
    }
  | {
      readonly outcome: 'history' | 'duplicate' | 'ghost' | 'jump';
      readonly location: VehicleLocation;
      readonly clamped: boolean;
    }
  | { readonly outcome: 'rejected'; readonly clamped: false; readonly error: CacheError };

export interface RecordingParts {
  readonly cache: Cache;
  readonly repository: FleetRepository;
  readonly clock: Clock;
  readonly live: Pick<LiveLocations, 'recording' | 'recorded'>;
  readonly counters: FleetCounters;
}

const DEADLINE_MS = 10_000;
/** Positions per transaction: large enough to be cheap, small enough not to hold the rows of many vehicles for long. */
const CHUNK = 500;
const NAME = 'the database';

/** A report that is to be saved, and the place of its result. */
interface Pending {
  readonly index: number;
  readonly location: VehicleLocation;
  readonly clamped: boolean;
  readonly history: boolean;
  readonly frame: number | undefined;
}

/** What is to be told of a vehicle after its positions were saved. */
interface Current extends Moved {
  /** Who brought it just now; undefined when it had been there before. */
  readonly reporter: Pending | undefined;
}

/**
 * Takes in positions: database first, then the cache, then what depends on them, then the subscribers. The database
 * decides which position is the newest; the cache is told only of those, dated as the database has them, so neither
 * the order in which nodes write nor a node that stops half-way can make the two disagree for longer than a TTL.
 */
export class Recording {
  readonly #parts: RecordingParts;
  readonly #routes: RouteInvalidation;
  readonly #jumps = new Jumps();
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(parts: RecordingParts) {
    this.#parts = parts;
    this.#routes = new RouteInvalidation(parts.cache);
  }

  /**
   * One result per update, in their order. A bad update does not keep the others out.
   * @throws CacheError `level-failed` when the database fails, `deadline` or `aborted`: how many were taken in is in
   *   the message. Sending all of them again is safe, the database knows duplicates.
   */
  async record(updates: readonly LocationUpdate[], options: CallOptions | undefined): Promise<Recorded[]> {
    if (!Array.isArray(updates)) {
      throw new CacheError('invalid-value', `updates must be an array, got ${typeof updates}`, { field: 'updates' });
    }
    const { clock } = this.#parts;
    const call = startCall(clock, options, DEADLINE_MS, 'write');
    const { results, pending } = judgeAll(updates, this.#jumps, clock.wallMs());
    // What a device kept while it was offline may be thousands of positions: the live ones do not wait for them.
    const live = pending.filter(({ history }) => !history);
    const past = pending.filter(({ history }) => history);
    let recorded = 0;
    for (const chunk of [...batchesOf(live, CHUNK), ...batchesOf(past, CHUNK)]) {
      await this.#recordChunk(chunk, results, call, `${recorded} of ${pending.length} had been recorded`);
      recorded += chunk.length;
    }
    const complete = results as Recorded[];
    demoteOutdated(complete);
    this.#count(complete);
    return complete;
  }

  /** Resolves when nothing is being recorded any more; everything that is has a deadline. */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  async #recordChunk(
    chunk: readonly Pending[],
    results: (Recorded | undefined)[],
    call: Call,
    progress: string,
  ): Promise<void> {
    const { clock } = this.#parts;
    const notBegun = `${chunk.length} positions were not recorded (${progress})`;
    if (call.signal?.aborted === true) throw saveError(abortedError(NAME, call.signal), notBegun);
    if (remainingMs(clock, call) <= 0) throw saveError(deadlineError(NAME), notBegun);
    // One chain, waited for but never cut: what the database has taken reaches the cache even if the caller is gone.
    const chain = this.#save(chunk, call).then((saved) => this.#spread(chunk, saved, results));
    this.#track(chain);
    try {
      await waitWithin(clock, call, NAME, chain);
    } catch (thrown) {
      throw saveError(thrown, `recording ${chunk.length} positions failed (${progress})`);
    }
  }

  async #save(chunk: readonly Pending[], call: Call): Promise<readonly SavedLocation[]> {
    const { clock, repository } = this.#parts;
    const outside = outsideCall(clock, call, NAME);
    try {
      const locations = chunk.map(({ location, history, frame }) => ({ ...location, history, frame }));
      const saved = await repository.saveLocations(locations, outside);
      if (saved.length !== locations.length) {
        throw new CacheError(
          'level-failed',
          `${NAME} answered ${saved.length} times for ${locations.length} positions`,
        );
      }
      return saved;
    } finally {
      outside.end();
    }
  }

  /** From the database to the cache, to what depends on it, to the subscribers. */
  async #spread(
    chunk: readonly Pending[],
    saved: readonly SavedLocation[],
    results: (Recorded | undefined)[],
  ): Promise<void> {
    const { live } = this.#parts;
    const current = new Map<VehicleId, Current>();
    chunk.forEach((pending, i) => {
      const { index, location, clamped } = pending;
      const { newest, duplicate, previous, stored } = saved[i] as SavedLocation;
      results[index] = { outcome: duplicate ? 'duplicate' : 'history', location, clamped };
      // A duplicate is told too: the one who sent it first may have stopped between the database and the cache.
      const told = stored ?? (newest ? location : undefined);
      if (told === undefined) return;
      const known = current.get(location.vehicleId);
      const reporter = newest && !duplicate ? pending : known?.reporter;
      current.set(location.vehicleId, { location: told, previous, reporter });
    });
    const moves = [...current.values()];
    if (moves.length === 0) return;
    const ids = [...current.keys()];
    live.recording(ids);
    try {
      await this.#store(moves, results);
    } finally {
      live.recorded(ids);
    }
  }

  /** In the cache, with all that depends on it. */
  async #store(moves: readonly Current[], results: (Recorded | undefined)[]): Promise<void> {
    const { cache } = this.#parts;
    await this.#invalidateRegions(moves);
    const writes = await cache.setMany(
      moves.map(({ location }) => [keys.location(location.vehicleId), location, locationOptions(location)]),
    );
    moves.forEach(({ location, reporter }, i) => {
      if (reporter === undefined) return;
      const { index, clamped } = reporter;
      results[index] = { outcome: 'newest', location, clamped, write: writes[i] as WriteResult };
    });
    await this.#invalidateRoutes(moves);
  }

  /**
   * Before the position is in the cache: whoever finds a list of vehicles there finds all those whose position was there
   * by then. The other way round, a vehicle would be in no region between the two (see nearby-index.ts).
   */
  async #invalidateRegions(moves: readonly Current[]): Promise<void> {
    const regions = new Set<Region>();
    for (const { location, previous, reporter } of moves) {
      // Whoever brought what had been there before may have stopped before he came to this.
      if (previous?.region === location.region && reporter !== undefined) continue;
      regions.add(location.region);
      if (previous !== undefined) regions.add(previous.region);
    }
    if (regions.size > 0) await this.#parts.cache.deleteMany([...regions].map(keys.nearby));
  }

  async #invalidateRoutes(moves: readonly Current[]): Promise<void> {
    const { counters } = this.#parts;
    const significant = moves.filter(
      ({ location, previous }) => previous === undefined || isSignificantMove(previous, location),
    );
    if (significant.length === 0) return;
    counters.significantMoves += significant.length;
    await this.#routes.invalidate(significant.map(({ location }) => location.vehicleId));
  }

  #count(results: readonly Recorded[]): void {
    const { counters } = this.#parts;
    for (const { outcome, clamped } of results) {
      counters[COUNTER[outcome]] += 1;
      if (clamped) counters.clamped += 1;
    }
  }

  #track(work: Promise<unknown>): void {
    const tracked = work
      .catch(() => {})
      .finally(() => {
        this.#underWay.delete(tracked);
      });
    this.#underWay.add(tracked);
  }
}

const COUNTER = {
  newest: 'newest',
  history: 'history',
  duplicate: 'duplicates',
  ghost: 'ghosts',
  jump: 'jumps',
  rejected: 'rejected',
} as const satisfies Record<Recorded['outcome'], keyof FleetCounters>;

function saveError(thrown: unknown, what: string): CacheError {
  const code = thrown instanceof CacheError ? thrown.code : 'level-failed';
  const message = `${what}: ${toError(thrown).message}; send all of them again, duplicates are recognised`;
  return new CacheError(code, message, { cause: thrown });
}

function judgeAll(updates: readonly LocationUpdate[], jumps: Jumps, wallMs: number) {
  const results: (Recorded | undefined)[] = [];
  const pending: Pending[] = [];
  updates.forEach((update, index) => {
    const judged = judgeUpdate(update, wallMs);
    if (judged.kind === 'rejected') {
      results[index] = { outcome: 'rejected', clamped: false, error: judged.error };
    } else if (judged.kind === 'ghost' || jumps.isJump(judged.location)) {
      const outcome = judged.kind === 'ghost' ? 'ghost' : 'jump';
      results[index] = { outcome, location: judged.location, clamped: judged.clamped };
    } else {
      results[index] = undefined;
      const { location, clamped } = judged;
      pending.push({ index, location, clamped, history: update.history === true, frame: update.frame });
    }
  });
  return { results, pending };
}

/** Of several positions of one vehicle that were the newest when their chunk was saved, only the last one still is. */
function demoteOutdated(results: Recorded[]): void {
  const newestAt = new Map<VehicleId, number>();
  results.forEach((result, i) => {
    if (result.outcome !== 'newest') return;
    const { vehicleId } = result.location;
    const otherAt = newestAt.get(vehicleId);
    const other = otherAt === undefined ? undefined : results[otherAt];
    const isOutdated =
      other?.outcome === 'newest' && locationVersion(other.location) >= locationVersion(result.location);
    const demoted = isOutdated ? i : otherAt;
    if (!isOutdated) newestAt.set(vehicleId, i);
    if (demoted === undefined) return;
    const { location, clamped } = results[demoted] as Recorded & { location: VehicleLocation };
    results[demoted] = { outcome: 'history', location, clamped };
  });
}

/** How the cache is to keep a position, and by which version it is known there. */
export function locationOptions(location: VehicleLocation): SetOptions {
  const { ttl, staleIfError } = locationLifetime(location);
  return { ttl, staleIfError, tags: locationTags(location.vehicleId, location), eventTime: locationVersion(location) };
}
