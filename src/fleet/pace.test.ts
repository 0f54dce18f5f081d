import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pace } from './pace.js';

describe('Pace', () => {
  it('rests as long as the batch took while the database is quick', () => {
    const pace = new Pace();
    expect(pace.afterSuccess(8)).toBe(8);
    expect(pace.afterSuccess(12)).toBe(12);
  });

  it('rests twice as long as the batch took, and at least 100 ms, once the database is loaded', () => {
    const pace = new Pace();
    pace.afterSuccess(10);
    expect(pace.afterSuccess(30)).toBe(100);
    expect(pace.afterSuccess(400)).toBe(800);
  });

  it('rests longer with every failure, and recovers with a success', () => {
    const pace = new Pace();
    const pauses = [pace.afterFailure(), pace.afterFailure(), pace.afterFailure()];
    expect(pauses).toEqual([200, 400, 800]);
    expect(pace.failures).toBe(3);
    expect(pace.afterSuccess(10)).toBe(10);
    expect(pace.failures).toBe(0);
  });

  it('never rests longer than 5 s', () => {
    const pace = new Pace();
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.boolean(), (latencyMs, fails) => {
        const pauseMs = fails ? pace.afterFailure() : pace.afterSuccess(latencyMs);
        expect(pauseMs).toBeGreaterThanOrEqual(0);
        expect(pauseMs).toBeLessThanOrEqual(5_000);
      }),
    );
  });
});
