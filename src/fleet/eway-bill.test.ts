import { describe, expect, it } from 'vitest';
import { ewayBillEndMs, ewayBillState } from './eway-bill.js';
import { HOUR_MS } from './ist-calendar.js';

const at = (text: string) => Date.parse(`${text}+05:30`);

describe('ewayBillEndMs', () => {
  it.each([
    ['2026-03-14T00:04', 0, '2026-03-16T00:00'],
    ['2026-03-14T00:04', 200, '2026-03-16T00:00'],
    ['2026-03-14T23:59', 200, '2026-03-16T00:00'],
    ['2026-03-14T12:00', 200.5, '2026-03-17T00:00'],
    ['2026-03-14T12:00', 1_415, '2026-03-23T00:00'],
    // Midnight in IST has passed, in UTC it has not.
    ['2026-03-15T03:00', 150, '2026-03-17T00:00'],
  ])('of a bill made at %s for %s km is %s, at an IST midnight', (made, km, end) => {
    expect(ewayBillEndMs(at(made), km)).toBe(at(end));
  });

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY])('refuses %s km', (km) => {
    expect(() => ewayBillEndMs(at('2026-03-14T12:00'), km)).toThrow(/distanceKm/);
  });
});

describe('ewayBillState', () => {
  const end = at('2026-03-16T00:00');

  it('changes 8 h before the end, at the end and 8 h after it', () => {
    expect(ewayBillState(end, end - 8 * HOUR_MS - 1)).toEqual({
      valid: true,
      extendable: false,
      untilMs: end - 8 * HOUR_MS,
    });
    expect(ewayBillState(end, end - 8 * HOUR_MS)).toEqual({ valid: true, extendable: true, untilMs: end });
    expect(ewayBillState(end, end - 1)).toEqual({ valid: true, extendable: true, untilMs: end });
    expect(ewayBillState(end, end)).toEqual({ valid: false, extendable: true, untilMs: end + 8 * HOUR_MS });
    expect(ewayBillState(end, end + 8 * HOUR_MS)).toEqual({ valid: false, extendable: false, untilMs: undefined });
  });
});
