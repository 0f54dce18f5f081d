/**
 * What a logical replication connection carries: frames, and in them the messages of PostgreSQL's `pgoutput` plugin in
 * version 1 of its protocol (PostgreSQL documentation, "Streaming Replication Protocol" and "Logical Replication
 * Message Formats"). Version 1 sends a transaction when it has committed, whole, in order of the commits.
 */
import { CacheError } from '../core/errors.js';
import {
  CHANGED_TABLES,
  type ChangedRow,
  type ChangedTable,
  isTrue,
  type RowChange,
  toChangedLocation,
} from './change-records.js';

/** A place in the database's log, in bytes since its beginning. */
export type LogPosition = bigint;

export type Frame =
  | { readonly kind: 'data'; readonly message: Buffer }
  /** The server has sent everything up to `sent`. */
  | { readonly kind: 'keepalive'; readonly sent: LogPosition; readonly wantsReply: boolean };

export type LogMessage =
  | { readonly kind: 'begin' }
  | { readonly kind: 'changes'; readonly changes: readonly RowChange[] }
  /** `end`: what is to be acknowledged for this transaction. */
  | { readonly kind: 'commit'; readonly end: LogPosition }
  | { readonly kind: 'other' };

const DATA_HEADER_BYTES = 25;
const STATUS_BYTES = 34;
/** 2000-01-01, from which PostgreSQL counts its microseconds. */
const EPOCH_MS = Date.UTC(2000, 0, 1);

/** @throws CacheError `level-failed` for what is no frame */
export function readFrame(chunk: Buffer): Frame {
  const kind = String.fromCharCode(chunk[0] ?? 0);
  if (kind === 'w') return { kind: 'data', message: chunk.subarray(DATA_HEADER_BYTES) };
  if (kind === 'k') return { kind: 'keepalive', sent: chunk.readBigUInt64BE(1), wantsReply: chunk[17] === 1 };
  throw new CacheError('level-failed', `the replication connection carried a frame of kind ${JSON.stringify(kind)}`);
}

/** Tells the server up to where it may forget. */
export function makeStatus(done: LogPosition, wallMs: number, wantsReply: boolean): Buffer {
  const status = Buffer.alloc(STATUS_BYTES);
  status.write('r');
  for (const at of [1, 9, 17]) status.writeBigUInt64BE(done, at);
  status.writeBigInt64BE(BigInt(Math.floor((wallMs - EPOCH_MS) * 1_000)), 25);
  status.writeUInt8(wantsReply ? 1 : 0, 33);
  return status;
}

interface Relation {
  /** Undefined for a table that is none of ours. */
  readonly table: ChangedTable | undefined;
  readonly columns: readonly string[];
}

/** A row as it comes: undefined for what was not sent. */
type Columns = ReadonlyMap<string, string | null | undefined>;

/** Reads messages, in the order in which they come: tables are described once, before their first row. */
export class LogReader {
  readonly #relations = new Map<number, Relation>();

  /** @throws CacheError `level-failed` for a message that does not fit the protocol */
  read(message: Buffer): LogMessage {
    const fields = new Fields(message);
    const kind = fields.char();
    switch (kind) {
      case 'B':
        return { kind: 'begin' };
      case 'C':
        fields.skip(1 + 8);
        return { kind: 'commit', end: fields.int64() };
      case 'R':
        this.#learn(fields);
        return { kind: 'other' };
      case 'I':
      case 'U':
      case 'D':
        return { kind: 'changes', changes: this.#rowChange(fields) };
      case 'T':
        return { kind: 'changes', changes: this.#truncation(fields) };
      default:
        return { kind: 'other' };
    }
  }

  #learn(fields: Fields): void {
    const id = fields.int32();
    fields.text();
    const name = fields.text();
    fields.skip(1);
    const columns: string[] = [];
    for (let left = fields.int16(); left > 0; left--) {
      fields.skip(1);
      columns.push(fields.text());
      fields.skip(4 + 4);
    }
    this.#relations.set(id, { table: isChangedTable(name) ? name : undefined, columns });
  }

  #rowChange(fields: Fields): RowChange[] {
    const relation = this.#relation(fields.int32());
    let before: Columns | undefined;
    let after: Columns | undefined;
    while (fields.more) {
      // N: the new row. O, K: the old one, whole or its key.
      const part = fields.char();
      const columns = readColumns(fields, relation.columns);
      if (part === 'N') after = columns;
      else before = columns;
    }
    const { table } = relation;
    if (table === undefined) return [];
    const rows = { before: before && toRow(table, before), after: after && toRow(table, after) };
    // Somebody has made the old row be sent as its key alone: it may have been of any vehicle.
    const isWhole = [rows.before, rows.after].every((row) => row?.vehicleId !== '');
    return [isWhole ? { table, ...rows } : { table, before: undefined, after: undefined }];
  }

  #truncation(fields: Fields): RowChange[] {
    const count = fields.int32();
    fields.skip(1);
    const tables = Array.from({ length: count }, () => this.#relation(fields.int32()).table);
    return tables.flatMap((table) => (table === undefined ? [] : [{ table, before: undefined, after: undefined }]));
  }

  #relation(id: number): Relation {
    const relation = this.#relations.get(id);
    if (relation !== undefined) return relation;
    throw new CacheError('level-failed', `the database sent a row of table ${id} before it described the table`);
  }
}

function readColumns(fields: Fields, names: readonly string[]): Columns {
  const columns = new Map<string, string | null | undefined>();
  const count = fields.int16();
  for (let i = 0; i < count; i++) {
    const kind = fields.char();
    // t: text. n: null. u: a large value that was not changed, and is not sent.
    const value = kind === 't' ? fields.sized() : kind === 'n' ? null : undefined;
    columns.set(names[i] ?? '', value);
  }
  return columns;
}

function toRow(table: ChangedTable, columns: Columns): ChangedRow {
  const vehicleId = columns.get(CHANGED_TABLES[table].vehicle) ?? '';
  if (table === 'vehicles') return { vehicleId, active: isTrue(columns.get('active')) };
  if (table !== 'vehicle_locations') return { vehicleId };
  const location = toChangedLocation(vehicleId, (column) => columns.get(column));
  return location === undefined ? { vehicleId } : { vehicleId, location };
}

function isChangedTable(name: string): name is ChangedTable {
  return Object.hasOwn(CHANGED_TABLES, name);
}

/** The fields of a message, one after the other. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  char(): string {
    return String.fromCharCode(this.#bytes.readUInt8(this.#take(1)));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  int64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#take(8));
  }

  /** Up to the next zero byte. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  sized(): string {
    const length = this.int32();
    const at = this.#take(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  #take(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }
}
