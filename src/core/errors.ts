/** What went wrong, as a word that a program can branch on. */
export type CacheErrorCode =
  | 'invalid-key'
  | 'invalid-value'
  | 'invalid-ttl'
  | 'invalid-tag'
  | 'invalid-pattern'
  | 'invalid-options'
  | 'invalid-config'
  | 'deadline'
  | 'aborted'
  | 'overloaded'
  | 'breaker-open'
  | 'load-failed'
  | 'level-failed'
  | 'unauthorized'
  | 'corrupt-entry'
  | 'address-in-use'
  | 'closed';

/**
 * Every error that the cache itself raises. The message says what was wrong, where, and what to do about it;
 * `field` names the argument or configuration field at fault, and `cause` keeps the error underneath.
 */
export class CacheError extends Error {
  readonly code: CacheErrorCode;
  readonly field: string | undefined;

  constructor(code: CacheErrorCode, message: string, details: { field?: string; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'CacheError';
    this.code = code;
    this.field = details.field;
  }
}

/** Any thrown thing as an Error, so that what follows can rely on a message. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
