import { CacheError, type CacheErrorCode } from '../core/errors.js';

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

export function toProblem(error: Error): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (!(error instanceof CacheError)) return new HttpProblem(500, 'internal', 'the request could not be answered');
  return new HttpProblem(BAD_REQUEST.includes(error.code) ? 400 : 500, error.code, error.message);
}
