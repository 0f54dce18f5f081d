import type { Call } from './call.js';
import { MISS, type Outcome, type WriteOutcome } from './outcome.js';
import type { Tier, Write } from './tier.js';

/** What the nearest tier that answers says of each key. */
export async function readNearest(
  tiers: readonly Tier[],
  keys: readonly string[],
  call: Call,
): Promise<readonly Outcome[]> {
  const answers: Outcome[] = keys.map(() => MISS);
  let open = keys.map((_, at) => at);
  for (const [nth, tier] of tiers.entries()) {
    if (open.length === 0) break;
    const outcomes = await tier.read(
      open.map((at) => keys[at] as string),
      call,
    );
    open.forEach((at, i) => {
      const outcome = outcomes[i] as Outcome;
      answers[at] =
        outcome.kind === 'found'
          ? { ...outcome, level: tier.level, unsure: nth > 0 || outcome.unsure === true }
          : outcome;
    });
    open = open.filter((at) => !isAnswer(answers[at]));
  }
  return answers;
}

/** Gives each entry to the nearest tier that answers. */
export async function writeNearest(tiers: readonly Tier[], writes: readonly Write[], call: Call): Promise<void> {
  let open = writes;
  for (const tier of tiers) {
    if (open.length === 0) return;
    const outcomes = await tier.write(open, call);
    open = open.filter((_, i) => !isAnswer(outcomes[i]));
  }
}

function isAnswer(outcome: Outcome | WriteOutcome | undefined): boolean {
  return outcome?.kind !== 'failed' && outcome?.kind !== 'skipped';
}
