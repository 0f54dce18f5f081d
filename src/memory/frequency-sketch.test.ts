import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashKey } from '../core/key.js';
import { FREQUENCY_MAX, FrequencySketch } from './frequency-sketch.js';

const hash = (i: number) => hashKey(`key:${i}`);

describe('FrequencySketch', () => {
  it('never says less than it was told', () => {
    const told = fc.array(fc.record({ key: fc.nat(2_000), times: fc.integer({ min: 0, max: FREQUENCY_MAX }) }), {
      maxLength: 500,
    });
    fc.assert(
      fc.property(told, fc.nat(5_000), (all, most) => {
        const sketch = new FrequencySketch(most + 1);
        const known = new Map<number, number>();
        for (const { key, times } of all) {
          sketch.raise(hash(key), times);
          known.set(key, Math.max(known.get(key) ?? 0, times));
        }
        for (const [key, times] of known) {
          expect(sketch.frequency(hash(key))).toBeGreaterThanOrEqual(times);
          expect(sketch.frequency(hash(key))).toBeLessThanOrEqual(FREQUENCY_MAX);
        }
      }),
    );
  });

  it('seldom says more, with as many keys as it is made for', () => {
    const sketch = new FrequencySketch(10_000);
    while (sketch.entries < 10_000) sketch.grow();
    for (let i = 0; i < 10_000; i++) sketch.raise(hash(i), 1 + (i % 3));
    let wrong = 0;
    for (let i = 0; i < 10_000; i++) if (sketch.frequency(hash(i)) !== 1 + (i % 3)) wrong += 1;
    for (let i = 10_000; i < 20_000; i++) if (sketch.frequency(hash(i)) !== 0) wrong += 1;
    expect(wrong).toBeLessThan(500);
  });

  it('halves everything when it ages', () => {
    const sketch = new FrequencySketch(100);
    for (let i = 0; i < 20; i++) sketch.raise(hash(i), 9);
    sketch.age();
    for (let i = 0; i < 20; i++) expect(sketch.frequency(hash(i))).toBe(4);
    for (let i = 0; i < 4; i++) sketch.age();
    for (let i = 0; i < 20; i++) expect(sketch.frequency(hash(i))).toBe(0);
  });

  it('forgets nothing when it grows, and everything when it is cleared', () => {
    const sketch = new FrequencySketch(3_000);
    const before = sketch.entries;
    for (let i = 0; i < 300; i++) sketch.raise(hash(i), 1 + (i % 15));
    sketch.grow();
    expect(sketch.entries).toBe(2 * before);
    for (let i = 0; i < 300; i++) expect(sketch.frequency(hash(i))).toBeGreaterThanOrEqual(1 + (i % 15));
    sketch.clear();
    for (let i = 0; i < 300; i++) expect(sketch.frequency(hash(i))).toBe(0);
  });
});
