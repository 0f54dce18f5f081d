/** What came out, as rows for programs. */
import type { machineOf } from '../../src/cli/demo/report.js';
import type { Scenario } from './scenario.js';
import type { Shape } from './subject.js';
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
