import { seededChance } from '../../src/node/demo/seeded-random.js';
import { shuffled } from '../data/shuffle.js';
import type { Bench } from '../section.js';

/** Somebody who is measured beside others. */
export interface Contender {
  readonly subject: string;
  /** One measurement, in the unit of the comparison. */
  run(): Promise<number>;
}

export interface RoundOptions {
  readonly rounds: number;
  /** Runs of each before those that count. */
  readonly warmUps: number;
}

/** What each measured, round by round. */
export type Measured = ReadonlyMap<string, readonly number[]>;

/**
 * Lets everybody run once per round, one after the other, in an order shuffled anew for each round: whatever changes
 * about the machine in the meantime meets them all.
 */
export async function playRounds(
  bench: Pick<Bench, 'seed' | 'signal'>,
  contenders: readonly Contender[],
  { rounds, warmUps }: RoundOptions,
): Promise<Measured> {
  const chance = seededChance(bench.seed);
  const measured = new Map<string, number[]>(contenders.map(({ subject }) => [subject, []]));
  for (let round = -warmUps; round < rounds; round++) {
    for (const { subject, run } of shuffled(contenders, () => chance.next())) {
      bench.signal.throwIfAborted();
      const value = await run();
      if (!(value > 0 && Number.isFinite(value))) throw new Error(`${subject}: a measurement of ${value}`);
      if (round >= 0) measured.get(subject)?.push(value);
    }
  }
  return measured;
}
