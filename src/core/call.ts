import type { Cancel, Clock } from './clock.js';
import { type Duration, positiveDurationMs } from './duration.js';
import { CacheError, toError } from './errors.js';

/**
 * Why a level is asked; how patient that makes who asks is decided where the level is guarded. `lease`: to learn whether
 * somebody else loads what this call is about to load, or has loaded it.
 */
export type CallReason = 'read' | 'lease' | 'write' | 'refresh' | 'warm-up' | 'probe';

/** What travels with every request down the ladder. */
export interface Call {
  /** Monotonic instant after which nobody waits any more. */
  readonly deadlineAtMs: number;
  /** Given up by the caller. */
  readonly signal: AbortSignal | undefined;
  readonly reason: CallReason;
}

/** What a caller may say about one operation. */
export interface CallOptions {
  /** How long to wait at most. */
  readonly deadline?: Duration;
  readonly signal?: AbortSignal;
}

/** @throws CacheError `invalid-ttl` for a deadline that is not a positive duration; `aborted` */
export function checkCall(options: CallOptions | undefined): void {
  if (options?.deadline !== undefined) positiveDurationMs(options.deadline, 'deadline');
  if (options?.signal?.aborted === true) throw abortedError('the cache', options.signal);
}

/** @throws CacheError `invalid-ttl` for a deadline that is not a positive duration. */
export function startCall(clock: Clock, options: CallOptions | undefined, defaultMs: number, reason: CallReason): Call {
  const waitMs = options?.deadline === undefined ? defaultMs : positiveDurationMs(options.deadline, 'deadline');
  return { deadlineAtMs: clock.monotonicMs() + waitMs, signal: options?.signal, reason };
}

/** The same call with a nearer deadline: at most `sliceMs` from now. */
export function sliceCall(clock: Clock, call: Call, sliceMs: number): Call {
  const deadlineAtMs = Math.min(call.deadlineAtMs, clock.monotonicMs() + sliceMs);
  return deadlineAtMs === call.deadlineAtMs ? call : { ...call, deadlineAtMs };
}

export function remainingMs(clock: Clock, call: Call): number {
  return call.deadlineAtMs - clock.monotonicMs();
}

/** Longest that a wait goes on because its end was noticed late. */
const LATE_MAX_MS = 20;

/**
 * Waits for `work` no longer than the call allows. The work itself is not stopped: what it does afterwards is nobody's
 * wait any more, and its late rejection is swallowed.
 *
 * The end of the wait gets a second look, because timers run before sockets are read: after a pause of this process the
 * answer may lie there unread, or the question not have been sent. What the timer was late is given back, up to 20 ms.
 * @param name what is waited for, as it appears in the error
 * @param moreMs asked when the time is over: how much longer to wait, 0 or less for no longer
 * @throws CacheError `deadline` or `aborted`
 */
export function waitWithin<T>(
  clock: Clock,
  call: Call,
  name: string,
  work: Promise<T>,
  moreMs: () => number = noMore,
): Promise<T> {
  const leftMs = remainingMs(clock, call);
  const signal = call.signal;
  if (leftMs <= 0 || signal?.aborted === true) {
    work.catch(ignore);
    return Promise.reject(signal?.aborted === true ? abortedError(name, signal) : deadlineError(name));
  }
  return new Promise<T>((resolve, reject) => {
    const wait = new Wait(clock, call, name, moreMs, reject);
    work.then(
      (value) => {
        wait.settle();
        resolve(value);
      },
      (thrown: unknown) => {
        wait.settle();
        reject(toError(thrown));
      },
    );
  });
}

/** The end of one wait, for when the work does not end it. Every read of a level makes one: it is kept small. */
class Wait {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #name: string;
  readonly #moreMs: () => number;
  readonly #reject: (error: Error) => void;
  #dueAtMs: number;
  #lookedAgain = false;
  #cancel: Cancel;

  constructor(
    clock: Clock,
    { deadlineAtMs, signal }: Call,
    name: string,
    moreMs: () => number,
    reject: (error: Error) => void,
  ) {
    this.#clock = clock;
    this.#signal = signal;
    this.#name = name;
    this.#moreMs = moreMs;
    this.#reject = reject;
    this.#dueAtMs = deadlineAtMs;
    this.#cancel = clock.schedule(deadlineAtMs - clock.monotonicMs(), this.#onDue);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  settle(): void {
    this.#cancel();
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => {
    this.settle();
    this.#reject(abortedError(this.#name, this.#signal));
  };

  readonly #onDue = (): void => {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#lookedAgain) {
      this.#lookedAgain = true;
      this.#again(Math.min(Math.max(0, nowMs - this.#dueAtMs), LATE_MAX_MS));
      return;
    }
    const longerMs = this.#moreMs();
    if (longerMs > 0) {
      this.#lookedAgain = false;
      this.#dueAtMs = nowMs + longerMs;
      this.#again(longerMs);
      return;
    }
    this.settle();
    this.#reject(deadlineError(this.#name));
  };

  #again(ms: number): void {
    this.#cancel = this.#clock.schedule(ms, this.#onDue);
  }
}

export function deadlineError(name: string): CacheError {
  return new CacheError('deadline', `${name} did not answer before the deadline of the call`);
}

export function abortedError(name: string, signal: AbortSignal | undefined): CacheError {
  return new CacheError('aborted', `the caller gave up while waiting for ${name}`, { cause: signal?.reason });
}

function ignore(): void {}

function noMore(): number {
  return 0;
}
