import type { CustomTypesConfig } from 'pg';
import { CacheError } from '../core/errors.js';

const BOOL = 16;
const INT4 = 23;
const FLOAT8 = 701;
const TIMESTAMPTZ = 1184;

/**
 * How values come out of PostgreSQL. Not the registry of `pg`, which belongs to the whole process: an application that
 * turns numeric into numbers there, as many do, would round our ids.
 */
export const POSTGRES_TYPES: CustomTypesConfig = {
  getTypeParser(oid: number) {
    switch (oid) {
      case BOOL:
        return isTrue;
      case INT4:
      case FLOAT8:
        return Number;
      case TIMESTAMPTZ:
        return timestampToDate;
      default:
        return asText;
    }
  },
};

/** The first and the last instant whose year has four digits, as both sides write it. */
const EARLIEST_MS = Date.parse('0001-01-01T00:00:00.000Z');
const LATEST_MS = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * The form in which a time goes to PostgreSQL.
 * @throws CacheError `invalid-value` for a Date that is no time, or of no year from 1 to 9999
 */
export function dateToTimestamp(date: Date): string {
  const ms = date.getTime();
  if (!(ms >= EARLIEST_MS && ms <= LATEST_MS)) {
    throw new CacheError('invalid-value', `${ms} ms since the epoch cannot be stored: give a time of year 1 to 9999`);
  }
  return date.toISOString();
}

/** `2026-11-05 10:20:30.123+00`, as a session in UTC writes it. */
function timestampToDate(text: string): Date {
  return new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`);
}

function isTrue(text: string): boolean {
  return text === 't';
}

function asText(text: string): string {
  return text;
}
