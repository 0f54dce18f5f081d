import { CacheError } from './errors.js';
import type { Answer } from './ladder.js';
import type { Loader } from './loader.js';
import { isRefusal } from './standard-schema.js';

/** Most failures that are remembered; beyond it the oldest are forgotten, and their keys may be loaded again. */
const FAILURES_MAX = 10_000;

/**
 * Keys whose load failed a moment ago. Until the moment has passed the failure is the answer, so that a dead source sees
 * one call and not fifty.
 */
export class LoadFailures {
  readonly #rememberMs: number;
  readonly #failures = new Map<string, { readonly error: Error; readonly untilMs: number }>();

  constructor(rememberMs: number) {
    this.#rememberMs = rememberMs;
  }

  recent(key: string, nowMs: number): Error | undefined {
    const failure = this.#failures.get(key);
    if (failure === undefined) return undefined;
    if (nowMs < failure.untilMs) return failure.error;
    this.#failures.delete(key);
    return undefined;
  }

  remember(key: string, error: Error, nowMs: number): void {
    this.#failures.delete(key);
    this.#failures.set(key, { error, untilMs: nowMs + this.#rememberMs });
    if (this.#failures.size > FAILURES_MAX) {
      const oldest = this.#failures.keys().next();
      if (oldest.done === false) this.#failures.delete(oldest.value);
    }
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }
}

/** @throws CacheError `load-failed` when the source was asked, failed, and nothing could stand in for it */
export function throwIfLoadFailed(answer: Answer, loader?: Loader): void {
  const failed = answer.entry === undefined ? answer.errors.at(-1) : undefined;
  if (failed?.level !== 'source' || loader?.leavesOut?.(failed.error) === true) return;
  const { message } = failed.error;
  throw new CacheError('load-failed', isRefusal(failed.error) ? message : `the source could not be asked: ${message}`, {
    cause: failed.error,
  });
}
