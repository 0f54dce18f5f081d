import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Claim, FRAME_MAX, inOrderOfTrust, latestFrame } from './contradictions.js';
import type { VehicleLocation } from './domain.js';

const NOW = 1_760_000_000_000;

function claim(changes: Partial<VehicleLocation>, frame?: number, history = false): Claim {
  const at = new Date(NOW);
  const place = {
    vehicleId: '42',
    lat: 19,
    lon: 72,
    speedKmh: 10,
    headingDeg: 0,
    engineOn: true,
    region: '19.00,72.00',
  };
  return { location: { ...place, at, ...changes }, frame, history };
}

const frame = fc.integer({ min: 1, max: FRAME_MAX });
const anyClaim = fc
  .record({
    vehicleId: fc.constantFrom('1', '2'),
    seconds: fc.integer({ min: 0, max: 2 }),
    lat: fc.integer({ min: 18, max: 20 }),
    speedKmh: fc.integer({ min: 0, max: 2 }),
    frame: fc.option(fc.oneof(frame, fc.constantFrom(1, 2, FRAME_MAX - 1, FRAME_MAX)), { nil: undefined }),
    history: fc.boolean(),
  })
  .map(({ vehicleId, seconds, lat, speedKmh, frame: numbered, history }) =>
    claim({ vehicleId, lat, speedKmh, at: new Date(NOW + seconds * 1_000) }, numbered, history),
  );

/** What a database that keeps the first of a time has of each vehicle and time. */
function kept(claims: readonly Claim[]): Map<string, VehicleLocation> {
  const first = new Map<string, VehicleLocation>();
  for (const { location } of inOrderOfTrust(claims)) {
    const moment = `${location.vehicleId} ${location.at.getTime()}`;
    if (!first.has(moment)) first.set(moment, location);
  }
  return first;
}

describe('inOrderOfTrust', () => {
  it('has the same position win of those at one time, whatever the order in which they came', () => {
    const shuffled = fc
      .array(anyClaim, { maxLength: 12 })
      .chain((claims) => fc.tuple(fc.constant(claims), fc.shuffledSubarray(claims, { minLength: claims.length })));
    fc.assert(
      fc.property(shuffled, ([claims, others]) => {
        expect(kept(others)).toEqual(kept(claims));
        expect(new Set(inOrderOfTrust(claims))).toEqual(new Set(claims));
        expect(inOrderOfTrust(claims)).toHaveLength(claims.length);
      }),
    );
  });

  it('believes the later frame, live before history, and what is numbered before what is not', () => {
    const [early, late, past, unnumbered] = [claim({}, 7), claim({}, 8), claim({}, 9, true), claim({ lat: 89 })];
    expect(inOrderOfTrust([past, unnumbered, early, late])[0]).toBe(late);
    expect(inOrderOfTrust([past, claim({ lat: 1 }, 3, true)])[0]).toBe(past);
  });

  it('has history behind live positions, each in the order in which it came', () => {
    const [a, b, c, d] = [1, 2, 3, 4].map((n) => claim({ at: new Date(NOW + n) }, undefined, n % 2 === 1)) as Claim[];
    expect(inOrderOfTrust([a, b, c, d] as Claim[])).toEqual([b, d, a, c]);
  });
});

describe('latestFrame', () => {
  it('is the last one, also when the numbers began again', () => {
    expect(latestFrame([])).toBeUndefined();
    expect(latestFrame([5])).toBe(5);
    expect(latestFrame([5, 7, 6])).toBe(7);
    expect(latestFrame([1, FRAME_MAX])).toBe(1);
    expect(latestFrame([2, FRAME_MAX - 1, 1, FRAME_MAX])).toBe(2);
  });

  it('finds the last of up to a hundred frames from wherever they start', () => {
    fc.assert(
      fc.property(frame, fc.uniqueArray(fc.integer({ min: 0, max: 99 }), { minLength: 1 }), (start, steps) => {
        const numbered = (step: number) => ((start - 1 + step) % FRAME_MAX) + 1;
        expect(latestFrame(steps.map(numbered))).toBe(numbered(Math.max(...steps)));
      }),
    );
  });
});
