import { CacheError } from '../core/errors.js';

/** What is read out of JSON that another node sent: checked field by field. */

/** @throws CacheError `level-failed` */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(`${what} is not JSON`, cause);
  }
}

/** @throws CacheError `level-failed` unless `value` is an object */
export function fieldsOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw malformed(`${what} is not an object`);
  return value as Readonly<Record<string, unknown>>;
}

/** Which version a message says it has; what is no number is not repeated, nor made a text of. */
export function versionOf(version: unknown): string {
  return typeof version === 'number' ? `version ${version}` : 'no version that is a number';
}

export function malformed(why: string, cause?: unknown): CacheError {
  return new CacheError('level-failed', `what a node said cannot be read: ${why}`, { cause });
}
