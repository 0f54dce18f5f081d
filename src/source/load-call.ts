import type { LoadCall } from '../core/cache.js';
import { abortedError, type Call, deadlineError, remainingMs } from '../core/call.js';
import type { Clock } from '../core/clock.js';

/** What a loader was told, as a call: how long it may take becomes an instant. */
export function callOf(clock: Clock, { remainingMs, signal }: LoadCall): Call {
  return { deadlineAtMs: clock.monotonicMs() + remainingMs, signal, reason: 'read' };
}

/**
 * Before work is begun that may not be wanted any more.
 * @throws CacheError `aborted` or `deadline` when nobody waits for it
 */
export function checkWaiting(clock: Clock, call: Call, name: string): void {
  if (call.signal?.aborted === true) throw abortedError(name, call.signal);
  if (remainingMs(clock, call) <= 0) throw deadlineError(name);
}
