/** What came out, for people and for programs. */
import { arch, cpus, totalmem } from 'node:os';
import type { Scenario } from './scenario.js';
import type { Shape } from './subject.js';
import { type Finding, type Verdict, worstMeasure } from './verdict.js';

/** All runs of one scenario by one subject in one shape. */
export interface Played {
  readonly scenario: Scenario;
  readonly subject: string;
  readonly version: string;
  readonly shape: Shape;
  readonly runs: readonly Finding[];
}

export function verdictOf({ runs }: Played): Verdict {
  const verdicts = runs.map(({ verdict }) => verdict);
  return verdicts.includes('FAIL') ? 'FAIL' : verdicts.includes('ok') ? 'ok' : 'n/a';
}

const CELL = 9;

/** Scenarios by subjects, and below it what there is to say about each cell that is not simply right. */
export function formatTable(played: readonly Played[], ours: string): string {
  const columns = [...new Set(played.map((one) => columnOf(one, ours)))];
  const scenarios = [...new Set(played.map(({ scenario }) => scenario))];
  const headOf = ({ id, title }: Scenario): string => `${id.padEnd(4)} ${title}`;
  const titleWidth = Math.max(...scenarios.map((scenario) => headOf(scenario).length));
  const cell = (scenario: Scenario, column: string): string => {
    const one = played.find((row) => row.scenario === scenario && columnOf(row, ours) === column);
    if (one === undefined) return '-';
    const failed = one.runs.filter(({ verdict }) => verdict === 'FAIL').length;
    const verdict = verdictOf(one);
    return failed > 0 && one.runs.length > 1 ? `${verdict} ${failed}/${one.runs.length}` : verdict;
  };
  const width = (column: string): number => Math.max(CELL, column.length);
  const line = (head: string, cells: readonly string[]): string =>
    [head.padEnd(titleWidth), ...cells.map((text, i) => text.padEnd(width(columns[i] as string)))].join('  ').trimEnd();
  const table = [
    line('', columns),
    ...scenarios.map((scenario) =>
      line(
        headOf(scenario),
        columns.map((column) => cell(scenario, column)),
      ),
    ),
  ];
  return [...table, '', ...scenarios.flatMap((scenario) => notesOf(scenario, played, ours))].join('\n');
}

function columnOf({ subject, shape }: Played, ours: string): string {
  return subject === ours ? `ours ${shape}` : subject;
}

function notesOf(scenario: Scenario, played: readonly Played[], ours: string): string[] {
  return played
    .filter((one) => one.scenario === scenario)
    .flatMap((one) => {
      const verdict = verdictOf(one);
      const told = [...new Set(one.runs.filter((run) => run.verdict === verdict).map(({ note }) => note))];
      return told.map(
        (note) => `${scenario.id.padEnd(4)} ${columnOf(one, ours).padEnd(20)} ${verdict.padEnd(4)} ${note}`,
      );
    });
}

export interface Row {
  readonly section: 'coherence';
  readonly id: string;
  readonly subject: string;
  readonly version: string;
  readonly shape: Shape;
  /** The worst number of the runs, or how many of them held. */
  readonly value: number;
  readonly unit: string;
  readonly ok?: boolean;
  readonly note: string;
}

/** A row for what a subject could not express has no `ok`. */
export function rowsOf(played: readonly Played[]): Row[] {
  return played.map((one) => {
    const { scenario, subject, version, shape, runs } = one;
    const verdict = verdictOf(one);
    const worst = worstMeasure(runs);
    const held = runs.filter((run) => run.verdict === 'ok').length;
    const counted = verdict === 'ok' && worst !== undefined ? worst : { value: held, unit: `of ${runs.length} runs` };
    const note = runs.find((run) => run.verdict === verdict)?.note ?? '';
    const ok = verdict === 'n/a' || scenario.informative === true ? {} : { ok: verdict === 'ok' };
    return { section: 'coherence', id: scenario.id, subject, version, shape, ...counted, ...ok, note };
  });
}

export function machine(): Record<string, string | number> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 1_048_576),
    arch: arch(),
    node: process.version,
  };
}
