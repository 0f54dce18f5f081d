import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRegion, isWithin, regionBox, regionOf } from './region.js';

const lats = fc.double({ min: -90, max: 90, noNaN: true });
const lons = fc.double({ min: -180, max: 180, noNaN: true });

describe('regionOf', () => {
  it('names the south-west corner of the cell', () => {
    expect(regionOf(19.0765, 72.8777)).toBe('19.07,72.87');
    expect(regionOf(28.6139, 77.209)).toBe('28.61,77.20');
  });

  it('has every border in the cell north and east of it, also where the product would round down', () => {
    for (let hundredths = -9_000; hundredths < 9_000; hundredths++) {
      const lat = Number(`${hundredths}e-2`);
      expect(Number(regionOf(lat, 0.005).split(',')[0])).toBe(lat === 0 ? 0 : lat);
    }
    expect(regionOf(19.07, 72.87)).toBe('19.07,72.87');
  });

  it('is the same kind of cell south of the equator and west of Greenwich', () => {
    expect(regionOf(-0.001, -0.001)).toBe('-0.01,-0.01');
    expect(regionOf(-33.865, -70.6501)).toBe('-33.87,-70.66');
    expect(regionOf(-0, -0)).toBe('0.00,0.00');
  });

  it('has a cell for the poles and one meridian for 180 and -180', () => {
    expect(regionOf(90, 0)).toBe('89.99,0.00');
    expect(regionOf(-90, 180)).toBe('-90.00,-180.00');
    expect(regionOf(10, 180)).toBe(regionOf(10, -180));
  });

  it('holds every position in its own box, exactly', () => {
    fc.assert(
      fc.property(lats, lons, (lat, lon) => {
        const { south, west, north, east } = regionBox(regionOf(lat, lon));
        expect(south).toBeLessThanOrEqual(lat);
        if (lat < 90) expect(lat).toBeLessThan(north);
        if (lon < 180) {
          expect(west).toBeLessThanOrEqual(lon);
          expect(lon).toBeLessThan(east);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('can be part of a key and of a pattern', () => {
    fc.assert(
      fc.property(lats, lons, (lat, lon) => {
        expect(regionOf(lat, lon)).not.toMatch(/[:*?\\\s]/);
      }),
    );
  });
});

describe('checkRegion', () => {
  it('takes whatever regionOf makes', () => {
    fc.assert(
      fc.property(lats, lons, (lat, lon) => {
        const region = regionOf(lat, lon);
        expect(checkRegion(region)).toBe(region);
      }),
    );
  });

  it.each([
    '',
    '19.07',
    '19.075,72.87',
    '19.07:72.87',
    '-0.00,0.00',
    '90.00,0.00',
    '10.00,180.00',
    '19.07,072.87',
    '*',
  ])('refuses %j', (region) => {
    expect(() => checkRegion(region)).toThrow(expect.objectContaining({ code: 'invalid-value', field: 'region' }));
  });
});

describe('isWithin', () => {
  it('has its borders inside, and may span the antimeridian', () => {
    const box = { south: 10, west: 70, north: 20, east: 80 };
    expect(isWithin(box, { lat: 10, lon: 80 })).toBe(true);
    expect(isWithin(box, { lat: 9.999, lon: 75 })).toBe(false);
    const pacific = { south: -10, west: 170, north: 10, east: -170 };
    expect(isWithin(pacific, { lat: 0, lon: 179 })).toBe(true);
    expect(isWithin(pacific, { lat: 0, lon: -179 })).toBe(true);
    expect(isWithin(pacific, { lat: 0, lon: 0 })).toBe(false);
  });
});
