import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashKey } from '../core/key.js';
import { type Tuning, WindowTinyLfu } from './window-tiny-lfu.js';

const SEED = 7;

const step = fc.record({
  do: fc.constantFrom('insert', 'insert', 'hit', 'hit', 'favor', 'resize', 'remove', 'evict'),
  at: fc.nat(200),
  weight: fc.integer({ min: 1, max: 20 }),
});
const tuning: fc.Arbitrary<Tuning> = fc.record({
  window: fc.constantFrom(0.01, 0.2, 0.5, 1),
  welcome: fc.constantFrom(0, 3, 15),
  welcomeShare: fc.constantFrom(0.1, 1),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** A policy, and what it has to know of its slots. */
class Tried {
  readonly policy: WindowTinyLfu;
  readonly weights = new Map<number, number>();

  constructor(tuning: Tuning) {
    this.policy = new WindowTinyLfu(tuning, SEED, 4);
  }

  take({ do: verb, at, weight }: Step): void {
    if (verb === 'insert') this.#insert(at, weight);
    else if (verb === 'evict') this.evict();
    else {
      const slot = [...this.weights.keys()][at % this.weights.size];
      if (slot !== undefined) this.#use(verb, slot, weight);
    }
    expect(this.policy.entries).toBe(this.weights.size);
    expect(this.policy.weight).toBe([...this.weights.values()].reduce((sum, one) => sum + one, 0));
  }

  evict(): void {
    const victim = this.policy.victim();
    if (this.weights.size === 0) expect(victim).toBe(-1);
    else this.#use('remove', victim, 0);
  }

  #insert(slot: number, weight: number): void {
    if (this.weights.has(slot)) return;
    this.policy.onInsert(slot, hashKey(`key:${weight}`), weight);
    this.weights.set(slot, weight);
  }

  #use(verb: string, slot: number, weight: number): void {
    expect(this.weights.has(slot)).toBe(true);
    if (verb === 'hit') this.policy.onHit(slot);
    else if (verb === 'favor') this.policy.favor(slot);
    else if (verb === 'resize') {
      this.policy.onResize(slot, weight);
      this.weights.set(slot, weight);
    } else {
      this.policy.onRemove(slot);
      this.weights.delete(slot);
    }
  }
}

/** What is left of 1,000 entries that come one by one where there is room for 100; others ask for the first `favored`. */
function flooded(window: number, favored: number): ReadonlySet<number> {
  const policy = new WindowTinyLfu({ window, welcome: 3, welcomeShare: 1 }, SEED, 100);
  const here = new Set<number>();
  for (let i = 0; i < 1_000; i++) {
    if (i >= 100) {
      const victim = policy.victim();
      policy.onRemove(victim);
      here.delete(victim);
    }
    policy.onInsert(i, hashKey(`key:${i}`), 1);
    here.add(i);
    if (i < favored) policy.favor(i);
  }
  return here;
}

describe('WindowTinyLfu', () => {
  it('names only slots that are in use, whatever comes, and all of them in the end', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400, size: 'max' }), tuning, tuning, (steps, first, second) => {
        const tried = new Tried(first);
        steps.forEach((one, i) => {
          if (i === 200) tried.policy.tuning = second;
          tried.take(one);
        });
        const visited: number[] = [];
        tried.policy.forEach((slot) => {
          visited.push(slot);
        });
        expect(visited.sort()).toEqual([...tried.weights.keys()].sort());
        while (tried.weights.size > 0) tried.evict();
        tried.evict();
      }),
    );
  });

  it('is LRU when all of it is the window', () => {
    const policy = new WindowTinyLfu({ window: 1, welcome: 0, welcomeShare: 1 }, SEED, 100);
    for (let slot = 0; slot < 100; slot++) policy.onInsert(slot, hashKey(`key:${slot}`), 1);
    for (let slot = 0; slot < 50; slot++) policy.onHit(slot);
    const gone: number[] = [];
    for (let i = 0; i < 100; i++) {
      gone.push(policy.victim());
      policy.onRemove(gone.at(-1) as number);
    }
    expect(gone).toEqual([...Array.from({ length: 50 }, (_, i) => 50 + i), ...Array.from({ length: 50 }, (_, i) => i)]);
  });

  it('gives a place in the main part to who was asked for more often, in the place of who was not', () => {
    const policy = new WindowTinyLfu({ window: 0.1, welcome: 16, welcomeShare: 1 }, SEED, 20);
    for (let slot = 0; slot < 20; slot++) policy.onInsert(slot, hashKey(`key:${slot}`), 1);
    const rare = policy.victim();
    policy.onRemove(rare);
    for (let i = 0; i < 4; i++) policy.onHit(19);
    policy.onInsert(rare, hashKey('new'), 1);
    policy.onInsert(20, hashKey('newer'), 1);
    // What is new and rare is the candidate, and as often asked for as its rivals: it goes.
    const gone: number[] = [];
    for (let i = 0; i < 18; i++) {
      gone.push(policy.victim());
      policy.onRemove(gone.at(-1) as number);
    }
    expect(gone).not.toContain(19);
  });

  describe.each([0.01, 0.2, 1])('with a window of %s', (window) => {
    it('keeps what others ask for often, though nobody reads it here, whatever comes', () => {
      const here = flooded(window, 9);
      for (let slot = 0; slot < 9; slot++) expect(here).toContain(slot);
    });
  });

  it('gives a tenth of the room to what others ask for, the latest of it, and no more', () => {
    const here = flooded(1, 100);
    expect([...here].filter((slot) => slot < 100)).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
  });

  it('takes in what is heavier than others when others ask for it often, unless it takes a tenth of the room', () => {
    const policy = new WindowTinyLfu({ window: 0.01, welcome: 16, welcomeShare: 1 }, SEED, 100);
    for (let slot = 0; slot < 100; slot++) {
      policy.onInsert(slot, hashKey(`key:${slot}`), 100);
      for (let i = 0; i < 4; i++) policy.onHit(slot);
    }
    expect(policy.admits(hashKey('heavy'), 1_000)).toBe(false);
    expect(policy.admits(hashKey('heavy'), 1_000, true)).toBe(true);
    expect(policy.admits(hashKey('heavier'), 1_001, true)).toBe(false);
  });
});
