/** How a breaker behaves. */
export interface BreakerProfile {
  /** Failures in a row that open it, of those that come before the wait is over. */
  readonly failures: number;
  /** How long it stays open the first time, in ms; doubles with every probe that fails. */
  readonly openMs: number;
  readonly openMaxMs: number;
}

/**
 * Five failures: a single refusal opens nothing, and errors that come fast cost little. (Silence costs a wait each time,
 * and opens it at once.) Half a second: a fail-over takes two, so a shard that came back is used again within a probe
 * or two.
 */
export const BREAKER_PROFILE: BreakerProfile = Object.freeze({ failures: 5, openMs: 500, openMaxMs: 4_000 });

/** Each state carries what only it needs. */
export type BreakerState =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly untilMs: number; readonly openMs: number }
  /** One call is on its way to find out; the others are still turned away. */
  | { readonly kind: 'half-open'; readonly openMs: number };

export const BREAKER_CLOSED: BreakerState = Object.freeze({ kind: 'closed', failures: 0 });

/** Whether a call may pass now, and the state from then on. */
export function admit(state: BreakerState, nowMs: number): { readonly pass: boolean; readonly state: BreakerState } {
  if (state.kind === 'closed') return { pass: true, state };
  if (state.kind === 'open' && nowMs >= state.untilMs) {
    return { pass: true, state: { kind: 'half-open', openMs: state.openMs } };
  }
  return { pass: false, state };
}

/** The state after a call that passed has ended well. */
export function afterSuccess(): BreakerState {
  return BREAKER_CLOSED;
}

/** The state after a call that passed has failed. Calls that were under way when it opened change nothing. */
export function afterFailure(state: BreakerState, nowMs: number, profile: BreakerProfile): BreakerState {
  switch (state.kind) {
    case 'closed': {
      const failures = state.failures + 1;
      return failures < profile.failures ? { kind: 'closed', failures } : opened(nowMs, profile.openMs);
    }
    case 'half-open':
    case 'open':
      return afterSilence(state, nowMs, profile);
  }
}

/**
 * The state after a wait that ended with nothing answered, to anybody, since it began: one is enough, because whoever asks
 * next would wait as long. The first answer, were it a late one, closes it (`afterSuccess`).
 */
export function afterSilence(state: BreakerState, nowMs: number, profile: BreakerProfile): BreakerState {
  switch (state.kind) {
    case 'closed':
      return opened(nowMs, profile.openMs);
    case 'half-open':
      return opened(nowMs, Math.min(state.openMs * 2, profile.openMaxMs));
    case 'open':
      return state;
  }
}

/** The state when the call that was to find out ended without telling anything (its caller gave up). */
export function afterNothing(state: BreakerState, nowMs: number): BreakerState {
  return state.kind === 'half-open' ? { kind: 'open', untilMs: nowMs, openMs: state.openMs } : state;
}

function opened(nowMs: number, openMs: number): BreakerState {
  return { kind: 'open', untilMs: nowMs + openMs, openMs };
}
