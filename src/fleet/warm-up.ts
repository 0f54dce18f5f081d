import { type Call, type CallOptions, startCall } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { ActiveVehicles } from './active-vehicles.js';
import { batchesOf } from './batches.js';
import type { DemandBoard } from './demand-board.js';
import type { VehicleId } from './domain.js';
import type { FleetKeyspaces } from './keyspaces.js';
import { Pace } from './pace.js';
import type { FleetCounters } from './stats.js';
import { pause, restOf } from './waits.js';

export interface WarmUpProgress {
  /** Vehicles done with, of those in service. */
  readonly done: number;
  readonly total: number;
  /** Of those done with, in batches that failed; a second try is made at nothing. */
  readonly failed: number;
  /** Values that were loaded; the others were in the cache. */
  readonly loaded: number;
  /** How long the last batch took, and how long the pause after it will be, in ms. */
  readonly latencyMs: number;
  readonly pauseMs: number;
}

export interface WarmUpOptions extends CallOptions {
  readonly onProgress?: (progress: WarmUpProgress) => void;
}

export interface WarmUpResult {
  readonly vehicles: number;
  readonly failed: number;
  readonly loaded: number;
}

const DEADLINE_MS = 30 * 60_000;
const BATCH = 50;
const BATCH_DEADLINE_MS = 10_000;
/** Batches that may fail in a row before the database is left alone. */
const FAILURES_MAX = 5;
const NAME = 'the warm-up';

export interface WarmUpParts {
  readonly clock: Clock;
  readonly keyspaces: FleetKeyspaces;
  readonly active: ActiveVehicles;
  readonly board: DemandBoard;
  readonly counters: FleetCounters;
}

/**
 * Brings what is read most of the vehicles in service (position, status, details, trips) into the cache, those that the
 * city is asked for most first, 50 vehicles at a time, one statement per kind, at the pace that the database can bear.
 * What is cached already, or is being loaded by another node, is not loaded.
 * @throws CacheError `load-failed` when five batches in a row fail, `aborted`, or `deadline` (30 min, if not given)
 */
export async function warmUp(parts: WarmUpParts, options: WarmUpOptions = {}): Promise<WarmUpResult> {
  const { clock, active, board, counters } = parts;
  const call = startCall(clock, options, DEADLINE_MS, 'warm-up');
  const inService = await active.ids(restOf(clock, call, NAME));
  const ids = ranked(inService, await board.scores(restOf(clock, call, NAME)));
  const pace = new Pace();
  let done = 0;
  let failed = 0;
  let loaded = 0;
  const count = () => {
    counters.warmUpDone = done;
    counters.warmUpFailed = failed;
    counters.warmUpTotal = ids.length;
  };
  count();
  for (const batch of batchesOf(ids, BATCH)) {
    const startedMs = clock.monotonicMs();
    const { values, error } = await warmBatch(parts, batch, call);
    const latencyMs = clock.monotonicMs() - startedMs;
    done += batch.length;
    loaded += values;
    counters.warmedUp += values;
    if (error !== undefined) failed += batch.length;
    count();
    const pauseMs = error === undefined ? pace.afterSuccess(latencyMs) : pace.afterFailure();
    if (error !== undefined && pace.failures >= FAILURES_MAX) {
      throw new CacheError(
        'load-failed',
        `${NAME} stopped after ${done} of ${ids.length} vehicles, for ${FAILURES_MAX} batches in a row failed: ${error.message}`,
        { cause: error },
      );
    }
    options.onProgress?.({ done, total: ids.length, failed, loaded, latencyMs, pauseMs });
    if (done < ids.length) await pause(clock, call, pauseMs, NAME);
  }
  return { vehicles: ids.length, failed, loaded };
}

/** Those that are asked for most first; the others in their own order. */
function ranked(ids: readonly VehicleId[], scores: ReadonlyMap<VehicleId, number>): VehicleId[] {
  return [...ids].sort((a, b) => (scores.get(b) ?? 0) - (scores.get(a) ?? 0));
}

/** @returns how many values were loaded, and why the batch failed, if it did; @throws when the warm-up itself is to end */
async function warmBatch(
  parts: WarmUpParts,
  ids: readonly VehicleId[],
  call: Call,
): Promise<{ readonly values: number; readonly error?: Error }> {
  const { clock, keyspaces } = parts;
  const options = restOf(clock, call, NAME, BATCH_DEADLINE_MS);
  const { location, status, details, trips } = keyspaces;
  try {
    const values = await Promise.all([location, status, details, trips].map((space) => space.warm(ids, options)));
    return { values: values.reduce((sum, one) => sum + one, 0) };
  } catch (thrown) {
    const error = toError(thrown);
    if (error instanceof CacheError && (error.code === 'aborted' || error.code === 'closed')) throw error;
    return { values: 0, error };
  }
}
