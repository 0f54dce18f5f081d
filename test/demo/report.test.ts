import { describe, expect, it } from 'vitest';
import { type ReportFacts, reportRows } from '../../src/cli/demo/report.js';
import { changesOf, pageOf } from './sample-page.js';

const FEED = {
  offered: 10,
  lost: 0,
  newest: 8,
  history: 2,
  duplicates: 0,
  ghosts: 0,
  jumps: 0,
  rejected: 0,
  clamped: 0,
};
const HITS = { local: 70, distributed: 20, peer: 5, sister: 0, source: 5 };

function factsOf(change: Partial<ReportFacts> = {}, hits = HITS): ReportFacts {
  return {
    figures: {
      page: () => pageOf(),
      totals: () => ({ reads: 100, readsPerSecond: 10, hitRate: 0.95, hits, databaseReads: 3 }),
      questions: () => [{ kind: 'map', count: 4, p50Ms: 1.23456, p99Ms: undefined }],
      changes: () => changesOf({ changes: 12, lagBytes: 256 }),
    },
    feed: FEED,
    replay: undefined,
    mismatches: 0,
    compared: 7,
    foreign: { rows: 40, unseen: 0, seenAfterMs: 12.3456, blind: [] },
    nodesLost: 0,
    complete: true,
    processesLeft: 0,
    foldersLeft: 0,
    ...change,
  };
}

const failedOf = (facts: ReportFacts) =>
  reportRows(facts)
    .filter(({ ok }) => ok === false)
    .map(({ section, id }) => `${section} ${id}`);

describe('the report', () => {
  it('has a row for each figure, of our subject, with its unit', () => {
    const rows = reportRows(factsOf());
    expect(rows).toContainEqual({
      section: 'levels',
      id: 'peer.hits',
      subject: 'fleetflow-cache',
      value: 5,
      unit: 'reads',
      bound: '>= 1',
      ok: true,
    });
    expect(rows).toContainEqual({
      section: 'database',
      id: 'queries-per-1000-reads',
      subject: 'fleetflow-cache',
      value: 30,
      unit: 'queries',
    });
    expect(rows).toContainEqual({
      section: 'questions',
      id: 'map.p50',
      subject: 'fleetflow-cache',
      value: 1.235,
      unit: 'ms',
    });
    expect(new Set(rows.map(({ section, id }) => `${section} ${id}`)).size).toBe(rows.length);
    expect(failedOf(factsOf())).toEqual([]);
  });

  it('tells how the changes of the database come, and after how long all nodes show what somebody else wrote', () => {
    const told = (facts: ReportFacts) =>
      reportRows(facts)
        .filter(({ section }) => section === 'changes' || section === 'demo')
        .map(({ section, id, value }) => `${section} ${id} ${value}`);
    expect(told(factsOf())).toEqual([
      'changes readers.logical 1',
      'changes events 12',
      'changes invalidated 0',
      'changes positions 0',
      'changes known 0',
      'changes started-over 0',
      'changes reconnects 0',
      'changes lag-bytes 256',
      'demo foreign.rows 40',
      'demo foreign.unseen 0',
      'demo foreign.seen-after 12.35',
    ]);
    const blind = factsOf({ foreign: { rows: 40, unseen: 2, seenAfterMs: undefined, blind: ['node-3'] } });
    expect(failedOf(blind)).toEqual(['demo foreign.unseen']);
    const { figures } = factsOf();
    const nobody = changesOf({ reader: undefined, transport: undefined, changes: 1 });
    expect(failedOf(factsOf({ figures: { ...figures, changes: () => nobody } }))).toEqual(['changes readers.unknown']);
  });

  it('leaves out what was not measured', () => {
    expect(reportRows(factsOf({ foreign: undefined })).some(({ section }) => section === 'demo')).toBe(false);
    expect(reportRows(factsOf()).some(({ id }) => id === 'map.p99')).toBe(false);
    expect(reportRows(factsOf()).some(({ id }) => id === 'sister.hits')).toBe(false);
    expect(reportRows(factsOf({ mismatches: undefined })).some(({ id }) => id === 'final-positions')).toBe(false);
  });

  it('fails what is not as it must be', () => {
    expect(failedOf(factsOf({}, { ...HITS, peer: 0 }))).toEqual(['levels peer.hits']);
    expect(failedOf(factsOf({ mismatches: 1 }))).toEqual(['positions final-positions']);
    expect(failedOf(factsOf({ feed: { ...FEED, lost: 1 } }))).toEqual(['writes lost']);
    expect(failedOf(factsOf({ nodesLost: 1, processesLeft: 1, foldersLeft: 1 }))).toEqual([
      'end nodes-lost',
      'end processes-left',
      'end folders-left',
    ]);
  });

  it('does not ask a run that was cut short to have seen every level', () => {
    expect(failedOf(factsOf({ complete: false }, { ...HITS, peer: 0 }))).toEqual([]);
  });

  it('counts the lines of a replay that were passed over, and fails a file that broke off', () => {
    const replay = { pings: 9, badLines: 2, ahead: 1, isBroken: true };
    const rows = reportRows(factsOf({ replay }));
    expect(rows.filter(({ section }) => section === 'replay').map(({ id, value }) => [id, value])).toEqual([
      ['pings', 9],
      ['bad-lines', 2],
      ['future-clocks', 1],
      ['broken-files', 1],
      ['vehicles-compared', 7],
      ['final-positions', 0],
    ]);
    expect(failedOf(factsOf({ replay }))).toEqual(['replay broken-files']);
  });
});
