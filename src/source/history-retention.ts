import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { VehicleId } from './fleet-records.js';
import type { PostgresPool, Statement } from './postgres-pool.js';
import { dateToTimestamp } from './postgres-types.js';

/** Vehicles that one statement looks through, and positions that it removes. */
const VEHICLES = 50;
const POSITIONS = 500;
/** A statement may take this share of the time, so that a slow database is left alone for longer. */
const SHARE = 0.2;
const PAUSE_MIN_MS = 50;
/** No statement takes so long: whoever finds that one did was asleep in between. */
const PAUSE_MAX_MS = 10_000;
/** From the end of one round over all vehicles to the begin of the next, and after a failure. */
const ROUND_EVERY_MS = 3_600_000;
const RETRY_AFTER_MS = 60_000;
const STATEMENT_WITHIN_MS = 5_000;

const NEXT_VEHICLES: Statement = {
  name: 'vehicles-with-history',
  text: `select vehicle_id as id from vehicle_locations where vehicle_id > coalesce($1::numeric, -1)
    order by vehicle_id limit ${VEHICLES}`,
};

/** The key of the history leads to them: no index by time is needed. What the newest position was chosen from stays. */
const REMOVE_OLD: Statement = {
  name: 'remove-old-history',
  text: `with removed as (
      delete from vehicle_location_history where ctid = any(array(
        select old.ctid from vehicle_locations as newest
        join vehicle_location_history as old on old.vehicle_id = newest.vehicle_id and old.at < newest.at
        where newest.vehicle_id = any($1::numeric[]) and old.at < $2::timestamptz limit ${POSITIONS}
      )) returning 1
    )
    select count(*)::integer as removed from removed`,
};

export interface HistoryRetentionParts {
  readonly pool: PostgresPool;
  readonly clock: Clock;
  /** How long positions are kept, in ms, by the time of the device. */
  readonly keptMs: number;
}

/**
 * Removes positions of the history that are older than they are to be kept, vehicle by vehicle, few at a time and with
 * pauses of four times what the last statement took: at most 10,000 a second. It runs until it is stopped; what fails is
 * tried again a minute later. Several nodes may do it at once, and then do the same work.
 */
export class HistoryRetention {
  readonly #parts: HistoryRetentionParts;
  readonly #stopped = new AbortController();
  #cancel = noop;
  #working: Promise<void> = Promise.resolve();
  #removed = 0;
  #failure: Error | undefined;

  /** @throws CacheError `invalid-options` for a time that is none */
  constructor(parts: HistoryRetentionParts) {
    if (!(parts.keptMs > 0)) {
      throw new CacheError('invalid-options', `positions are to be kept for ${parts.keptMs} ms: give more than 0`, {
        field: 'days',
      });
    }
    this.#parts = parts;
    this.#next(0, undefined);
  }

  /** Positions that were removed so far. */
  get removed(): number {
    return this.#removed;
  }

  /** Why the last attempt failed; undefined when it did not. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#cancel();
    await this.#working;
  }

  /** @param after the vehicle up to which this round has come */
  #next(afterMs: number, after: VehicleId | undefined): void {
    if (this.#stopped.signal.aborted) return;
    this.#cancel = this.#parts.clock.schedule(afterMs, () => {
      this.#working = this.#round(after);
    });
  }

  async #round(from: VehicleId | undefined): Promise<void> {
    const { clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    try {
      const { removed, upTo } = await this.#step(from);
      this.#removed += removed;
      this.#failure = undefined;
      const tookMs = clock.monotonicMs() - startedMs;
      const pauseMs = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MIN_MS, tookMs * (1 / SHARE - 1)));
      // As many as it may: there may be more of the same vehicles.
      if (removed === POSITIONS) this.#next(pauseMs, from);
      else if (upTo === undefined) this.#next(ROUND_EVERY_MS, undefined);
      else this.#next(pauseMs, upTo);
    } catch (thrown) {
      if (!this.#stopped.signal.aborted) this.#failure = toError(thrown);
      this.#next(RETRY_AFTER_MS, from);
    }
  }

  async #step(from: VehicleId | undefined): Promise<{ removed: number; upTo: VehicleId | undefined }> {
    const { pool, clock, keptMs } = this.#parts;
    const call = pool.callOf({ signal: this.#stopped.signal, remainingMs: STATEMENT_WITHIN_MS });
    const vehicles = await pool.query<{ id: VehicleId }>(NEXT_VEHICLES, [from ?? null], call);
    const ids = vehicles.map(({ id }) => id);
    if (ids.length === 0) return { removed: 0, upTo: undefined };
    const before = dateToTimestamp(new Date(clock.wallMs() - keptMs));
    const [row] = await pool.query<{ removed: number }>(REMOVE_OLD, [ids, before], call);
    return { removed: row?.removed ?? 0, upTo: ids.at(-1) };
  }
}

function noop(): void {}
