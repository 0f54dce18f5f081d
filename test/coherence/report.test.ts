import { describe, expect, it } from 'vitest';
import { pageOf } from './page.js';
import { joinReports, type Row, rowOf } from './report.js';
import { scenarios } from './scenarios.js';
import type { Shape } from './subject.js';
import { OURS } from './subjects.js';
import { formatTable } from './table.js';
import { type Finding, findingOf, findingOfThrown } from './verdict.js';
import { expectThat } from './waiting.js';

const [scenario] = scenarios.filter(({ id }) => id === 'S3');
const measured = scenarios.find(({ informative }) => informative === true);
const stale = (ms: number): Finding =>
  findingOf({ note: `right after ${ms} ms`, measure: { value: ms, unit: 'ms stale', bound: 1_000 } });

function failed(note: string, ms?: number): Finding {
  try {
    expectThat(false, note, ms === undefined ? undefined : { value: ms, unit: 'ms stale', bound: 1_000 });
  } catch (thrown) {
    return findingOfThrown(thrown);
  }
  throw new Error('unreachable');
}

function row(runs: readonly Finding[], subject = OURS, shape: Shape = 'single', of = scenario): Row {
  if (of === undefined) throw new Error('there is no such scenario');
  return rowOf({ scenario: of, subject, version: '1.2.3', shape, runs });
}

const machine = { cpu: 'a cpu', cores: 2, memoryBytes: 1, os: 'Linux x64', node: 'v20.0.0' };

describe('the report of the scenarios', () => {
  it('gives the largest number of all runs, their median, and the bound', () => {
    expect(row([stale(30), stale(900), stale(40)])).toMatchObject({
      section: 'coherence',
      id: 'S3',
      value: 900,
      unit: 'ms stale',
      bound: 1_000,
      ok: true,
      p50: 40,
      runs: 3,
      held: 3,
    });
  });

  it('fails when one run does, and counts that run in the numbers', () => {
    const one = row([stale(30), failed('stale for 1,200 ms', 1_200), stale(40)]);
    expect(one).toMatchObject({ ok: false, value: 1_200, held: 2, note: '1 x stale for 1,200 ms' });
    expect(formatTable([one])).toContain('FAIL 1/3');
  });

  it('counts the runs that held where there is no number', () => {
    expect(row([failed('gone'), findingOf('there')])).toMatchObject({ value: 1, unit: 'of 2 runs', ok: false });
  });

  it('passes no judgement on what a subject cannot express, nor on what is told for information', () => {
    const mute = row([{ verdict: 'n/a', note: 'no tags' }]);
    expect(mute).toMatchObject({ unit: 'n/a' });
    expect(mute).not.toHaveProperty('ok');
    const told = row([findingOf({ note: '600 ns', measure: { value: 600, unit: 'ns' } })], OURS, 'single', measured);
    expect(told).toMatchObject({ value: 600, unit: 'ns' });
    expect(told).not.toHaveProperty('ok');
  });

  it('joins several runs: the later one counts, and both commands are named', () => {
    const first = { machine, command: 'first', at: 'monday', rows: [row([stale(5)]), row([stale(5)], OURS, 'peers')] };
    const second = { machine, command: 'second', at: 'tuesday', rows: [row([stale(7)])] };
    const joined = joinReports([first, second]);
    expect(joined).toMatchObject({ command: 'first\nsecond', at: 'tuesday' });
    expect(joined.rows.map(({ shape, value }) => [shape, value])).toEqual([
      ['single', 7],
      ['peers', 5],
    ]);
    expect(() => joinReports([first, { ...second, machine: { ...machine, cores: 64 } }])).toThrow('one machine');
  });

  it('puts ours and the others side by side, and names machine, command and versions on the page', () => {
    const rows = [row([stale(30)]), row([stale(40)], OURS, 'cluster'), row([failed('stale | for good')], 'other')];
    const page = pageOf({ machine, command: 'npm run coherence -- --only S3', at: '2026-11-22T00:00:00Z', rows });
    expect(page).toContain('```sh\nnpm run coherence -- --only S3\n```');
    expect(page).toContain(
      '2026-11-22, 2 cores of a cpu, Linux x64, Node v20.0.0. fleetflow-cache 1.2.3, other 1.2.3.',
    );
    expect(page).toContain('|  | scenario | ours single | ours cluster | other |');
    expect(page).toContain(`| S3 | ${scenario?.title} | ok | ok | FAIL |`);
    expect(page).toContain('- **S3** other: FAIL. stale \\| for good');
  });
});
