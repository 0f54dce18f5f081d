import type { LoadCall } from '../core/cache.js';
import { type Call, type CallOptions, deadlineError, remainingMs, waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';

/**
 * What is left of a call, for the next thing that is asked within it: at most `mostMs`.
 * @throws CacheError `deadline` when nothing is left
 */
export function restOf(clock: Clock, call: Call, name: string, mostMs = Number.POSITIVE_INFINITY): CallOptions {
  const leftMs = remainingMs(clock, call);
  if (leftMs <= 0) throw deadlineError(name);
  return { deadline: Math.min(leftMs, mostMs), ...(call.signal && { signal: call.signal }) };
}

/** What somebody outside is told of a call: a signal that also the deadline aborts. `end` gives the timer back. */
export interface OutsideCall extends LoadCall {
  end(): void;
}

export function outsideCall(clock: Clock, call: Call, name: string): OutsideCall {
  const stop = new AbortController();
  const leftMs = remainingMs(clock, call);
  const cancel = clock.schedule(Math.max(leftMs, 0), () => stop.abort(deadlineError(name)));
  const onAbort = () => stop.abort(call.signal?.reason);
  if (call.signal?.aborted === true) onAbort();
  else call.signal?.addEventListener('abort', onAbort, { once: true });
  return {
    signal: stop.signal,
    remainingMs: leftMs,
    end: () => {
      cancel();
      call.signal?.removeEventListener('abort', onAbort);
    },
  };
}

/**
 * Does nothing for `pauseMs`.
 * @throws CacheError `aborted`, or `deadline` when the call has less time left
 */
export async function pause(clock: Clock, call: Call, pauseMs: number, name: string): Promise<void> {
  let cancel = () => {};
  const over = new Promise<void>((resolve) => {
    cancel = clock.schedule(pauseMs, resolve);
  });
  try {
    await waitWithin(clock, call, name, over);
  } finally {
    cancel();
  }
}
