import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  boxAround,
  CELLS_MAX,
  type Circle,
  cellsOfBox,
  cellsOfCircle,
  checkCircle,
  distanceKm,
  RADIUS_MAX_KM,
} from './circle.js';
import { type Cell, cellOf, cellOfRegion, isWithin, regionBox, regionOf, regionOfCell } from './region.js';

const regionsOfCircle = (circle: Circle) => cellsOfCircle(circle).map(regionOfCell);

const MUMBAI = { lat: 19.076, lon: 72.8777 };
const PUNE = { lat: 18.5204, lon: 73.8567 };

const position = (latMax: number) =>
  fc.record({
    lat: fc.double({ min: -latMax, max: latMax, noNaN: true }),
    lon: fc.double({ min: -180, max: 180, noNaN: true }),
  });

describe('distanceKm', () => {
  it('is the great circle', () => {
    expect(distanceKm(MUMBAI, PUNE)).toBeCloseTo(120.15, 1);
    expect(distanceKm({ lat: 0, lon: 0 }, { lat: 0, lon: 180 })).toBeCloseTo(Math.PI * 6_371.0088, 6);
    expect(distanceKm({ lat: 10, lon: 179.999 }, { lat: 10, lon: -179.999 })).toBeLessThan(0.25);
  });

  it('is symmetric, and zero only to itself', () => {
    fc.assert(
      fc.property(position(90), position(90), (a, b) => {
        expect(distanceKm(a, b)).toBeCloseTo(distanceKm(b, a), 9);
        expect(distanceKm(a, a)).toBe(0);
      }),
    );
  });
});

describe('cellsOfCircle', () => {
  it('misses no region in which a position within the radius can lie', () => {
    fc.assert(
      fc.property(
        position(75),
        fc.double({ min: 0, max: 20, noNaN: true }),
        fc.array(
          fc.tuple(fc.double({ min: 0, max: 2 * Math.PI, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
          {
            minLength: 20,
            maxLength: 20,
          },
        ),
        (centre, radiusKm, points) => {
          const regions = new Set(regionsOfCircle({ ...centre, radiusKm }));
          for (const [bearing, share] of points) {
            const point = travel(centre, bearing, radiusKm * share);
            if (distanceKm(centre, point) <= radiusKm) expect(regions).toContain(regionOf(point.lat, point.lon));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('names each region once, and hardly any that it could do without', () => {
    fc.assert(
      fc.property(position(60), fc.double({ min: 1, max: 20, noNaN: true }), (centre, radiusKm) => {
        const regions = regionsOfCircle({ ...centre, radiusKm });
        expect(new Set(regions).size).toBe(regions.length);
        const cellKm2 = 1.112 * 1.112 * Math.cos((centre.lat * Math.PI) / 180);
        // A ring one diagonal wide around the circle, at most.
        expect(regions.length * cellKm2).toBeLessThan(Math.PI * (radiusKm + 1.6) ** 2 * 1.05);
      }),
    );
  });

  it('has the region of the centre for a radius of nothing', () => {
    expect(regionsOfCircle({ ...MUMBAI, radiusKm: 0 })).toEqual([regionOf(MUMBAI.lat, MUMBAI.lon)]);
  });

  it('goes on across the antimeridian', () => {
    const regions = regionsOfCircle({ lat: 0.005, lon: 179.999, radiusKm: 0.5 });
    expect(regions).toContain('0.00,179.99');
    expect(regions).toContain('0.00,-180.00');
  });

  it('answers the widest circle all over India, and refuses one with too many cells', () => {
    const widest = regionsOfCircle({ lat: 36, lon: 77, radiusKm: RADIUS_MAX_KM });
    expect(widest.length).toBeLessThanOrEqual(CELLS_MAX);
    expect(() => regionsOfCircle({ lat: 89.9, lon: 0, radiusKm: RADIUS_MAX_KM })).toThrow(
      expect.objectContaining({ code: 'invalid-value', field: 'radiusKm' }),
    );
  });
});

describe('cellsOfBox', () => {
  it('has the cell of every position in the box, each once', () => {
    const corner = position(85);
    const size = fc.double({ min: 0, max: 0.3, noNaN: true });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        corner,
        size,
        size,
        fc.array(fc.tuple(share, share), { maxLength: 20 }),
        (from, dLat, dLon, inside) => {
          const east = from.lon + dLon;
          const box = { south: from.lat, west: from.lon, north: from.lat + dLat, east: east > 180 ? east - 360 : east };
          const cells = cellsOfBox(box);
          expect(new Set(cells).size).toBe(cells.length);
          for (const [up, right] of inside) {
            const lon = from.lon + dLon * right;
            const place = { lat: from.lat + dLat * up, lon: lon > 180 ? lon - 360 : lon };
            if (isWithin(box, place)) expect(cells).toContain(cellOf(place));
          }
        },
      ),
    );
  });

  it('refuses a box with too many cells', () => {
    expect(() => cellsOfBox({ south: 8, west: 68, north: 35, east: 97 })).toThrow(
      expect.objectContaining({ code: 'invalid-value', field: 'box' }),
    );
  });
});

describe('a cell', () => {
  it('has one number and one name', () => {
    fc.assert(
      fc.property(position(90), ({ lat, lon }) => {
        const cell: Cell = cellOf({ lat, lon });
        expect(regionOfCell(cell)).toBe(regionOf(lat, lon));
        expect(cellOfRegion(regionOf(lat, lon))).toBe(cell);
      }),
    );
  });
});

describe('checkCircle', () => {
  it.each([
    ['lat', { lat: 90.1, lon: 0, radiusKm: 1 }],
    ['lon', { lat: 0, lon: Number.NaN, radiusKm: 1 }],
    ['radiusKm', { lat: 0, lon: 0, radiusKm: -1 }],
    ['radiusKm', { lat: 0, lon: 0, radiusKm: RADIUS_MAX_KM + 1 }],
  ])('names %s when it is out of range', (field, circle) => {
    expect(() => checkCircle(circle)).toThrow(expect.objectContaining({ code: 'invalid-value', field }));
  });
});

describe('boxAround', () => {
  it('holds all of them', () => {
    expect(boxAround([regionBox('19.07,72.87'), regionBox('18.52,73.85')])).toEqual({
      south: 18.52,
      west: 72.87,
      north: 19.08,
      east: 73.86,
    });
  });
});

/** Where one gets from a position along a bearing. */
function travel(from: { lat: number; lon: number }, bearing: number, km: number) {
  const angle = km / 6_371.0088;
  const lat0 = (from.lat * Math.PI) / 180;
  const sinLat = Math.sin(lat0) * Math.cos(angle) + Math.cos(lat0) * Math.sin(angle) * Math.cos(bearing);
  const turn = Math.atan2(
    Math.sin(bearing) * Math.sin(angle) * Math.cos(lat0),
    Math.cos(angle) - Math.sin(lat0) * sinLat,
  );
  const lon = from.lon + (turn * 180) / Math.PI;
  return { lat: (Math.asin(sinLat) * 180) / Math.PI, lon: lon > 180 ? lon - 360 : lon < -180 ? lon + 360 : lon };
}
