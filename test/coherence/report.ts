/** What came out, as rows for programs. */
import type { machineOf } from '../../src/cli/demo/report.js';
import type { Scenario } from './scenario.js';
import { SHAPES, type Shape } from './subject.js';
import { subjectNames } from './subjects.js';
import { type Finding, measuresOf, type Verdict } from './verdict.js';

/** All runs of one scenario by one subject in one shape. */
export interface Played {
  readonly scenario: Scenario;
  readonly subject: string;
  readonly version: string;
  readonly shape: Shape;
  readonly runs: readonly Finding[];
}

/** As every measuring command writes it. */
export interface Report {
  readonly machine: ReturnType<typeof machineOf>;
  /** Several where several reports were joined, one to a line. */
  readonly command: string;
  readonly at: string;
  readonly rows: readonly Row[];
}

export interface Row {
  readonly section: 'coherence';
  readonly id: string;
  readonly subject: string;
  /** The worst number of the runs; where there is none, how many runs held. */
  readonly value: number;
  /** `n/a` where the subject has no word for what the scenario asks. */
  readonly unit: string;
  /** The most that it may be. */
  readonly bound?: number;
  /** Left out where nothing is asked: what a subject cannot express, and what is told for information. */
  readonly ok?: boolean;
  readonly version: string;
  readonly shape: Shape;
  readonly runs: number;
  readonly held: number;
  /** The median of the runs' numbers, when there are several. */
  readonly p50?: number;
  readonly note: string;
}

const FAILURES_TOLD = 3;

export function rowOf({ scenario, subject, version, shape, runs }: Played): Row {
  const verdict = verdictOf(runs);
  const held = runs.filter((run) => run.verdict === 'ok').length;
  const measures = measuresOf(runs);
  const worst = measures.at(-1);
  const p50 = measures.length > 1 ? measures[Math.floor((measures.length - 1) / 2)]?.value : undefined;
  return {
    section: 'coherence',
    id: scenario.id,
    subject,
    ...numberOf(verdict, worst ?? { value: held, unit: `of ${runs.length} runs` }),
    ...(verdict !== 'n/a' && scenario.informative !== true && { ok: verdict === 'ok' }),
    version,
    shape,
    runs: runs.length,
    held,
    ...(p50 !== undefined && { p50 }),
    note: noteOf(runs, verdict),
  };
}

function numberOf(verdict: Verdict, { value, unit, bound }: { value: number; unit: string; bound?: number }) {
  if (verdict === 'n/a') return { value: 0, unit: 'n/a' };
  return { value, unit, ...(bound !== undefined && { bound }) };
}

function verdictOf(runs: readonly Finding[]): Verdict {
  const verdicts = runs.map(({ verdict }) => verdict);
  return verdicts.includes('FAIL') ? 'FAIL' : verdicts.includes('ok') ? 'ok' : 'n/a';
}

/** What the failing runs said, each thing once; else what the first run said. */
function noteOf(runs: readonly Finding[], verdict: Verdict): string {
  const notes = runs.filter((run) => run.verdict === verdict).map(({ note }) => note);
  if (verdict !== 'FAIL' || runs.length === 1) return notes[0] ?? '';
  const counts = new Map<string, number>();
  for (const note of notes) counts.set(note, (counts.get(note) ?? 0) + 1);
  const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, FAILURES_TOLD);
  return most.map(([note, count]) => `${count} x ${note}`).join('; ');
}

/**
 * One report of several runs: where two of them have the same row, that of the later one counts.
 * @throws Error when they come from different machines
 */
export function joinReports(reports: readonly Report[]): Report {
  const machines = new Set(reports.map(({ machine }) => JSON.stringify(machine)));
  const last = reports.at(-1);
  if (last === undefined || machines.size > 1) throw new Error('Only reports of one machine can be joined.');
  const rows = new Map<string, Row>();
  for (const row of reports.flatMap((report) => report.rows)) rows.set(`${row.id} ${row.subject} ${row.shape}`, row);
  const place = ({ subject, shape }: Row): number =>
    subjectNames.indexOf(subject) * SHAPES.length + SHAPES.indexOf(shape);
  return {
    machine: last.machine,
    command: reports.map(({ command }) => command).join('\n'),
    at: last.at,
    rows: [...rows.values()].sort((a, b) => place(a) - place(b)),
  };
}
