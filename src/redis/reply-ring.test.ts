import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReplyRing, type ReplyTaker } from './reply-ring.js';

const MOST = 256;

describe('ReplyRing', () => {
  it('lets whoever waits longest have the answer, however many come and go, and has no place beyond its bound', () => {
    const steps = fc.array(fc.integer({ min: -150, max: 150 }), { maxLength: 40 });
    fc.assert(
      fc.property(steps, (changes) => {
        const ring = new ReplyRing(MOST);
        const row: ReplyTaker[] = [];
        for (const change of changes) {
          for (let i = 0; i < change; i++) {
            const taker: ReplyTaker = { take: () => {}, fail: () => {} };
            expect(ring.add(taker)).toBe(row.length < MOST);
            if (row.length < MOST) row.push(taker);
          }
          for (let i = change; i < 0; i++) expect(ring.shift()).toBe(row.shift());
          expect(ring.length).toBe(row.length);
        }
        while (row.length > 0) expect(ring.shift()).toBe(row.shift());
        expect(ring.shift()).toBeUndefined();
      }),
    );
  });
});
