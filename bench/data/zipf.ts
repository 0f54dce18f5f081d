import { seededChance } from '../../src/node/demo/seeded-random.js';
import { shuffled } from './shuffle.js';

/**
 * `length` numbers below `count`, the one of rank r as likely as 1/r^alpha says, exactly (by the table of sums). Which
 * number has which rank is shuffled, so that what is asked for most does not lie together.
 */
export function zipfOrder(count: number, length: number, seed: number, alpha = 1): Uint32Array {
  const chance = seededChance(seed);
  const sums = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += 1 / (rank + 1) ** alpha;
    sums[rank] = sum;
  }
  const numbers = shuffled(
    Array.from({ length: count }, (_, i) => i),
    () => chance.next(),
  );
  const order = new Uint32Array(length);
  for (let i = 0; i < length; i++) order[i] = numbers[rankAt(sums, chance.next() * sum)] as number;
  return order;
}

/** The first rank whose sum is above `at`. */
function rankAt(sums: Float64Array, at: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] as number) > at) high = middle;
    else low = middle + 1;
  }
  return low;
}
