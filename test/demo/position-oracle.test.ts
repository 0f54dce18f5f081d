import { describe, expect, it } from 'vitest';
import { PositionOracle } from '../../src/cli/demo/position-oracle.js';
import type { PositionReport } from '../../src/node/demo/protocol.js';

const NOW_MS = 1_800_000_000_000;
const HERE = { vehicleId: '1', at: NOW_MS - 1_000, lat: 19, lon: 72, speedKmh: 30, engineOn: true };

function oracleOf(...reports: readonly Partial<PositionReport>[]): PositionOracle {
  const oracle = new PositionOracle();
  for (const report of reports) oracle.take({ ...HERE, ...report }, NOW_MS);
  return oracle;
}

describe('the oracle', () => {
  it('goes by the newest time, in whatever order the reports come', () => {
    const oracle = oracleOf({ lat: 20 }, { at: HERE.at - 5_000, lat: 21, history: true });
    expect(oracle.compare([{ ...HERE, lat: 20 }])).toEqual([]);
    expect(oracle.compare([{ ...HERE, at: HERE.at - 5_000, lat: 21 }])).toHaveLength(1);
  });

  it('takes either of two reports of one time, and nothing else', () => {
    const oracle = oracleOf({ lat: 20 }, { lat: 21 });
    expect(oracle.compare([{ ...HERE, lat: 20 }])).toEqual([]);
    expect(oracle.compare([{ ...HERE, lat: 21 }])).toEqual([]);
    expect(oracle.compare([{ ...HERE, lat: 22 }])).toHaveLength(1);
  });

  it.each<[string, Partial<PositionReport>]>([
    ['0,0', { lat: 0, lon: 0 }],
    ['a place off the globe', { lat: 91 }],
    ['a time more than 5 s ahead', { at: NOW_MS + 5_001 }],
    ['a speed that trackers send for none', { speedKmh: 655.35 }],
  ])('does not believe %s', (_what, report) => {
    expect(oracleOf(report).vehicleIds).toEqual([]);
  });

  it('believes a time that is 5 s ahead', () => {
    expect(oracleOf({ at: NOW_MS + 5_000 }).vehicleIds).toEqual(['1']);
  });

  it('finds every difference, and a vehicle that is nowhere', () => {
    const oracle = oracleOf({});
    expect(oracle.compare([])).toEqual([{ vehicleId: '1', expected: HERE, found: undefined }]);
    for (const other of [{ lat: 20 }, { lon: 73 }, { at: HERE.at - 1 }, { speedKmh: 0 }, { engineOn: false }]) {
      expect(oracle.compare([{ ...HERE, ...other }])).toHaveLength(1);
    }
  });

  it('knows nothing of a vehicle that it was told to forget', () => {
    const oracle = oracleOf({});
    oracle.forget('1');
    expect(oracle.compare([])).toEqual([]);
  });
});
