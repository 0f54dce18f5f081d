import { CacheError } from '../core/errors.js';
import { type Box, type Cell, cellAt, columnOf, type Position, rowOf } from './region.js';

export interface Circle extends Position {
  readonly radiusKm: number;
}

/** Mean radius of the earth, IUGG. */
const EARTH_RADIUS_KM = 6_371.0088;
const RADIANS = Math.PI / 180;

/** Widest circle that is answered: about 7,300 cells at the latitude of Delhi. */
export const RADIUS_MAX_KM = 50;

/** Most cells of one circle; only circles near the poles, where cells are narrow, have more. */
export const CELLS_MAX = 10_000;

/** Room for rounding in the borders of a circle, in degrees: about a millimetre. Cells may be too many, never too few. */
const SLACK_DEG = 1e-8;

/**
 * Great-circle distance. Haversine formula (Sinnott, "Virtues of the Haversine", 1984): exact on the sphere also for
 * the small distances that matter here, up to 0.5 % off the ellipsoid.
 */
export function distanceKm(a: Position, b: Position): number {
  const dLat = halfSine(b.lat - a.lat);
  const dLon = halfSine(b.lon - a.lon);
  const chord = dLat * dLat + Math.cos(a.lat * RADIANS) * Math.cos(b.lat * RADIANS) * dLon * dLon;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(chord)));
}

/** @throws CacheError `invalid-value` naming `lat`, `lon` or `radiusKm` */
export function checkCircle({ lat, lon, radiusKm }: Circle): Circle {
  check('lat', lat, -90, 90, 'degrees');
  check('lon', lon, -180, 180, 'degrees');
  check('radiusKm', radiusKm, 0, RADIUS_MAX_KM, 'km');
  return { lat, lon, radiusKm };
}

/**
 * Every cell that the circle touches.
 * @throws CacheError `invalid-value` when there are more than 10,000
 */
export function cellsOfCircle(circle: Circle): Cell[] {
  const radiusDeg = circle.radiusKm / EARTH_RADIUS_KM / RADIANS + SLACK_DEG;
  const cells: Cell[] = [];
  const lastRow = rowOf(circle.lat + radiusDeg);
  for (let row = rowOf(circle.lat - radiusDeg); row <= lastRow; row++) {
    const south = Math.max(row / 100, circle.lat - radiusDeg);
    const north = Math.min((row + 1) / 100, circle.lat + radiusDeg);
    const halfWidth = halfWidthDeg(circle.lat, radiusDeg, south, north);
    const what = `radiusKm is ${circle.radiusKm} at latitude ${circle.lat}: the circle`;
    addRow(cells, row, columnOf(circle.lon - halfWidth), columnOf(circle.lon + halfWidth), 'radiusKm', what);
  }
  return cells;
}

/**
 * Every cell that the box touches.
 * @throws CacheError `invalid-value` when there are more than 10,000
 */
export function cellsOfBox({ south, west, north, east }: Box): Cell[] {
  const cells: Cell[] = [];
  const lastRow = rowOf(north);
  const lastColumn = columnOf(west <= east ? east : east + 360);
  for (let row = rowOf(south); row <= lastRow; row++) addRow(cells, row, columnOf(west), lastColumn, 'box', 'the box');
  return cells;
}

function addRow(cells: Cell[], row: number, first: number, lastColumn: number, field: string, what: string): void {
  const last = Math.min(lastColumn, first + 35_999);
  if (cells.length + (last - first) >= CELLS_MAX) {
    const message = `${what} touches more than ${CELLS_MAX} cells of 0.01 degrees; ask for a smaller one`;
    throw new CacheError('invalid-value', message, { field });
  }
  for (let column = first; column <= last; column++) cells.push(cellAt(row, column));
}

/** The smallest box around others. Boxes on both sides of the antimeridian make it span the globe. */
export function boxAround(boxes: readonly Box[]): Box {
  return boxes.reduce((a, b) => ({
    south: Math.min(a.south, b.south),
    west: Math.min(a.west, b.west),
    north: Math.max(a.north, b.north),
    east: Math.max(a.east, b.east),
  }));
}

/**
 * How far east of its centre a circle reaches between two latitudes, from the haversine formula solved for the
 * longitude. It is widest where sin lat = sin lat0 / cos r, and falls off to both sides of that.
 */
function halfWidthDeg(centreLat: number, radiusDeg: number, south: number, north: number): number {
  const widestSin = Math.sin(centreLat * RADIANS) / Math.cos(radiusDeg * RADIANS);
  // The circle holds a pole: every meridian crosses it.
  if (Math.abs(widestSin) >= 1) return 180;
  const lat = Math.min(Math.max(Math.asin(widestSin) / RADIANS, south), north);
  const square =
    (halfSine(radiusDeg) ** 2 - halfSine(lat - centreLat) ** 2) /
    (Math.cos(centreLat * RADIANS) * Math.cos(lat * RADIANS));
  return (2 * Math.asin(Math.sqrt(Math.min(1, Math.max(0, square))))) / RADIANS + SLACK_DEG;
}

function halfSine(degrees: number): number {
  return Math.sin((degrees * RADIANS) / 2);
}

function check(field: string, value: number, min: number, max: number, unit: string): void {
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    throw new CacheError(
      'invalid-value',
      `${field} is ${String(value)}: it must lie between ${min} and ${max} ${unit}`,
      {
        field,
      },
    );
  }
}
