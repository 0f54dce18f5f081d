import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LocationUpdate, VehicleLocation } from './domain.js';
import { FALSE_CLOCK_AGE_MS, isSignificantMove, judgeUpdate } from './positions.js';
import { regionOf } from './region.js';

const NOW = 1_760_000_000_000;
const update: LocationUpdate = {
  vehicleId: 42,
  lat: 19.0765,
  lon: 72.8777,
  speedKmh: 38.5,
  headingDeg: 91,
  engineOn: true,
  at: NOW - 8_000,
};

function accepted(given: Partial<LocationUpdate>) {
  const judged = judgeUpdate({ ...update, ...given }, NOW);
  if (judged.kind !== 'accepted') throw new Error(`it was ${judged.kind}`);
  return judged;
}

describe('judgeUpdate', () => {
  it('takes in a report as it is, with its canonical id and its region', () => {
    expect(accepted({})).toEqual({
      kind: 'accepted',
      clamped: false,
      location: {
        vehicleId: '42',
        lat: 19.0765,
        lon: 72.8777,
        speedKmh: 38.5,
        headingDeg: 91,
        engineOn: true,
        at: new Date(NOW - 8_000),
        region: '19.07,72.87',
      },
    });
  });

  it('takes the time as a Date or in milliseconds, and keeps whole ones', () => {
    expect(accepted({ at: new Date(NOW - 1) }).location.at).toEqual(new Date(NOW - 1));
    expect(accepted({ at: NOW - 1.5 }).location.at).toEqual(new Date(NOW - 2));
  });

  it('has headings in whole degrees below 360, or none', () => {
    expect(accepted({ headingDeg: 359.7 }).location.headingDeg).toBe(0);
    expect(accepted({ headingDeg: 360 }).location.headingDeg).toBe(0);
    expect(accepted({ headingDeg: undefined }).location.headingDeg).toBeUndefined();
  });

  it.each([
    ['vehicleId', { vehicleId: '007' }],
    ['lat', { lat: 90.001 }],
    ['lat', { lat: Number.NaN }],
    ['lat', { lat: '19' as unknown as number }],
    ['lon', { lon: -180.5 }],
    ['lon', { lon: Number.POSITIVE_INFINITY }],
    ['speedKmh', { speedKmh: -1 }],
    ['speedKmh', { speedKmh: 655.35 }],
    ['speedKmh', { speedKmh: undefined as unknown as number }],
    ['headingDeg', { headingDeg: 361 }],
    ['headingDeg', { headingDeg: null as unknown as number }],
    ['engineOn', { engineOn: 1 as unknown as boolean }],
    ['at', { at: new Date(Number.NaN) }],
    ['at', { at: -1 }],
    ['at', { at: '2026-01-01' as unknown as Date }],
    ['at', { at: { valueOf: () => NOW } as unknown as Date }],
    ['frame', { frame: 0 }],
    ['frame', { frame: 1_000_000 }],
    ['frame', { frame: 1.5 }],
    ['history', { history: 'H' as unknown as boolean }],
  ])('rejects a report whose %s is out of range, naming it', (field, wrong) => {
    const judged = judgeUpdate({ ...update, ...wrong }, NOW);
    expect(judged.kind).toBe('rejected');
    expect(judged).toHaveProperty('error.field', field);
    expect(judged).toHaveProperty('error.code', 'invalid-value');
    expect(judged).toHaveProperty('error.message', expect.stringContaining(field));
  });

  it('rejects what is no report at all', () => {
    expect(judgeUpdate(null as unknown as LocationUpdate, NOW)).toHaveProperty('error.field', 'update');
    expect(judgeUpdate('ping' as unknown as LocationUpdate, NOW)).toHaveProperty('error.field', 'update');
  });

  it('takes a report without a fix for a ghost, whatever its clock says', () => {
    expect(judgeUpdate({ ...update, lat: 0, lon: 0 }, NOW).kind).toBe('ghost');
    expect(judgeUpdate({ ...update, lat: 0.0001, lon: -0.02, at: Date.UTC(2080, 0, 6) }, NOW)).toMatchObject({
      kind: 'ghost',
      clamped: true,
    });
    expect(judgeUpdate({ ...update, lat: 0, lon: 77 }, NOW).kind).toBe('accepted');
  });

  it('believes a clock that is up to 5 s ahead', () => {
    expect(accepted({ at: NOW + 5_000 })).toMatchObject({ clamped: false, location: { at: new Date(NOW + 5_000) } });
  });

  it('takes a position with a false clock for older than an honest one, and for newer than the false one before', () => {
    const at2080 = Date.UTC(2080, 0, 6);
    expect(accepted({ at: at2080 })).toMatchObject({
      clamped: true,
      location: { at: new Date(NOW - FALSE_CLOCK_AGE_MS) },
    });
    const later = judgeUpdate({ ...update, at: at2080 }, NOW + 10_000);
    expect(later).toHaveProperty('location.at', new Date(NOW + 10_000 - FALSE_CLOCK_AGE_MS));
    expect(accepted({ at: Number.MAX_VALUE }).clamped).toBe(true);
  });

  it('never dates a position after what the cache would believe, and never throws', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), (a, b, at) => {
        const judged = judgeUpdate({ ...update, lat: a as number, speedKmh: b as number, at: at as number }, NOW);
        if (judged.kind === 'accepted') expect(judged.location.at.getTime()).toBeLessThanOrEqual(NOW + 5_000);
        else expect(['ghost', 'rejected']).toContain(judged.kind);
      }),
    );
    fc.assert(
      fc.property(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), (at) => {
        const { location, clamped } = accepted({ at });
        expect(location.at.getTime()).toBeLessThanOrEqual(NOW + 5_000);
        expect(clamped).toBe(at > NOW + 5_000);
      }),
    );
  });
});

describe('isSignificantMove', () => {
  const place = (lat: number, lon: number) => ({ lat, lon, region: regionOf(lat, lon) });
  const move = (from: ReturnType<typeof place>, to: ReturnType<typeof place>) =>
    isSignificantMove(from, to as VehicleLocation);

  it('is one that changes the region, however short', () => {
    expect(move(place(19.0799, 72.875), place(19.0801, 72.875))).toBe(true);
  });

  it('is one of 500 m in one report', () => {
    expect(move(place(19.0701, 72.875), place(19.0751, 72.875))).toBe(true);
    expect(move(place(19.0701, 72.875), place(19.0741, 72.875))).toBe(false);
  });

  it('is not that of a parked vehicle whose receiver wanders', () => {
    expect(move(place(19.0765, 72.8777), place(19.0766, 72.8776))).toBe(false);
  });
});
