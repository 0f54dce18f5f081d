import { describe, expect, it } from 'vitest';
import { zipfOrder } from '../../bench/data/zipf.js';
import { measuredRows, ratioRow } from '../../bench/harness/comparison.js';
import { closedLoop, openLoop, openRate } from '../../bench/harness/load.js';
import { playRounds } from '../../bench/harness/rounds.js';
import { stalenessOf } from '../../bench/harness/staleness.js';
import { ratioOf, spreadOf } from '../../bench/harness/statistics.js';
import { boundedRow, lossesOf } from '../../bench/row.js';
import { Histogram } from '../../src/metrics/histogram.js';

const bench = { seed: 1, signal: new AbortController().signal };

describe('statistics', () => {
  it('takes the middle, and between two the mean', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ value: 2, low: 1, high: 3 });
    expect(spreadOf([4, 1, 2, 3]).value).toBe(2.5);
    expect(() => spreadOf([])).toThrow(RangeError);
  });

  it('gives the ratio of the medians, and the spread of the ratios of the rounds', () => {
    expect(ratioOf([10, 20, 30], [10, 10, 10])).toEqual({ value: 2, low: 1, high: 3 });
  });
});

describe('rounds', () => {
  it('let everybody run once per round, in an order that changes, and count no warm-up', async () => {
    const ran: string[] = [];
    const contenders = ['a', 'b', 'c'].map((subject) => ({
      subject,
      run: async () => {
        ran.push(subject);
        return ran.length;
      },
    }));
    const measured = await playRounds(bench, contenders, { rounds: 8, warmUps: 1 });
    const rounds = Array.from({ length: 9 }, (_, i) => ran.slice(3 * i, 3 * i + 3).join(''));
    expect(rounds.map((round) => [...round].sort().join(''))).toEqual(Array(9).fill('abc'));
    expect(new Set(rounds).size).toBeGreaterThan(1);
    expect([...measured.values()].map((values) => values.length)).toEqual([8, 8, 8]);
  });

  it('measure no error and no nonsense', async () => {
    const play = (run: () => Promise<number>) => playRounds(bench, [{ subject: 'a', run }], { rounds: 1, warmUps: 0 });
    await expect(play(() => Promise.reject(new Error('a wrong value')))).rejects.toThrow('a wrong value');
    await expect(play(async () => Number.NaN)).rejects.toThrow('NaN');
  });

  it('stop between two runs', async () => {
    const stop = new AbortController();
    const run = async (): Promise<number> => {
      stop.abort(new Error('enough'));
      return 1;
    };
    const playing = playRounds({ seed: 1, signal: stop.signal }, [{ subject: 'a', run }], { rounds: 2, warmUps: 0 });
    await expect(playing).rejects.toThrow('enough');
  });
});

describe('comparisons', () => {
  const measured = new Map([
    ['fleetflow-cache', [10, 10]],
    ['slow', [40, 40]],
    ['fast', [20, 20]],
  ]);
  const times = { section: 's', id: 'i', unit: 'ns', better: 'lower', measured } as const;

  it('are made against the best of those named, and say how many times better ours is', () => {
    const [row] = ratioRow(times, { against: ['slow', 'fast'], bound: 3 });
    expect(row).toMatchObject({ against: 'fast', value: 2, bound: 3, ok: false });
    const [speed] = ratioRow({ ...times, better: 'higher' }, { against: ['slow', 'fast'], bound: 0.2 });
    expect(speed).toMatchObject({ against: 'slow', value: 0.25, ok: true });
  });

  it('can say how many times the time of another ours takes', () => {
    const [row] = ratioRow(times, { against: ['fast'], bound: 1, as: 'time' });
    expect(row).toMatchObject({ value: 0.5, better: 'lower', ok: true });
  });

  it('are left out where nobody stands against ours', () => {
    expect(ratioRow(times, { against: ['nobody'], bound: 1 })).toEqual([]);
    expect(measuredRows(times).map(({ value }) => value)).toEqual([10, 40, 20]);
  });

  it('lose for ours alone', () => {
    const row = { section: 's', id: 'i', value: 1, unit: 'x', better: 'higher', bound: 2 } as const;
    const rows = [boundedRow({ ...row, subject: 'fleetflow-cache' }), boundedRow({ ...row, subject: 'slow' })];
    expect(lossesOf(rows).map(({ subject }) => subject)).toEqual(['fleetflow-cache']);
  });

  it('lose a quick run by what is counted, and not by what is timed', () => {
    const row = { section: 's', unit: 'x', better: 'higher', subject: 'fleetflow-cache', value: 1, bound: 2 } as const;
    const rows = [boundedRow({ ...row, id: 'timed' }), boundedRow({ ...row, id: 'counted', exact: true })];
    expect(lossesOf(rows, true).map(({ id }) => id)).toEqual(['counted']);
    expect(lossesOf(rows)).toHaveLength(2);
  });
});

describe('load', () => {
  it('keeps so many under way in a closed loop', async () => {
    let underWay = 0;
    let most = 0;
    const perSecond = await closedLoop(5, 20, async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
    });
    expect(most).toBe(5);
    expect(perSecond).toBeGreaterThan(0);
  });

  it('asks in an open loop as often as it says, and never before it is due', async () => {
    const startedMs = performance.now();
    const early: number[] = [];
    const { latencies, perSecond } = await openLoop(100, 100, async (n) => {
      if (performance.now() - startedMs < n * 10 - 1) early.push(n);
    });
    expect(early).toEqual([]);
    expect(latencies.count).toBe(10);
    expect(perSecond).toBeGreaterThan(0);
  });

  it('asks for no more in an open loop than can be kept up', () => {
    expect(openRate(1_000, 5_000)).toBe(1_000);
    expect(openRate(1_000, 1_000)).toBe(800);
  });

  it('counts what waits behind a stall from the instant at which it was due', async () => {
    const stallMs = 60;
    const { latencies } = await openLoop(1_000, 100, async (n) => {
      if (n !== 10) return;
      const endMs = performance.now() + stallMs;
      while (performance.now() < endMs);
    });
    expect(latencies.count).toBe(100);
    // Asked by a closed loop, one alone would have been slow.
    const slow = latencies.count * (1 - shareBelow(latencies, stallMs / 4));
    expect(slow).toBeGreaterThan(20);
  });

  it('rejects with the error of what it asked', async () => {
    const wrong = () => Promise.reject(new Error('a wrong value'));
    await expect(openLoop(1_000, 10, wrong)).rejects.toThrow('a wrong value');
    await expect(closedLoop(2, 10, wrong)).rejects.toThrow('a wrong value');
  });
});

function shareBelow(latencies: Parameters<typeof Histogram.from>[0], ms: number): number {
  const histogram = Histogram.from(latencies);
  const shares = Array.from({ length: 100 }, (_, i) => (i + 1) / 100);
  return shares.filter((share) => (histogram.quantile(share) ?? 0) < ms).length / 100;
}

describe('keys by Zipf', () => {
  it('come as often as their rank says, the same for the same seed', () => {
    const order = zipfOrder(1_000, 100_000, 7);
    expect(zipfOrder(1_000, 100_000, 7)).toEqual(order);
    const counts = new Map<number, number>();
    for (const number of order) counts.set(number, (counts.get(number) ?? 0) + 1);
    const byRank = [...counts.values()].sort((a, b) => b - a);
    const harmonic = Array.from({ length: 1_000 }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b);
    expect((byRank[0] ?? 0) / 100_000).toBeCloseTo(1 / harmonic, 2);
    expect((byRank[9] ?? 0) / 100_000).toBeCloseTo(1 / (10 * harmonic), 2);
  });
});

describe('staleness', () => {
  const written = [
    { vehicle: [1, 1, 2], positionMs: [100, 300, 100], atMs: [1_000, 3_000, 1_000] },
    { vehicle: [1], positionMs: [200], atMs: [2_000] },
  ];
  const read = (vehicle: number, positionMs: number, atMs: number) =>
    stalenessOf(written, [{ vehicle: [vehicle], positionMs: [positionMs], atMs: [atMs] }], 500);

  it('is an answer older than what had been acknowledged before the question', () => {
    expect(read(1, 100, 2_100)).toEqual({ looked: 1, stale: 1, late: 0, worstMs: 100 });
    expect(read(1, 200, 2_100)).toEqual({ looked: 1, stale: 0, late: 0, worstMs: 0 });
  });

  it('counts from the first acknowledgement of anything newer', () => {
    expect(read(1, 100, 3_100)).toEqual({ looked: 1, stale: 1, late: 1, worstMs: 1_100 });
  });

  it('is not what was acknowledged while the question was under way', () => {
    expect(read(1, 200, 2_999)).toMatchObject({ stale: 0 });
  });

  it('does not ask for more than is known of a vehicle', () => {
    expect(read(3, 1, 9_000)).toMatchObject({ looked: 1, stale: 0 });
  });

  it('takes an older position that came late for what it is', () => {
    const late = { vehicle: [2], positionMs: [50], atMs: [5_000] };
    const reads = [{ vehicle: [2], positionMs: [100], atMs: [6_000] }];
    expect(stalenessOf([...written, late], reads, 500)).toMatchObject({ stale: 0 });
  });
});
