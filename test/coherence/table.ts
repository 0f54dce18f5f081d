/** Rows for people: scenarios by subjects, and what there is to say about each cell. */
import type { Row } from './report.js';
import { scenarios } from './scenarios.js';
import { OURS } from './subjects.js';

export interface Table {
  readonly columns: readonly string[];
  readonly lines: readonly { readonly id: string; readonly title: string; readonly cells: readonly string[] }[];
  readonly notes: readonly {
    readonly id: string;
    readonly column: string;
    readonly cell: string;
    readonly note: string;
  }[];
}

export function tableOf(rows: readonly Row[]): Table {
  const columns = [...new Set(rows.map(columnOf))];
  const played = scenarios.filter(({ id }) => rows.some((row) => row.id === id));
  return {
    columns,
    lines: played.map(({ id, title }) => ({
      id,
      title,
      cells: columns.map((column) => {
        const row = rows.find((one) => one.id === id && columnOf(one) === column);
        return row === undefined ? '-' : cellOf(row);
      }),
    })),
    notes: played.flatMap(({ id }) =>
      rows
        .filter((row) => row.id === id)
        .map((row) => ({ id, column: columnOf(row), cell: cellOf(row), note: saidOf(row) })),
    ),
  };
}

export function formatTable(rows: readonly Row[]): string {
  const { columns, lines, notes } = tableOf(rows);
  const grid = [['', '', ...columns], ...lines.map(({ id, title, cells }) => [id, title, ...cells])];
  const widths = ['', '', ...columns].map((_, i) => Math.max(...grid.map((line) => line[i]?.length ?? 0)));
  const aligned = grid.map((line) =>
    line
      .map((text, i) => text.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const told = notes.map(
    ({ id, column, cell, note }) => `${id.padEnd(4)} ${column.padEnd(20)} ${cell.padEnd(4)} ${note}`,
  );
  return [...aligned, '', ...told].join('\n');
}

function columnOf({ subject, shape }: Row): string {
  return subject === OURS ? `ours ${shape}` : subject;
}

function cellOf({ ok, value, unit, runs, held }: Row): string {
  if (unit === 'n/a') return 'n/a';
  if (ok === undefined && held === runs) return `${value.toLocaleString('en-US')} ${unit}`;
  if (ok) return 'ok';
  return runs > 1 ? `FAIL ${runs - held}/${runs}` : 'FAIL';
}

function saidOf({ runs, value, unit, p50, note }: Row): string {
  if (runs === 1) return note;
  const worst =
    p50 === undefined ? '' : `, max ${value.toLocaleString('en-US')}, p50 ${p50.toLocaleString('en-US')} ${unit}`;
  return `${runs} runs${worst}: ${note}`;
}
