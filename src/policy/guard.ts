import { type Call, remainingMs, sliceCall, waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { Outcome, WriteOutcome } from '../core/outcome.js';
import type { Tier, Write } from '../core/tier.js';
import {
  admit,
  afterFailure,
  afterNothing,
  afterSuccess,
  BREAKER_CLOSED,
  type BreakerProfile,
  type BreakerState,
} from './breaker.js';

/** Breakers for the parts of one level (its shards, its peers), made as they are met. */
export class GuardSet {
  readonly #clock: Clock;
  readonly #profile: BreakerProfile;
  readonly #onChange: (part: string, out: boolean, error: Error | undefined) => void;
  readonly #states = new Map<string, BreakerState>();
  readonly #out = new Set<string>();

  /** @param onChange told when a part goes out (with the error that did it) and when it is back */
  constructor(
    clock: Clock,
    profile: BreakerProfile,
    onChange: (part: string, out: boolean, error: Error | undefined) => void,
  ) {
    this.#clock = clock;
    this.#profile = profile;
    this.#onChange = onChange;
  }

  /** The parts that are out now. */
  get out(): ReadonlySet<string> {
    return this.#out;
  }

  /** The part is gone for good: a shard that was removed, a peer that left. */
  forget(part: string): void {
    this.#states.delete(part);
    if (this.#out.delete(part)) this.#onChange(part, false, undefined);
  }

  /** @throws CacheError `breaker-open` without asking the part; else what the work throws */
  async run<T>(part: string, work: () => Promise<T>): Promise<T> {
    const { pass, state } = admit(this.#states.get(part) ?? BREAKER_CLOSED, this.#clock.monotonicMs());
    this.#states.set(part, state);
    if (!pass) {
      throw new CacheError('breaker-open', `${part} is not asked for a moment: it has failed several times in a row`);
    }
    try {
      const result = await work();
      this.#become(part, afterSuccess(), undefined);
      return result;
    } catch (thrown) {
      const error = toError(thrown);
      const now = this.#states.get(part) ?? BREAKER_CLOSED;
      const nowMs = this.#clock.monotonicMs();
      const next = isFault(error) ? afterFailure(now, nowMs, this.#profile) : afterNothing(now, nowMs);
      // A call from before it opened says nothing that its opening did not, and must not end the probe of another.
      const isOverdue = now.kind === 'half-open' && state.kind !== 'half-open';
      if (!isOverdue) this.#become(part, next, error);
      throw error;
    }
  }

  #become(part: string, state: BreakerState, error: Error | undefined): void {
    this.#states.set(part, state);
    const isOut = state.kind !== 'closed';
    if (isOut === this.#out.has(part)) return;
    if (isOut) this.#out.add(part);
    else this.#out.delete(part);
    this.#onChange(part, isOut, error);
  }
}

/** Whether an error says something about the part that was asked, and not about who asked or what. */
function isFault(error: Error): boolean {
  if (!(error instanceof CacheError)) return true;
  return error.code !== 'aborted' && error.code !== 'overloaded' && error.code !== 'corrupt-entry';
}

/**
 * A tier that keeps its promises to the ladder whatever it does inside: it answers within its slice of the deadline,
 * it never rejects, and one answer comes for every key.
 */
export function guardTier(
  tier: Tier,
  slices: { readonly readMs: number; readonly writeMs: number },
  clock: Clock,
): Tier {
  return {
    level: tier.level,
    async read(keys, call, serves, held): Promise<readonly Outcome[]> {
      if (remainingMs(clock, call) <= 0) return keys.map(() => ({ kind: 'skipped', why: 'no-time' }));
      try {
        return checked(keys, await within(call, slices.readMs, (sliced) => tier.read(keys, sliced, serves, held)));
      } catch (thrown) {
        const error = toError(thrown);
        return keys.map(() => ({ kind: 'failed', error }));
      }
    },
    async write(writes: readonly Write[], call): Promise<readonly WriteOutcome[]> {
      if (remainingMs(clock, call) <= 0) return writes.map(() => ({ kind: 'skipped', why: 'no-time' }));
      try {
        return checked(writes, await within(call, slices.writeMs, (sliced) => tier.write(writes, sliced)));
      } catch (thrown) {
        const error = toError(thrown);
        return writes.map(() => ({ kind: 'failed', error }));
      }
    },
    close: () => tier.close(),
  };

  function within<T>(call: Call, sliceMs: number, ask: (sliced: Call) => Promise<T>): Promise<T> {
    const sliced = sliceCall(clock, call, sliceMs);
    return waitWithin(clock, sliced, `the ${tier.level} level`, ask(sliced));
  }

  function checked<T>(asked: readonly unknown[], answers: readonly T[]): readonly T[] {
    if (answers.length === asked.length) return answers;
    throw new CacheError('level-failed', `the ${tier.level} level gave ${answers.length} answers to ${asked.length}`);
  }
}
