import type { LoadCall } from '../core/cache.js';
import type { Call } from '../core/call.js';
import type { Clock } from '../core/clock.js';

/** What a loader was told, as a call: how long it may take becomes an instant. */
export function callOf(clock: Clock, { remainingMs, signal }: LoadCall): Call {
  return { deadlineAtMs: clock.monotonicMs() + remainingMs, signal, reason: 'read' };
}
