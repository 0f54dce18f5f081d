import { CHANGED_TABLES, type ChangeTransport } from './change-records.js';
import type { ChangeSession } from './change-session.js';

/** What the database keeps of a reader. */
export interface ReaderRow {
  readonly transport: ChangeTransport;
  /** Floors are to be raised before anything is believed. */
  readonly startOver: boolean;
}

/** Publication of the tables, the same for all cities. */
export const PUBLICATION = 'fleetflow_changes';

/** Only one node of a city reads at a time: the one whose session has this lock. It goes with the session. */
export async function tryLead(session: ChangeSession, reader: string): Promise<boolean> {
  const [row] = await session.query<{ leads: boolean }>(
    `select pg_try_advisory_lock(hashtextextended('fleetflow changes ' || $1::text, 0)) as leads`,
    [reader],
  );
  return row?.leads === true;
}

export async function findReader(session: ChangeSession, reader: string): Promise<ReaderRow | undefined> {
  const [row] = await session.query<ReaderRow>(
    `select transport, start_over as "startOver" from fleetflow_change_readers where reader = $1`,
    [reader],
  );
  return row;
}

/** From here until `endStartOver` nothing that was cached before is to be believed, whoever reads next. */
export async function beginStartOver(
  session: ChangeSession,
  reader: string,
  transport: ChangeTransport,
): Promise<void> {
  await session.query(
    `insert into fleetflow_change_readers (reader, transport) values ($1, $2)
      on conflict (reader) do update set transport = excluded.transport, start_over = true, read_at = now()`,
    [reader, transport],
  );
}

/** The floors are out. */
export async function endStartOver(session: ChangeSession, reader: string): Promise<void> {
  await session.query('update fleetflow_change_readers set start_over = false where reader = $1', [reader]);
}

/** A slot has its name in the whole server: one per database and city. */
export async function slotName(session: ChangeSession, reader: string): Promise<string> {
  const [row] = await session.query<{ oid: string }>(
    'select oid::text as oid from pg_database where datname = current_database()',
  );
  return `fleetflow_${row?.oid}_${reader.replaceAll('-', '_')}`;
}

/** What each kind of statement calls what it changed. */
const OPERATIONS = {
  insert: 'referencing new table as new_rows',
  update: 'referencing old table as old_rows new table as new_rows',
  delete: 'referencing old table as old_rows',
  truncate: '',
} as const;

const TRIGGERS = Object.entries(CHANGED_TABLES).flatMap(([table, { key, vehicle }]) =>
  Object.entries(OPERATIONS).map(([operation, rows]) => {
    const name = `fleetflow_change_${operation}`;
    return {
      create: `create or replace trigger ${name} after ${operation} on ${table} ${rows} for each statement
        execute function fleetflow_record_change('${key}', '${vehicle}')`,
      drop: `drop trigger if exists ${name} on ${table}`,
    };
  }),
);

export async function isRecording(session: ChangeSession): Promise<boolean> {
  return (await countTriggers(session)) === TRIGGERS.length;
}

/**
 * Has changes recorded in the outbox. Each trigger waits for those who write its table: whoever writes after that is
 * recorded, however old his snapshot.
 */
export async function beginRecording(session: ChangeSession): Promise<void> {
  await session.query(TRIGGERS.map(({ create }) => create).join('; '));
}

/** Ends recording where nobody reads the outbox: what is recorded would stay for ever. */
export async function endRecordingUnread(session: ChangeSession): Promise<void> {
  const readers = await session.query(`select from fleetflow_change_readers where transport = 'outbox'`);
  if (readers.length > 0 || (await countTriggers(session)) === 0) return;
  await session.query(TRIGGERS.map(({ drop }) => drop).join('; '));
  await session.query('truncate fleetflow_changes');
}

async function countTriggers(session: ChangeSession): Promise<number> {
  const [row] = await session.query<{ triggers: number }>(
    `select count(*)::integer as triggers from pg_trigger
      where tgfoid = 'fleetflow_record_change'::regproc and not tgisinternal`,
  );
  return row?.triggers ?? 0;
}

/**
 * A city that is not to read changes any more: gives back what the database keeps for it. Without it a slot keeps the
 * log, and the outbox its rows.
 * @throws CacheError whose cause is the database's error; also while a node of the city reads
 */
export async function forgetReader(session: ChangeSession, reader: string): Promise<void> {
  const slot = await slotName(session, reader);
  await session.query('select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1', [
    slot,
  ]);
  await session.query('delete from fleetflow_change_readers where reader = $1', [reader]);
  await endRecordingUnread(session);
}
