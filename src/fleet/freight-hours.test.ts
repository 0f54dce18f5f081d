import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FreightPlace, freightHours, type GoodsVehicle } from './freight-hours.js';
import { DAY_MS } from './ist-calendar.js';

const at = (text: string) => Date.parse(`${text}+05:30`);
const PLACES: readonly FreightPlace[] = ['delhi', 'mumbai', 'south-mumbai', 'bengaluru', 'hyderabad', 'kolkata'];
const VEHICLES: readonly GoodsVehicle[] = ['light', 'medium', 'heavy'];

describe('freightHours', () => {
  // 2026-11-20 is a Friday.
  it.each([
    ['delhi', 'heavy', '2026-11-20T06:59:59.999', true, '2026-11-20T07:00'],
    ['delhi', 'heavy', '2026-11-20T07:00', false, '2026-11-20T23:00'],
    ['delhi', 'medium', '2026-11-20T22:59', false, '2026-11-20T23:00'],
    ['delhi', 'heavy', '2026-11-20T23:00', true, '2026-11-21T00:00'],
    ['delhi', 'light', '2026-11-20T11:00', true, '2026-11-20T17:00'],
    ['mumbai', 'heavy', '2026-11-20T10:59', false, '2026-11-20T11:00'],
    ['mumbai', 'heavy', '2026-11-20T17:00', false, '2026-11-20T21:00'],
    ['mumbai', 'light', '2026-11-20T08:00', true, '2026-11-21T00:00'],
    ['south-mumbai', 'heavy', '2026-11-20T23:59:59.999', false, '2026-11-21T00:00'],
    ['bengaluru', 'heavy', '2026-11-20T16:00', false, '2026-11-20T22:00'],
    ['bengaluru', 'heavy', '2026-11-21T08:00', true, '2026-11-21T10:00'],
    ['bengaluru', 'heavy', '2026-11-21T14:00', false, '2026-11-21T14:30'],
    ['bengaluru', 'heavy', '2026-11-21T16:00', true, '2026-11-21T16:30'],
    ['bengaluru', 'heavy', '2026-11-22T08:00', false, '2026-11-22T11:00'],
    ['hyderabad', 'medium', '2026-11-20T07:30', true, '2026-11-20T08:00'],
    ['hyderabad', 'heavy', '2026-11-20T07:30', false, '2026-11-20T23:00'],
    ['kolkata', 'light', '2026-11-20T12:00', true, '2026-11-20T16:00'],
    ['kolkata', 'heavy', '2026-11-20T12:00', false, '2026-11-20T22:00'],
  ] as const)('in %s, for %s vehicles at %s: allowed %s until %s', (place, vehicle, now, allowed, until) => {
    expect(freightHours(place, vehicle, at(now))).toEqual({ allowed, untilMs: at(until) });
  });

  it('says the same until its boundary, from every moment before it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...PLACES),
        fc.constantFrom(...VEHICLES),
        fc.integer({ min: at('2026-01-01T00:00'), max: at('2027-01-01T00:00') }),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (place, vehicle, nowMs, share) => {
          const first = freightHours(place, vehicle, nowMs);
          expect(first.untilMs).toBeGreaterThan(nowMs);
          expect(first.untilMs - nowMs).toBeLessThanOrEqual(DAY_MS);
          const laterMs = nowMs + Math.floor((first.untilMs - nowMs) * share);
          expect(freightHours(place, vehicle, laterMs)).toEqual(first);
        },
      ),
    );
  });
});
