import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExpiryWheel, SPOKES } from './expiry-wheel.js';
import { NONE, SlabChunks } from './slab-chunks.js';
import { SlabLists } from './slab-lists.js';

const START_MS = 1_700_000_000_500;

function newWheel() {
  const chunks = new SlabChunks(1_000);
  const deadAt = new Map<number, number>();
  const lists = new SlabLists(chunks, 0, SPOKES);
  const wheel = new ExpiryWheel(lists, (id) => deadAt.get(id) as number, START_MS);
  return {
    wheel,
    add(deadAtMs: number): number {
      const id = chunks.take(1);
      deadAt.set(id, deadAtMs);
      wheel.add(id);
      return id;
    },
    /** All that it finds, in steps of so many looks, which are taken out. */
    findAll(wallMs: number, looks = 100_000): number[] {
      const found: number[] = [];
      for (let id = wheel.find(wallMs, looks); id !== NONE; id = wheel.find(wallMs, looks)) {
        wheel.remove(id);
        found.push(id);
      }
      return found;
    },
  };
}

describe('the wheel', () => {
  it('finds what has died, a second late at most, and nothing else, however far ahead', () => {
    const livesMs = fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 20_000_000 }));
    fc.assert(
      fc.property(fc.array(livesMs, { maxLength: 30 }), fc.array(livesMs, { maxLength: 10 }), (lives, waits) => {
        const { add, findAll } = newWheel();
        const left = new Map(lives.map((ms) => [add(START_MS + ms), START_MS + ms]));
        let nowMs = START_MS;
        for (const waitMs of waits) {
          nowMs += waitMs;
          for (const id of findAll(nowMs)) {
            expect(left.get(id)).toBeLessThanOrEqual(nowMs);
            left.delete(id);
          }
          for (const deadAtMs of left.values()) expect(deadAtMs).toBeGreaterThan(nowMs - 1_000);
        }
      }),
    );
  });

  it('looks at no more than it may, and goes on where it was', () => {
    const { add, wheel } = newWheel();
    for (let i = 0; i < 5; i++) add(START_MS + 3_000_000_000);
    const dead = add(START_MS + 100_000);
    const calls = Array.from({ length: 300 }, () => wheel.find(START_MS + 200_000, 1));
    expect(calls.indexOf(dead)).toBeGreaterThan(99);
  });

  it('goes on when what it would look at next is taken out', () => {
    const { add, wheel, findAll } = newWheel();
    const [first, second, third] = [add(START_MS + 1), add(START_MS + 2), add(START_MS + 3)];
    expect(wheel.find(START_MS + 5_000, 10)).toBe(first);
    wheel.remove(second);
    expect(findAll(START_MS + 5_000)).toEqual([third]);
  });

  it('goes on when the clock is set back', () => {
    const { add, findAll } = newWheel();
    findAll(START_MS + 3_600_000);
    const id = add(START_MS + 10_000);
    expect(findAll(START_MS + 5_000)).toEqual([]);
    expect(findAll(START_MS + 12_000)).toEqual([id]);
  });

  it('takes what never dies', () => {
    const { add, findAll, wheel } = newWheel();
    const id = add(Number.POSITIVE_INFINITY);
    expect(findAll(START_MS + 10_000_000)).toEqual([]);
    wheel.remove(id);
  });
});
