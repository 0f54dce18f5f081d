import { CacheError } from '../core/errors.js';

/** A cell of the 0.01-degree grid, named by its south-west corner: `19.07,72.87`. Has no `:` and no wildcard. */
export type Region = string;

export interface Position {
  readonly lat: number;
  readonly lon: number;
}

/** Degrees; south <= north. Where `west` is greater than `east` it spans the antimeridian. */
export interface Box {
  readonly south: number;
  readonly west: number;
  readonly north: number;
  readonly east: number;
}

/** Rows and columns per degree. */
const PER_DEGREE = 100;
const ROW_MIN = -90 * PER_DEGREE;
const ROW_MAX = 90 * PER_DEGREE - 1;
const COLUMNS = 360 * PER_DEGREE;
const COLUMN_MIN = -180 * PER_DEGREE;

const FORM = /^-?\d{1,2}\.\d\d,-?\d{1,3}\.\d\d$/;

/**
 * The region of a position. A border belongs to the cell north and east of it; the north pole to the last row, and
 * longitude 180 to the column of -180, which is the same meridian.
 */
export function regionOf(lat: number, lon: number): Region {
  return regionAt(rowOf(lat), columnOf(lon));
}

/** The region of a row and a column; columns wrap around the globe. */
function regionAt(row: number, column: number): Region {
  const wrapped = ((((column - COLUMN_MIN) % COLUMNS) + COLUMNS) % COLUMNS) + COLUMN_MIN;
  return `${hundredths(row)},${hundredths(wrapped)}`;
}

/** The same cell as a number, which is quicker to look up. Columns wrap around the globe. */
export type Cell = number;

export function cellAt(row: number, column: number): Cell {
  return (row - ROW_MIN) * COLUMNS + ((((column - COLUMN_MIN) % COLUMNS) + COLUMNS) % COLUMNS);
}

export function cellOf({ lat, lon }: Position): Cell {
  return cellAt(rowOf(lat), columnOf(lon));
}

export function regionOfCell(cell: Cell): Region {
  return regionAt(Math.floor(cell / COLUMNS) + ROW_MIN, (cell % COLUMNS) + COLUMN_MIN);
}

/** @throws CacheError `invalid-value` naming `region` */
export function cellOfRegion(region: Region): Cell {
  const { row, column } = parse(region);
  return cellAt(row, column);
}

/** Rows count from the equator to the north, 100 per degree. */
export function rowOf(lat: number): number {
  return Math.min(Math.max(cellIndex(lat), ROW_MIN), ROW_MAX);
}

/** Columns count from Greenwich to the east, 100 per degree. */
export function columnOf(lon: number): number {
  return cellIndex(lon);
}

/** The corners of a region: it holds what is south <= lat < north and west <= lon < east. */
export function regionBox(region: Region): Box {
  const { row, column } = parse(region);
  return {
    south: row / PER_DEGREE,
    west: column / PER_DEGREE,
    north: (row + 1) / PER_DEGREE,
    east: (column + 1) / PER_DEGREE,
  };
}

/** @throws CacheError `invalid-value` naming `region` unless it is one that `regionOf` could have returned */
export function checkRegion(region: Region): Region {
  parse(region);
  return region;
}

/** @throws CacheError `invalid-value` naming `field` unless it is somewhere on earth */
export function checkPosition({ lat, lon }: Position, field: string): Position {
  if (Math.abs(lat) <= 90 && Math.abs(lon) <= 180) return { lat, lon };
  throw new CacheError('invalid-value', `${field} is ${lat},${lon}: give a latitude and a longitude in degrees`, {
    field,
  });
}

/** @throws CacheError `invalid-value` naming `box` */
export function checkBox(box: Box): Box {
  const { south, west, north, east } = box;
  const isBox =
    Math.abs(south) <= 90 && Math.abs(north) <= 90 && south <= north && Math.abs(west) <= 180 && Math.abs(east) <= 180;
  if (!isBox) {
    throw new CacheError(
      'invalid-value',
      `box is south ${south}, west ${west}, north ${north}, east ${east}: give degrees, south not above north`,
      { field: 'box' },
    );
  }
  return { south, west, north, east };
}

/** Whether a position lies in the box, its borders included. */
export function isWithin(box: Box, { lat, lon }: Position): boolean {
  if (lat < box.south || lat > box.north) return false;
  return box.west <= box.east ? lon >= box.west && lon <= box.east : lon >= box.west || lon <= box.east;
}

/**
 * The index of the cell that holds `degrees`. `degrees * 100` alone is not it: 19.07 * 100 is 1906.9999999999998. A
 * quotient of integers is rounded to the very number that the decimal text means, so the comparison is exact.
 */
function cellIndex(degrees: number): number {
  const guess = Math.floor(degrees * PER_DEGREE);
  if ((guess + 1) / PER_DEGREE <= degrees) return guess + 1;
  return guess / PER_DEGREE > degrees ? guess - 1 : guess;
}

function hundredths(index: number): string {
  const sign = index < 0 ? '-' : '';
  const size = Math.abs(index);
  return `${sign}${Math.floor(size / PER_DEGREE)}.${String(size % PER_DEGREE).padStart(2, '0')}`;
}

function parse(region: Region): { row: number; column: number } {
  if (typeof region === 'string' && FORM.test(region)) {
    const [lat = '', lon = ''] = region.split(',');
    const row = Math.round(Number(lat) * PER_DEGREE);
    const column = Math.round(Number(lon) * PER_DEGREE);
    const isCell = row >= ROW_MIN && row <= ROW_MAX && regionAt(row, column) === region;
    if (isCell) return { row, column };
  }
  throw new CacheError(
    'invalid-value',
    `region is ${JSON.stringify(region)}: give the south-west corner of a 0.01-degree cell, such as '19.07,72.87' (regionOf makes it)`,
    { field: 'region' },
  );
}
