import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpaceSaving } from './space-saving.js';

/** A few keys often and many seldom, in any order. */
const streams = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 60 })).map((n) => `k${n}`),
  { maxLength: 400 },
);

function countAll(stream: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of stream) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

describe('Space-Saving', () => {
  it('has a counter for each key that occurs more than an m-th of the time, and is wrong by no more than that', () => {
    fc.assert(
      fc.property(streams, fc.integer({ min: 1, max: 40 }), (stream, counters) => {
        const summary = new SpaceSaving(counters);
        for (const key of stream) summary.add(key);
        const most = stream.length / counters;
        let sum = 0;
        for (const [key, times] of countAll(stream)) {
          const estimate = summary.estimate(key);
          if (times > most) expect(estimate).toBeDefined();
          if (estimate === undefined) continue;
          sum += estimate.count;
          expect(estimate.count).toBeGreaterThanOrEqual(times);
          expect(estimate.count - estimate.error).toBeLessThanOrEqual(times);
          expect(estimate.error).toBeLessThanOrEqual(most);
        }
        // Each occurrence was counted once, for somebody who is still here.
        expect(sum).toBe(stream.length);
        expect(summary.size).toBe(Math.min(counters, new Set(stream).size));
      }),
    );
  });

  it('counts exactly as long as there is a counter for each key', () => {
    fc.assert(
      fc.property(streams, (stream) => {
        const summary = new SpaceSaving(61);
        const counts = new Map<string, number>();
        for (const key of stream) {
          counts.set(key, (counts.get(key) ?? 0) + 1);
          expect(summary.add(key)).toBe(counts.get(key));
        }
      }),
    );
  });

  it('never says of a key that it occurred at least so often when it did not', () => {
    fc.assert(
      fc.property(streams, fc.integer({ min: 1, max: 8 }), (stream, counters) => {
        const summary = new SpaceSaving(counters);
        const counts = new Map<string, number>();
        for (const key of stream) {
          const times = (counts.get(key) ?? 0) + 1;
          counts.set(key, times);
          expect(summary.add(key)).toBeLessThanOrEqual(times);
        }
      }),
    );
  });

  it('begins anew when it is cleared', () => {
    fc.assert(
      fc.property(streams, streams, fc.integer({ min: 1, max: 8 }), (before, after, counters) => {
        const used = new SpaceSaving(counters);
        for (const key of before) used.add(key);
        used.clear();
        const fresh = new SpaceSaving(counters);
        for (const key of after) expect(used.add(key)).toBe(fresh.add(key));
      }),
    );
  });
});
