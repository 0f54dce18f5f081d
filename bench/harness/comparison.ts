import { boundedRow, OURS, type Row } from '../row.js';
import type { Measured } from './rounds.js';
import { ratioOf, spreadOf } from './statistics.js';

export interface Comparison {
  readonly section: string;
  readonly id: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly measured: Measured;
}

/** One row per subject, as measured. */
export function measuredRows({ section, id, unit, better, measured }: Comparison): Row[] {
  return [...measured].map(([subject, values]) => ({ section, id, subject, unit, better, ...spreadOf(values) }));
}

export interface RatioBound {
  /** Subjects by preference: of several that took part, the one that did best is taken. */
  readonly against: readonly string[];
  /** How many times better ours has to be; left out where nothing was promised. */
  readonly bound?: number;
  /** `time`: ours may take this many times the other's; else ours has to be that many times better. */
  readonly as?: 'better' | 'time';
  readonly note?: string;
}

/** How many times better ours is than the best of those named; no row when none of them took part. */
export function ratioRow(comparison: Comparison, { against, bound, as = 'better', note }: RatioBound): Row[] {
  const { section, id, better, measured } = comparison;
  const ours = measured.get(OURS);
  const taken = against.filter((subject) => (measured.get(subject)?.length ?? 0) > 0);
  if (ours === undefined || taken.length === 0) return [];
  const best = taken.reduce((one, two) => (isBetter(comparison, two, one) ? two : one));
  const theirs = measured.get(best) as readonly number[];
  const isInverse = as === 'better' && better === 'lower';
  const ratio = isInverse ? ratioOf(theirs, ours) : ratioOf(ours, theirs);
  const row = {
    section,
    id,
    subject: OURS,
    against: best,
    unit: 'x',
    better: as === 'time' ? ('lower' as const) : ('higher' as const),
    ...ratio,
    ...(note !== undefined && { note }),
  };
  return [bound === undefined ? row : boundedRow({ ...row, bound })];
}

function isBetter({ better, measured }: Comparison, one: string, two: string): boolean {
  const a = spreadOf(measured.get(one) as readonly number[]).value;
  const b = spreadOf(measured.get(two) as readonly number[]).value;
  return better === 'higher' ? a > b : a < b;
}
