import { createHash } from 'node:crypto';

/** A column of a row as both sides digest it: `value` is what this side has of it. */
export interface DigestedColumn<T> {
  readonly column: string;
  readonly kind: 'text' | 'number' | 'flag' | 'time';
  value(row: T): string | number | boolean | Date | undefined;
}

/** Of 32: two rows of one vehicle share it once in 2^128. */
const DIGEST_BYTES = 16;

/**
 * Each column as bytes that do not depend on a locale, a session or how a number is printed. A column that is null has
 * none, and text, which cannot have a zero byte in PostgreSQL, ends with one: no two rows of a table are the same bytes
 * as long as at most one column can be null.
 */
const SQL_OF: Readonly<Record<DigestedColumn<unknown>['kind'], (column: string) => string>> = {
  text: (column) => `convert_to(${column}, 'UTF8') || '\\x00'::bytea`,
  number: (column) => `coalesce(float8send(${column}::float8), ''::bytea)`,
  flag: (column) => `boolsend(${column})`,
  time: (column) => `float8send((extract(epoch from ${column}) * 1000)::float8)`,
};

/** What PostgreSQL says of a row with these columns, as `rowDigest` says it. */
export function digestSql<T>(columns: readonly DigestedColumn<T>[]): string {
  const bytes = columns.map(({ column, kind }) => SQL_OF[kind](column)).join('\n        || ');
  return `encode(substr(sha256(${bytes}), 1, ${DIGEST_BYTES}), 'hex')`;
}

/** The digest of what is held of a row. Where that is not what the columns say it is, of some other row. */
export function rowDigest<T>(columns: readonly DigestedColumn<T>[], row: T): string {
  const hash = createHash('sha256');
  for (const { value } of columns) hash.update(bytesOf(value(row)));
  return hash.digest('hex').slice(0, 2 * DIGEST_BYTES);
}

function bytesOf(value: string | number | boolean | Date | undefined): Uint8Array {
  if (typeof value === 'string') return Buffer.from(`${value}\0`);
  if (typeof value === 'boolean') return Buffer.of(value ? 1 : 0);
  if (value === undefined) return Buffer.alloc(0);
  const number = Buffer.alloc(8);
  number.writeDoubleBE(value instanceof Date ? value.getTime() : value);
  return number;
}
