import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyIndex, scatter } from './key-index.js';

const key = fc.oneof(fc.string({ minLength: 1, maxLength: 4 }), fc.string({ unit: 'grapheme', minLength: 1 }));
const step = fc.record({ key, verb: fc.constantFrom('set', 'delete', 'get'), slot: fc.nat() });

describe('KeyIndex', () => {
  for (const most of [1, 100_000, 2 ** 40]) {
    it(`of ${most} keys finds what was put there last, whatever the keys`, () => {
      const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const index = new KeyIndex(most);
        const model = new Map<string, number>();
        for (const { key, verb, slot } of steps) {
          if (verb === 'get') expect(index.get(key)).toBe(model.get(key));
          else if (verb === 'delete') {
            index.delete(key);
            model.delete(key);
          } else {
            index.set(key, slot);
            model.set(key, slot);
          }
        }
        for (const { key } of steps) expect(index.get(key)).toBe(model.get(key));
        index.clear();
        for (const { key } of steps) expect(index.get(key)).toBeUndefined();
      });
      fc.assert(property);
    });
  }

  const families: Record<string, (i: number) => string> = {
    'numbers at the end': (i) => `vehicle:location:${861_000_000_000_000 + i}`,
    'numbers in the middle, days at the end': (i) => `vehicle:trips:${i >> 4}:2026-06-${10 + (i % 16)}`,
    'hexadecimal digits': (i) => `session:${(Math.imul(i, 0x9e3779b1) >>> 0).toString(16)}`,
    cells: (i) => `nearby:vehicles:cell:${(8 + i / 300).toFixed(2)}:${(68 + (i % 300) / 100).toFixed(2)}`,
  };
  for (const [family, keyOf] of Object.entries(families)) {
    it(`spreads ${family} over its parts`, () => {
      const counts = new Array<number>(32).fill(0);
      for (let i = 0; i < 64_000; i++) counts[scatter(keyOf(i)) & 31]! += 1;
      expect(Math.max(...counts)).toBeLessThan(3 * 2_000);
    });
  }
});
