/** What was measured, as people and programs read it. */

/** What our own subject is called. */
export const OURS = 'fleetflow-cache';

export interface Row {
  readonly section: string;
  /** The measure: `l1.peek`. Rows of one id and unit belong side by side. */
  readonly id: string;
  readonly subject: string;
  readonly value: number;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  /** The lowest and highest of the rounds that `value` is the median of; for a ratio, of the rounds' own ratios. */
  readonly low?: number;
  readonly high?: number;
  /** For a ratio: the subject it is taken against. */
  readonly against?: string;
  /** What `value` has to reach (or, where lower is better, may not exceed). */
  readonly bound?: number;
  readonly ok?: boolean;
  /** It counts something, and is the same on every machine however busy: what misses it fails a quick run too. */
  readonly exact?: true;
  readonly note?: string;
}

/** A row with a bound, and whether it is met. */
export function boundedRow(row: Omit<Row, 'ok'> & { readonly bound: number }): Row {
  return { ...row, ok: row.better === 'higher' ? row.value >= row.bound : row.value <= row.bound };
}

/** Rows of ours that do not reach their bound; of a quick run those that are counted and not timed. */
export function lossesOf(rows: readonly Row[], exactOnly = false): readonly Row[] {
  return rows.filter(({ subject, ok, exact }) => subject === OURS && ok === false && (exact === true || !exactOnly));
}
