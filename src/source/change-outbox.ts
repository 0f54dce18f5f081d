/**
 * Changes by a transactional outbox, where the server does not send its log: triggers append what changed in the
 * transaction that changes it. It is read in order of transactions, and only below the oldest one that is under way:
 *
 *   1. A begins, changes a row (outbox id 1) and takes its time.
 *   2. B begins, changes another row (outbox id 2) and commits.
 *   3. A reader that goes by the ids reads 2 and notes "read up to 2". A commits: 1 is never read.
 *
 * Below `pg_snapshot_xmin` every transaction has ended, so nothing can appear there any more. The position is moved when
 * the invalidations are out. A NOTIFY says that there is something to read, and nothing else: it may be lost.
 */
import { CacheError } from '../core/errors.js';
import { beginRecording, beginStartOver, endStartOver, findReader, isRecording } from './change-readers.js';
import { type ChangedRow, type ChangedTable, isTrue, type RowChange, toChangedLocation } from './change-records.js';
import type { Transport, TransportParts } from './change-transport.js';

/** Rows per invalidation. */
const BATCH = 1_000;
/** How long to wait for a NOTIFY before looking without one. */
const POLL_MS = 1_000;
/** The same while rows wait for an older transaction to end, of which nobody is told. */
const POLL_HELD_MS = 50;
/** A position is written anew, though it has not moved, to say that somebody is there. */
const PRESENT_EVERY_MS = 60_000;
/** A reader that was away for longer starts over: what it has not read is removed. */
const AWAY_MAX = '1 day';
/** Rows removed at a time, and looked at to say how many wait. */
const REMOVE_MAX = 5_000;
const COUNT_MAX = 10_000;

interface OutboxRow {
  readonly xid: string;
  readonly id: string;
  readonly table: string;
  readonly vehicleBefore: string | null;
  readonly vehicleAfter: string | null;
  readonly rowBefore: string | null;
  readonly rowAfter: string | null;
}

interface OutboxState {
  readonly lost: string;
  readonly lagRows: number;
  readonly lagMs: number | null;
  /** The transactions behind which to start over have ended. */
  readonly isOverDue: boolean;
}

interface Position {
  readonly xid: string;
  readonly id: string;
}

export class OutboxChanges implements Transport {
  readonly #parts: TransportParts;
  #position: Position = { xid: '0', id: '0' };
  #lost = '0';
  #writtenAtMs = 0;

  constructor(parts: TransportParts) {
    this.#parts = parts;
  }

  async prepare(): Promise<void> {
    const { session, reader, wake } = this.#parts;
    session.onNotification(() => wake.wake());
    await session.query('listen fleetflow_changes');
    const known = await findReader(session, reader);
    const records = await isRecording(session);
    if (known?.transport !== 'outbox' || known.startOver || !records) {
      await beginStartOver(session, reader, 'outbox');
      if (!records) await beginRecording(session);
      await this.#startOver();
    }
    await this.#recall();
  }

  async run(): Promise<never> {
    this.#parts.counters.state = 'reading';
    for (;;) {
      const failure = this.#parts.failure();
      if (failure !== undefined) throw failure;
      const rows = await this.#read();
      if (rows.length > 0) {
        await this.#parts.target.apply(inOrderOfWriting(rows).map(toChange));
        this.#parts.counters.changes += rows.length;
      }
      const last = rows.at(-1);
      if (last !== undefined) await this.#advance(last);
      else if (this.#parts.clock.monotonicMs() - this.#writtenAtMs > PRESENT_EVERY_MS)
        await this.#advance(this.#position);
      const state = await this.#look();
      if (state.isOverDue) await this.#endOverdue();
      if (rows.length < BATCH) await this.#parts.wake.wait(state.lagRows > 0 ? POLL_HELD_MS : POLL_MS);
    }
  }

  #read(): Promise<readonly OutboxRow[]> {
    return this.#parts.session.query<OutboxRow>(
      `select c.xid::text as xid, c.id::text as id, changed_table as "table", vehicle_before::text as "vehicleBefore",
        vehicle_after::text as "vehicleAfter", row_before::text as "rowBefore", row_after::text as "rowAfter"
      from fleetflow_changes as c
      where (c.xid, c.id) > ($1::xid8, $2::bigint) and c.xid < pg_snapshot_xmin(pg_current_snapshot())
      order by c.xid, c.id limit ${BATCH}`,
      [this.#position.xid, this.#position.id],
    );
  }

  async #advance(position: Position): Promise<void> {
    const { session, reader, clock } = this.#parts;
    const written = await session.query(
      `update fleetflow_change_readers set read_xid = $2::xid8, read_id = $3::bigint, read_at = now()
      where reader = $1 and not start_over returning 1`,
      [reader, position.xid, position.id],
    );
    // Somebody took this reader for gone, and removed what it was to read.
    if (written.length === 0)
      throw new CacheError('level-failed', 'the change feed was away for too long: it starts over');
    this.#position = { xid: position.xid, id: position.id };
    this.#writtenAtMs = clock.monotonicMs();
    await this.#remove();
  }

  /** What all have read, and what those had not who are gone. */
  async #remove(): Promise<void> {
    const { session } = this.#parts;
    await session.query(
      `update fleetflow_change_readers set start_over = true
      where transport = 'outbox' and not start_over and read_at < now() - interval '${AWAY_MAX}'`,
    );
    await session.query(
      `with removed as (
        delete from fleetflow_changes where (xid, id) in (
          select xid, id from fleetflow_changes where (xid, id) <= (
            select read_xid, read_id from fleetflow_change_readers
            where transport = 'outbox' and not start_over order by read_xid, read_id limit 1
          ) order by xid, id limit ${REMOVE_MAX}
        ) returning id
      )
      select setval('fleetflow_changes_read', max(removed.id)) from removed
      having max(removed.id) > (select last_value from fleetflow_changes_read)`,
    );
  }

  async #look(): Promise<OutboxState> {
    const { session, reader, counters } = this.#parts;
    const [state] = await session.query<OutboxState>(
      `select (select last_value::text from fleetflow_changes_lost) as lost,
        count(*)::integer as "lagRows",
        (extract(epoch from clock_timestamp() - min(waiting.recorded_at)) * 1000)::float8 as "lagMs",
        coalesce((select start_over_behind <= pg_snapshot_xmin(pg_current_snapshot())
          from fleetflow_change_readers where reader = $3), false) as "isOverDue"
      from (
        select recorded_at from fleetflow_changes where (xid, id) > ($1::xid8, $2::bigint)
        order by xid, id limit ${COUNT_MAX}
      ) as waiting`,
      [this.#position.xid, this.#position.id, reader],
    );
    if (state === undefined) throw new CacheError('level-failed', 'PostgreSQL did not say how the outbox is');
    counters.lagRows = state.lagRows;
    counters.lagMs = state.lagMs ?? 0;
    if (state.lost !== this.#lost) {
      await beginStartOver(session, reader, 'outbox');
      throw new CacheError(
        'overloaded',
        'the outbox was full and changes were not recorded: the change feed starts over',
      );
    }
    return state;
  }

  /**
   * Gives up what is not read, and all that was cached. A transaction whose change was not recorded, because the outbox was
   * full, may still be under way: what is loaded before it ends is older than its change. So it is done once more when
   * all that run now have ended.
   */
  async #startOver(): Promise<void> {
    const { session, reader, target, counters } = this.#parts;
    await session.query(
      `update fleetflow_change_readers set read_xid = pg_snapshot_xmin(pg_current_snapshot()), read_id = 0,
        start_over_behind = case when lost <> (select last_value from fleetflow_changes_lost)
          then pg_snapshot_xmax(pg_current_snapshot()) end,
        lost = (select last_value from fleetflow_changes_lost), read_at = now()
      where reader = $1`,
      [reader],
    );
    await session.query(`select setval('fleetflow_changes_read', (select last_value from fleetflow_changes_id_seq))`);
    await target.startOver();
    counters.startedOver += 1;
    await endStartOver(session, reader);
  }

  async #endOverdue(): Promise<void> {
    const { session, reader, target } = this.#parts;
    await target.startOver();
    await session.query('update fleetflow_change_readers set start_over_behind = null where reader = $1', [reader]);
  }

  async #recall(): Promise<void> {
    const { session, reader, clock } = this.#parts;
    const [row] = await session.query<Position & { readonly lost: string }>(
      `select read_xid::text as xid, read_id::text as id, lost::text as lost
      from fleetflow_change_readers where reader = $1`,
      [reader],
    );
    if (row === undefined) throw new CacheError('level-failed', 'the position of the change feed is gone');
    this.#position = { xid: row.xid, id: row.id };
    this.#lost = row.lost;
    this.#writtenAtMs = clock.monotonicMs();
  }
}

/** Whoever changes a row that another transaction has changed waits for its end, so one row's ids are in their order. */
function inOrderOfWriting(rows: readonly OutboxRow[]): OutboxRow[] {
  return [...rows].sort((a, b) => Number(a.id) - Number(b.id));
}

function toChange(row: OutboxRow): RowChange {
  const table = row.table as ChangedTable;
  return {
    table,
    before: toRow(table, row.vehicleBefore, row.rowBefore),
    after: toRow(table, row.vehicleAfter, row.rowAfter),
  };
}

function toRow(table: ChangedTable, vehicleId: string | null, json: string | null): ChangedRow | undefined {
  if (vehicleId === null) return undefined;
  const row: Readonly<Record<string, unknown>> = json === null ? {} : JSON.parse(json);
  if (table === 'vehicles') return { vehicleId, active: isTrue(row.active) };
  if (table !== 'vehicle_locations') return { vehicleId };
  const location = toChangedLocation(vehicleId, (column) => row[column]);
  return location === undefined ? { vehicleId } : { vehicleId, location };
}
