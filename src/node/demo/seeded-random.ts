import type { Chance } from '../../core/chance.js';

/**
 * Reproducible randomness: mulberry32 (Tommy Ettinger, 2017, public domain). 32 bits of state are plenty to shape a
 * demo by, and nothing here is a secret.
 */
export function seededChance(seed: number): Chance {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}

/** The index of one of `weights`, each as likely as its share of their sum. */
export function pickWeighted(weights: readonly number[], chance: Chance): number {
  const sum = weights.reduce((a, b) => a + b, 0);
  let rest = chance.next() * sum;
  for (const [index, weight] of weights.entries()) {
    rest -= weight;
    if (rest < 0) return index;
  }
  return weights.length - 1;
}

/**
 * A rank below `count`, 0 the likeliest, by Zipf's law with `alpha` other than 1: the inverse of the continuous
 * distribution, which is off by a little at the first few ranks and costs one power instead of a table.
 */
export function pickZipf(count: number, alpha: number, chance: Chance): number {
  const power = 1 - alpha;
  const x = (chance.next() * ((count + 1) ** power - 1) + 1) ** (1 / power);
  return Math.min(count - 1, Math.floor(x) - 1);
}

/** A duration or distance with this mean, exponentially distributed: long ones are rare, and have no end. */
export function pickExponential(mean: number, chance: Chance): number {
  return -mean * Math.log(1 - chance.next());
}
