import { describe, expect, it } from 'vitest';
import { hashKey } from '../core/key.js';
import { AdaptiveEviction } from './adaptive-eviction.js';

const SEED = 7;

/** Plays a trace of keys through a policy, as a cache of some weight would. */
function hitRatio(trace: Iterable<number>, most: number, weightOf: (key: number) => number = () => 1, seed = SEED) {
  const eviction = new AdaptiveEviction(seed, most);
  const slots = new Map<number, number>();
  const keys: number[] = [];
  const free: number[] = [];
  let weight = 0;
  let uses = 0;
  let hits = 0;
  for (const key of trace) {
    uses += 1;
    const known = slots.get(key);
    if (known !== undefined) {
      hits += 1;
      eviction.onHit(known);
      continue;
    }
    const hash = hashKey(String(key));
    if (weight + weightOf(key) > most && !eviction.admits(hash, weightOf(key))) continue;
    while (weight + weightOf(key) > most) {
      const victim = eviction.victim();
      const gone = keys[victim] as number;
      expect(slots.get(gone)).toBe(victim);
      weight -= weightOf(gone);
      slots.delete(gone);
      free.push(victim);
      eviction.onRemove(victim);
    }
    const slot = free.pop() ?? slots.size;
    keys[slot] = key;
    slots.set(key, slot);
    weight += weightOf(key);
    eviction.onInsert(slot, hash, weightOf(key));
  }
  return hits / uses;
}

function lruHitRatio(trace: Iterable<number>, most: number): number {
  const held = new Set<number>();
  let uses = 0;
  let hits = 0;
  for (const key of trace) {
    uses += 1;
    if (held.delete(key)) hits += 1;
    else if (held.size === most) held.delete(held.values().next().value as number);
    held.add(key);
  }
  return hits / uses;
}

const traceOf = (length: number, keyOf: (i: number) => number) => Array.from({ length }, (_, i) => keyOf(i));
const scattered = (i: number) => hashKey(`at ${i}`) / 2 ** 32;
/** Most of the uses go to few keys. */
const skewed = (i: number, keys: number) => Math.floor(keys * scattered(i) ** 4);

describe('AdaptiveEviction', () => {
  it('keeps a part of a loop that is larger than the cache, of which LRU keeps nothing', () => {
    const loop = traceOf(30_000, (i) => i % 1_000);
    expect(lruHitRatio(loop, 600)).toBe(0);
    expect(hitRatio(loop, 600)).toBeGreaterThan(0.4);
  });

  it('keeps the latest where only recency counts', () => {
    // Each key is asked for three times within a short while, and never again.
    const trace = traceOf(40_000, (i) => Math.floor(i / 300) * 100 + (i % 100));
    expect(hitRatio(trace, 400)).toBeGreaterThan(lruHitRatio(trace, 400) - 0.001);
  });

  it('follows from one of these workloads to the other', () => {
    const trace = traceOf(120_000, (i) =>
      Math.floor(i / 40_000) % 2 === 0 ? i % 1_000 : 10_000 + Math.floor(i / 300) * 100 + (i % 100),
    );
    expect(hitRatio(trace, 600)).toBeGreaterThan(lruHitRatio(trace, 600) + 0.15);
  });

  it('keeps what is asked for again and again through a scan of what is not', () => {
    const trace = traceOf(60_000, (i) => (i % 2 === 0 ? (i / 2) % 300 : 1_000 + i));
    expect(hitRatio(trace, 400)).toBeGreaterThan(0.49);
    expect(lruHitRatio(trace, 400)).toBeLessThan(0.01);
  });

  it('follows when other keys become the popular ones', () => {
    const trace = traceOf(80_000, (i) => Math.floor(i / 20_000) * 100_000 + skewed(i, 5_000));
    expect(hitRatio(trace, 500)).toBeGreaterThan(lruHitRatio(trace, 500) + 0.02);
  });

  it('finds the same with a sample of the keys as with all of them', () => {
    const loop = traceOf(100_000, (i) => i % 4_000);
    expect(hitRatio(loop, 2_400)).toBeGreaterThan(0.4);
  });

  it('weighs a large entry against all that it would displace', () => {
    const weightOf = (key: number) => (key >= 1_000 ? 200 : 1);
    // Of ten uses nine go to 900 small entries, one to large ones that come back, but later than any small one.
    const trace = traceOf(100_000, (i) => (i % 10 === 0 ? 1_000 + ((i / 10) % 400) : Math.floor(900 * scattered(i))));
    expect(hitRatio(trace, 1_500, weightOf)).toBeGreaterThan(0.85);
  });

  it('keeps a heavy entry that is worth all those whom it displaces', () => {
    const weightOf = (key: number) => (key === 1_000 ? 200 : 1);
    // Every other use is of the heavy one; the light ones fill all the room, and more, if they may.
    const trace = traceOf(100_000, (i) => (i % 2 === 0 ? 1_000 : Math.floor(900 * scattered(i))));
    expect(hitRatio(trace, 700, weightOf)).toBeGreaterThan(0.7);
  });

  it('decides the same for the same seed, and not quite the same for another', () => {
    const trace = traceOf(10_000, (i) => skewed(i, 5_000));
    expect(hitRatio(trace, 300)).toBe(hitRatio(trace, 300));
    expect(hitRatio(trace, 300, undefined, 1)).not.toBe(hitRatio(trace, 300, undefined, 2));
  });

  it('has no victim without entries, and any one else its last', () => {
    const eviction = new AdaptiveEviction(SEED, 10);
    expect(eviction.victim()).toBe(-1);
    eviction.onInsert(4_321, 1, 1);
    expect(eviction.victim()).toBe(4_321);
    eviction.onRemove(4_321);
    expect(eviction.victim()).toBe(-1);
    for (let slot = 0; slot < 100; slot++) eviction.onInsert(slot, slot, 1);
    eviction.clear();
    expect(eviction.victim()).toBe(-1);
  });
});
