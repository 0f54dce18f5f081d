/**
 * Changes by logical replication: PostgreSQL decodes its log and sends each transaction that has committed. A slot
 * keeps the log until it is acknowledged, so that nothing is missed while nobody reads. The order of steps matters:
 *
 * - It is acknowledged up to the end of a transaction when the invalidations of its last row are out, and not before.
 * - A slot begins at a moment of its own. Floors over all that may be cached are raised after that moment: what was
 *   committed before it lies below them, what was committed after it comes through the slot.
 * - That floors are due is written down before a slot is given up, and taken back when they are out.
 */
import { CacheError, toError } from '../core/errors.js';
import { type LogPosition, LogReader, makeStatus, readFrame } from './change-pgoutput.js';
import {
  beginStartOver,
  endRecordingUnread,
  endStartOver,
  findReader,
  PUBLICATION,
  slotName,
} from './change-readers.js';
import { CHANGED_TABLES, type RowChange } from './change-records.js';
import { ChangeSession } from './change-session.js';
import type { TransportParts } from './change-transport.js';

/** Rows per invalidation. */
const BATCH = 1_000;
/** Rows that wait to be invalidated; beyond it the server is not listened to. */
const WAITING_MAX = 10_000;
const STATUS_EVERY_MS = 1_000;
const MEASURE_EVERY_MS = 2_000;
/** A server that says nothing for so long is asked to, and for so much longer is given up. */
const SILENT_MS = 5_000;
const DEAD_AFTER_MS = 15_000;

export interface LogicalParts extends TransportParts {
  readonly url: string;
  readonly applicationName: string;
  /** How far behind the slot may be before it is given up. */
  readonly lagMaxBytes: number;
}

/** Why the server cannot send its log to this role; undefined when it can. */
export async function whyNotLogical(session: ChangeSession): Promise<string | undefined> {
  const [row] = await session.query<{ level: string; senders: number; may: boolean }>(
    `select current_setting('wal_level') as level, current_setting('max_wal_senders')::integer as senders,
      rolreplication or rolsuper as may from pg_roles where rolname = current_user`,
  );
  if (row === undefined) return 'the role is not listed';
  if (row.level !== 'logical') return `wal_level is ${row.level}`;
  if (row.senders === 0) return 'max_wal_senders is 0';
  return row.may ? undefined : 'the role may not replicate';
}

interface SlotState {
  readonly isLost: boolean;
  readonly lagBytes: number;
  readonly serverKeepsMb: number;
}

export class LogicalChanges {
  readonly #parts: LogicalParts;
  readonly #log = new LogReader();
  readonly #waiting: RowChange[] = [];
  /** Rows that came, and rows whose invalidations are out, since the stream began. */
  #came = 0;
  #out = 0;
  /** Transactions that came whole: how many rows had come by then, and what to acknowledge. */
  readonly #commits: { readonly came: number; readonly end: LogPosition }[] = [];
  #inTransaction = false;
  #flowing = true;
  /** Up to where the server has sent everything. */
  #sent: LogPosition = 0n;
  #done: LogPosition = 0n;
  #acknowledged: LogPosition = -1n;
  #failure: Error | undefined;
  #slot = '';
  #heardAtMs: number;
  #statusAtMs = Number.NEGATIVE_INFINITY;
  #measuredAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: LogicalParts) {
    this.#parts = parts;
    this.#heardAtMs = parts.clock.monotonicMs();
  }

  /** Makes what is needed in the database, and raises floors where nobody knows what was missed. */
  async prepare(): Promise<void> {
    const { session, reader } = this.#parts;
    this.#slot = await slotName(session, reader);
    const isPublished = await this.#publish();
    const known = await findReader(session, reader);
    const slot = await this.#measure();
    const isBehind = slot === undefined || slot.isLost || slot.lagBytes > this.#parts.lagMaxBytes;
    if (!isPublished || known?.transport !== 'logical' || known.startOver || isBehind) await this.#startOver();
    await endRecordingUnread(session);
  }

  /** Reads until something fails, and throws that. */
  async run(): Promise<never> {
    const { url, applicationName, signal } = this.#parts;
    const onEnd = (error: Error) => this.#fail(error);
    const stream = await ChangeSession.openForReplication({ url, applicationName, signal, onEnd });
    try {
      await stream.stream(
        `START_REPLICATION SLOT "${this.#slot}" LOGICAL 0/0 (proto_version '1', publication_names '${PUBLICATION}')`,
        (chunk) => this.#take(chunk, stream),
      );
      this.#parts.counters.state = 'reading';
      for (;;) await this.#round(stream);
    } finally {
      stream.end();
    }
  }

  async #round(stream: ChangeSession): Promise<void> {
    const { target, counters, clock, wake, lagMaxBytes, session, reader } = this.#parts;
    const failure = this.#failure ?? this.#parts.failure();
    if (failure !== undefined) throw failure;
    if (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH);
      await target.apply(batch);
      this.#out += batch.length;
      counters.changes += batch.length;
      if (this.#waiting.length < WAITING_MAX / 2) this.#resume(stream);
    }
    this.#report(stream);
    if (clock.monotonicMs() - this.#measuredAtMs >= MEASURE_EVERY_MS) {
      const slot = await this.#measure();
      if (slot !== undefined && slot.lagBytes > lagMaxBytes) {
        await beginStartOver(session, reader, 'logical');
        throw new CacheError(
          'overloaded',
          `the change feed is ${slot.lagBytes} bytes behind, more than ${lagMaxBytes}: it starts over`,
        );
      }
    }
    if (this.#waiting.length === 0) await wake.wait(STATUS_EVERY_MS);
  }

  #take(chunk: Buffer, stream: ChangeSession): void {
    try {
      this.#heardAtMs = this.#parts.clock.monotonicMs();
      const frame = readFrame(chunk);
      if (frame.kind === 'keepalive') {
        this.#sent = frame.sent;
        if (frame.wantsReply) this.#statusAtMs = Number.NEGATIVE_INFINITY;
      } else {
        this.#takeMessage(frame.message);
      }
      if (this.#waiting.length > WAITING_MAX) this.#pause(stream);
    } catch (thrown) {
      this.#fail(toError(thrown));
    }
    this.#parts.wake.wake();
  }

  #takeMessage(buffer: Buffer): void {
    const message = this.#log.read(buffer);
    switch (message.kind) {
      case 'begin':
        this.#inTransaction = true;
        break;
      case 'changes':
        // Not held back until the commit: it has committed, or it would not be here.
        for (const change of message.changes) this.#waiting.push(change);
        this.#came += message.changes.length;
        break;
      case 'commit':
        this.#inTransaction = false;
        this.#commits.push({ came: this.#came, end: message.end });
        break;
      case 'other':
        break;
    }
  }

  #pause(stream: ChangeSession): void {
    if (!this.#flowing) return;
    this.#flowing = false;
    stream.setFlowing(false);
  }

  #resume(stream: ChangeSession): void {
    if (this.#flowing) return;
    this.#flowing = true;
    this.#heardAtMs = this.#parts.clock.monotonicMs();
    stream.setFlowing(true);
  }

  /** Acknowledges what is out. Where nothing waits, also what the server had nothing to say about. */
  #report(stream: ChangeSession): void {
    const { clock } = this.#parts;
    let done = 0;
    for (const { came, end } of this.#commits) {
      if (came > this.#out) break;
      this.#done = end;
      done += 1;
    }
    this.#commits.splice(0, done);
    const isIdle = this.#commits.length === 0 && this.#waiting.length === 0 && !this.#inTransaction;
    if (isIdle && this.#sent > this.#done) this.#done = this.#sent;
    const nowMs = clock.monotonicMs();
    if (this.#done === this.#acknowledged && nowMs - this.#statusAtMs < STATUS_EVERY_MS) return;
    const silentMs = nowMs - this.#heardAtMs;
    if (silentMs > DEAD_AFTER_MS && this.#flowing) {
      throw new CacheError('level-failed', `PostgreSQL has streamed nothing for ${Math.round(silentMs)} ms`);
    }
    stream.send(makeStatus(this.#done, clock.wallMs(), silentMs > SILENT_MS));
    this.#acknowledged = this.#done;
    this.#statusAtMs = nowMs;
  }

  /** @returns whether the publication had all tables before */
  async #publish(): Promise<boolean> {
    const { session } = this.#parts;
    const tables = Object.keys(CHANGED_TABLES);
    const [row] = await session.query<{ exists: boolean; published: number }>(
      `select exists (select from pg_publication where pubname = $1) as exists,
        (select count(*)::integer from pg_publication_tables where pubname = $1 and tablename = any($2)) as published`,
      [PUBLICATION, tables],
    );
    if (row?.published === tables.length) return true;
    await session.query(
      row?.exists === true
        ? `alter publication ${PUBLICATION} set table ${tables.join(', ')}`
        : `create publication ${PUBLICATION} for table ${tables.join(', ')}`,
    );
    return false;
  }

  async #startOver(): Promise<void> {
    const { session, reader, target, counters } = this.#parts;
    await beginStartOver(session, reader, 'logical');
    await session.query('select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1', [
      this.#slot,
    ]);
    // Waits for the transactions that are under way, for as long as a statement may take.
    await session.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [this.#slot]);
    await target.startOver();
    counters.startedOver += 1;
    await endStartOver(session, reader);
  }

  /** How the slot is; undefined when there is none. */
  async #measure(): Promise<SlotState | undefined> {
    const { session, counters, clock } = this.#parts;
    this.#measuredAtMs = clock.monotonicMs();
    const [row] = await session.query<SlotState>(
      `select wal_status = 'lost' as "isLost",
        coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::float8 as "lagBytes",
        (select setting::float8 from pg_settings where name = 'max_slot_wal_keep_size') as "serverKeepsMb"
      from pg_replication_slots where slot_name = $1`,
      [this.#slot],
    );
    counters.lagBytes = row?.lagBytes;
    const keepsMb = row?.serverKeepsMb ?? -1;
    counters.serverKeepsBytes = keepsMb < 0 ? undefined : keepsMb * 1_048_576;
    return row;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#parts.wake.wake();
  }
}
