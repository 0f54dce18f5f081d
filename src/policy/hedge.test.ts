import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HedgeBudget } from './hedge-budget.js';
import { HedgeDelay } from './hedge-delay.js';
import { HedgeSet } from './hedge-set.js';

describe('the delay of a hedge', () => {
  it('is not known before there are enough answers', () => {
    const delay = new HedgeDelay();
    for (let i = 0; i < 19; i++) delay.note(5);
    expect(delay.ms).toBeUndefined();
    delay.note(5);
    expect(delay.ms).toBe(5);
  });

  it('is what 95 % of the last answers took no longer than, a few answers late at most', () => {
    const answers = fc.array(fc.double({ min: 0.1, max: 1_000, noNaN: true }), { minLength: 20, maxLength: 400 });
    fc.assert(
      fc.property(answers, (took) => {
        const delay = new HedgeDelay();
        for (const ms of took) delay.note(ms);
        // Worked out with the 20th answer, and from then on with every 16th.
        const seen = took.length < 32 ? 20 : took.length - (took.length % 16);
        const last = took.slice(Math.max(0, seen - 128), seen);
        const within = last.filter((ms) => ms <= (delay.ms as number)).length;
        expect(within / last.length).toBeGreaterThanOrEqual(0.95);
        expect(last.filter((ms) => ms < (delay.ms as number)).length / last.length).toBeLessThan(0.95);
      }),
    );
  });

  it('forgets what was slow once', () => {
    const delay = new HedgeDelay();
    for (let i = 0; i < 128; i++) delay.note(500);
    for (let i = 0; i < 128; i++) delay.note(2);
    expect(delay.ms).toBe(2);
  });
});

describe('the budget of hedges', () => {
  it('allows a twentieth of all reads, and a few at once, whatever comes in which order', () => {
    const step = fc.record({ earned: fc.nat(300), wanted: fc.nat(300) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const budget = new HedgeBudget();
        let [earned, spent] = [0, 0];
        for (const { earned: keys, wanted } of steps) {
          budget.earn(keys);
          earned += keys;
          const granted = budget.spend(wanted);
          expect(granted).toBeLessThanOrEqual(wanted);
          spent += granted;
          expect(spent).toBeLessThanOrEqual(64 + 0.05 * earned);
        }
      }),
    );
  });

  it('is earned anew when it is spent', () => {
    const budget = new HedgeBudget();
    expect(budget.spend(100)).toBe(64);
    expect(budget.spend(1)).toBe(0);
    budget.earn(40);
    expect(budget.spend(5)).toBe(2);
  });
});

describe('the hedges of a level', () => {
  it('wait for each part what it usually takes, and tell what they did', () => {
    const told: string[] = [];
    const set = new HedgeSet({
      onHedged: (ms) => told.push(`after ${ms}`),
      onWon: (ms) => told.push(`won ${ms}`),
      onRefused: () => told.push('refused'),
    });
    for (let i = 0; i < 20; i++) set.note('slow', 40);
    for (let i = 0; i < 20; i++) set.note('quick', 0.2);
    expect(['slow', 'quick', 'new'].map((part) => set.delayMs(part, 1))).toEqual([40, 1, 10]);
    set.forget('slow');
    expect(set.delayMs('slow', 1)).toBe(10);
    expect(set.grant(2, 40)).toBe(2);
    set.won(42);
    expect(set.grant(1_000, 40)).toBe(62);
    expect(set.grant(1, 40)).toBe(0);
    expect(told).toEqual(['after 40', 'won 42', 'after 40', 'refused', 'refused']);
  });
});
