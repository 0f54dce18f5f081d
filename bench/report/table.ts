import type { Row } from '../row.js';

/** Rows as lines of text: what each measured, then each ratio with its bound and whether it is met. */
export function formatRows(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.id,
    labelOf(row),
    figureOf(row),
    spreadText(row),
    verdictOf(row),
    row.note ?? '',
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...cells.map((line) => (line[column] as string).length)));
  return cells
    .map(([id = '', label = '', figure = '', spread = '', verdict = '', note = '']) =>
      [
        id.padEnd(widths[0] ?? 0),
        label.padEnd(widths[1] ?? 0),
        figure.padStart(widths[2] ?? 0),
        spread.padEnd(widths[3] ?? 0),
        verdict.padEnd(widths[4] ?? 0),
        note,
      ]
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function labelOf({ subject, against }: Row): string {
  return against === undefined ? subject : `${subject} against ${against}`;
}

export function figureOf({ value, unit }: Row): string {
  return `${formatNumber(value)} ${unit}`;
}

export function spreadText({ low, high }: Row): string {
  return low === undefined || high === undefined ? '' : `(${formatNumber(low)} to ${formatNumber(high)})`;
}

export function verdictOf({ bound, better, ok }: Row): string {
  if (bound === undefined) return '';
  return `${better === 'higher' ? '>=' : '<='} ${formatNumber(bound)} ${ok ? 'ok' : 'LOSS'}`;
}

/** Three digits, thousands apart. */
export function formatNumber(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en-GB', { maximumFractionDigits: Math.min(digits, 4) });
}
