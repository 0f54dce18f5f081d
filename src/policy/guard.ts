import { type Call, remainingMs, sliceCall, waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { Outcome, WriteOutcome } from '../core/outcome.js';
import type { Tier, Write } from '../core/tier.js';

/** How long a read and a write may take of what is left of their call. */
interface Slices {
  readonly readMs: number;
  readonly writeMs: number;
}

/**
 * A tier whose calls last no longer than their slice of the deadline, and never reject. For one that bounds all its waits
 * by its calls, as Redis does shard by shard: another timer around each of them would cost as much as the rest of a read.
 */
export function sliceTier(tier: Tier, slices: Slices, clock: Clock): Tier {
  const sliced: Tier = {
    level: tier.level,
    read: (keys, call, serves, held) =>
      tier.read(keys, sliceCall(clock, call, slices.readMs), serves, held).catch((thrown) => failedEach(keys, thrown)),
    write: (writes, call) =>
      tier.write(writes, sliceCall(clock, call, slices.writeMs)).catch((thrown) => failedEach(writes, thrown)),
    close: () => tier.close(),
  };
  const ask = tier.ask?.bind(tier);
  if (ask === undefined) return sliced;
  return {
    ...sliced,
    ask(keys, call, held, taker): void {
      try {
        ask(keys, sliceCall(clock, call, slices.readMs), held, taker);
      } catch (thrown) {
        for (const [at, failed] of failedEach(keys, thrown).entries()) taker.take(failed, at);
      }
    },
  };
}

/**
 * A tier that keeps its promises to the ladder whatever it does inside: it answers within its slice of the deadline,
 * it never rejects, and one answer comes for every key.
 */
export function guardTier(tier: Tier, slices: Slices, clock: Clock): Tier {
  return {
    level: tier.level,
    async read(keys, call, serves, held): Promise<readonly Outcome[]> {
      if (remainingMs(clock, call) <= 0) return keys.map(() => ({ kind: 'skipped', why: 'no-time' }));
      try {
        return checked(keys, await within(call, slices.readMs, (sliced) => tier.read(keys, sliced, serves, held)));
      } catch (thrown) {
        return failedEach(keys, thrown);
      }
    },
    async write(writes: readonly Write[], call): Promise<readonly WriteOutcome[]> {
      if (remainingMs(clock, call) <= 0) return writes.map(() => ({ kind: 'skipped', why: 'no-time' }));
      try {
        return checked(writes, await within(call, slices.writeMs, (sliced) => tier.write(writes, sliced)));
      } catch (thrown) {
        return failedEach(writes, thrown);
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

/** What fails inside a tier is an answer of that tier, and no error of who asked. */
function failedEach(asked: readonly unknown[], thrown: unknown): { readonly kind: 'failed'; readonly error: Error }[] {
  const error = toError(thrown);
  return asked.map(() => ({ kind: 'failed', error }));
}
