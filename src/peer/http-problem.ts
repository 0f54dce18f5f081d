import { CacheError, type CacheErrorCode } from '../core/errors.js';
import { DriftError } from './drift.js';

/** What is wrong with a request, or why it cannot be answered, as the status that HTTP has for it. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly code: string;
  /** To go with the answer. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    details: { headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'HttpProblem';
    this.status = status;
    this.code = code;
    this.headers = details.headers ?? {};
  }
}

/** Codes that say that the one who asks is wrong, and not we. */
const BAD_REQUEST: readonly CacheErrorCode[] = [
  'invalid-key',
  'invalid-value',
  'invalid-ttl',
  'invalid-tag',
  'invalid-pattern',
  'invalid-options',
  'level-failed',
  'corrupt-entry',
];

/** Codes that say that the time is wrong, and nobody. */
const NOT_NOW: readonly CacheErrorCode[] = ['overloaded', 'closed', 'deadline', 'aborted', 'breaker-open'];

export function toProblem(error: Error): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof DriftError) return new HttpProblem(403, 'clock-drift', error.message);
  if (!(error instanceof CacheError)) return new HttpProblem(500, 'internal', 'the request could not be answered');
  // What a message between nodes says wrong has no code of its own.
  const code = error.code === 'level-failed' ? 'malformed' : error.code;
  if (BAD_REQUEST.includes(error.code)) return new HttpProblem(400, code, error.message);
  if (!NOT_NOW.includes(error.code)) return new HttpProblem(500, code, error.message);
  return new HttpProblem(503, code, error.message, { headers: { 'retry-after': '1' } });
}
