import { seededChance } from '../../src/node/demo/seeded-random.js';
import { zipfOrder } from '../data/zipf.js';

/** What a cache is asked for, in order: numbers from 0 on, each standing for a key. */
export interface Workload {
  readonly name: string;
  readonly uses: Uint32Array;
  readonly keys: number;
  /** Cache sizes to play it with, in entries. */
  readonly sizes: readonly number[];
}

/** Workloads that everybody can make: each is hard for some policy that is good at another. */
export function generatedWorkloads(quick: boolean, seed: number): readonly Workload[] {
  const keys = quick ? 4_000 : 20_000;
  const length = keys * 20;
  const sizes = [keys / 20, keys / 4];
  const popular = zipfOrder(keys, length, seed);
  return [
    { name: 'zipf', uses: popular, keys, sizes },
    { name: 'scan', uses: withScans(popular, keys), keys: keys * 2, sizes },
    { name: 'loop', uses: Uint32Array.from({ length }, (_, i) => i % (keys / 2)), keys: keys / 2, sizes },
    { name: 'shifting', uses: shifting(popular, keys), keys, sizes },
    { name: 'recent', uses: recent(length, keys, seed), keys, sizes },
  ];
}

/** After each part of the popular ones, everything that is not popular once. */
function withScans(popular: Uint32Array, keys: number): Uint32Array {
  const uses: number[] = [];
  for (let from = 0; from < popular.length; from += keys * 4) {
    for (const key of popular.subarray(from, from + keys * 4)) uses.push(key);
    for (let key = keys; key < 2 * keys; key++) uses.push(key);
  }
  return Uint32Array.from(uses);
}

/** Every so often other keys are the popular ones. */
function shifting(popular: Uint32Array, keys: number): Uint32Array {
  const part = keys * 4;
  return popular.map((key, i) => (key + Math.floor(i / part) * (keys / 5)) % keys);
}

/** As of vehicles that set out, are looked at for a while, and arrive: what was asked for lately is asked for again. */
function recent(length: number, keys: number, seed: number): Uint32Array {
  const chance = seededChance(seed);
  const near = keys / 25;
  return Uint32Array.from({ length }, (_, i) => {
    const back = Math.floor(near * chance.next() ** 2);
    return (Math.floor((i * keys) / length) + near - back) % keys;
  });
}
