import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUCKETS } from '../core/key.js';
import type { Member } from './member.js';
import { Ownership } from './ownership.js';

const all = Array.from({ length: 6 }, (_, i): Member => ({ id: `00000000000${i}`, address: `n${i}:1`, weight: 1 }));
const [self] = all as [Member];
const there = (members: readonly Member[]) => new Map(members.map((member) => [member.id, member]));
const SAMPLE = [0, 1, 2, 3, 500, 4_095];

describe('who holds a bucket', () => {
  it('is everybody who owned it before, as long as they are there, until the change has settled', () => {
    fc.assert(
      fc.property(fc.array(fc.subarray(all.slice(1)), { minLength: 1, maxLength: 4 }), (steps) => {
        const ownership = new Ownership(self, 2);
        let before = SAMPLE.map((bucket) => ownership.holdersOf(bucket));
        for (const others of steps) {
          const members = [self, ...others];
          ownership.place(members, 2, there(members));
          SAMPLE.forEach((bucket, i) => {
            const holders = ownership.holdersOf(bucket);
            expect(holders.slice(0, ownership.ownersOf(bucket).length)).toEqual(ownership.ownersOf(bucket));
            expect(new Set(holders).size).toBe(holders.length);
            const missing = (before[i] ?? []).filter((member) => members.includes(member) && !holders.includes(member));
            expect(missing).toEqual([]);
            expect(holders.every((member) => members.includes(member))).toBe(true);
          });
          before = SAMPLE.map((bucket) => ownership.holdersOf(bucket));
        }
        ownership.settle();
        for (const bucket of SAMPLE) expect(ownership.holdersOf(bucket)).toEqual(ownership.ownersOf(bucket));
      }),
      { numRuns: 30 },
    );
  });

  it('tells what this node holds anew, and nothing that it held all along', () => {
    const ownership = new Ownership(self, 1);
    expect(ownership.held()).toHaveLength(BUCKETS);
    const two = all.slice(0, 2);
    expect(ownership.place(two, 1, there(two))).toEqual([]);
    expect(ownership.isSettled).toBe(false);
    ownership.settle();
    const added = ownership.place([self], 1, there(two));
    expect(added.length).toBeGreaterThan(1_000);
    expect(added.every((bucket) => ownership.holdersOf(bucket).includes(self))).toBe(true);
  });
});
