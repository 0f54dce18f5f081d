import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram } from './histogram.js';

const LOWEST_MS = 2 ** -10;
const HIGHEST_MS = 2 ** 16;

/** Times spread over the whole range by their order of magnitude, as latencies are. */
const anyTime = fc.double({ min: -10, max: 16, noNaN: true }).map((exponent) => 2 ** exponent);
const anyTimes = fc.array(anyTime, { minLength: 1, maxLength: 300 });

function histogramOf(times: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const ms of times) histogram.record(ms);
  return histogram;
}

function exactQuantile(times: readonly number[], p: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(p * sorted.length)) - 1]!;
}

describe('Histogram', () => {
  it('gives every quantile to within 1/32 of the exact one', () => {
    fc.assert(
      fc.property(anyTimes, fc.double({ min: 0, max: 1, noNaN: true }), (times, p) => {
        const exact = exactQuantile(times, p);
        const given = histogramOf(times).quantile(p)!;
        expect(Math.abs(given - exact)).toBeLessThanOrEqual(Math.max(exact / 32, LOWEST_MS / 2));
      }),
      { numRuns: 1_000 },
    );
  });

  it('says half of the lowest edge for what is shorter, and the highest edge for what is longer', () => {
    expect(histogramOf([0, 1e-9]).quantile(1)).toBe(LOWEST_MS / 2);
    expect(histogramOf([HIGHEST_MS * 1.0001, 1e300]).quantile(0)).toBe(HIGHEST_MS);
  });

  it('has no quantile when it is empty', () => {
    expect(new Histogram().quantile(0.5)).toBeUndefined();
  });

  it('leaves out what is no time', () => {
    const histogram = histogramOf([Number.NaN, -1, Number.POSITIVE_INFINITY, 2]);
    expect(histogram.snapshot()).toMatchObject({ count: 1, sumMs: 2 });
  });

  it('counts exactly how many took no longer than each power of two, the edge itself included', () => {
    const edges = Array.from({ length: 27 }, (_, index) => 2 ** (index - 10));
    const near = fc
      .constantFrom(...edges)
      .chain((edge) => fc.constantFrom(edge * (1 - 2 ** -53), edge, edge * (1 + 2 ** -52)));
    fc.assert(
      fc.property(fc.array(fc.oneof(anyTime, near, fc.constant(0)), { maxLength: 200 }), (times) => {
        const expected = edges.map((edge) => [edge, times.filter((ms) => ms <= edge).length]);
        expect(histogramOf(times).cumulative()).toEqual(expected);
      }),
    );
  });

  it('merges into what one histogram of all the times would be', () => {
    fc.assert(
      fc.property(anyTimes, anyTimes, (a, b) => {
        const merged = histogramOf(a);
        merged.merge(histogramOf(b).snapshot());
        const whole = histogramOf([...a, ...b]).snapshot();
        expect(merged.snapshot()).toEqual({ ...whole, sumMs: expect.closeTo(whole.sumMs, 3) });
      }),
    );
  });

  it('is left with what came later when an earlier snapshot is subtracted', () => {
    fc.assert(
      fc.property(anyTimes, anyTimes, (before, after) => {
        const histogram = histogramOf(before);
        const earlier = histogram.snapshot();
        for (const ms of after) histogram.record(ms);
        histogram.subtract(earlier);
        const later = histogramOf(after).snapshot();
        expect(histogram.snapshot()).toEqual({ ...later, sumMs: expect.closeTo(later.sumMs, 3) });
      }),
    );
  });

  it('survives JSON', () => {
    fc.assert(
      fc.property(anyTimes, (times) => {
        const snapshot = histogramOf(times).snapshot();
        expect(Histogram.from(JSON.parse(JSON.stringify(snapshot))).snapshot()).toEqual(snapshot);
      }),
    );
  });
});
