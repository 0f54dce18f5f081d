import { describe, expect, it } from 'vitest';
import { History } from './history.js';

function historyOf(reads: readonly (readonly [key: number, dueMs: number, tookMs: number])[]): History {
  const history = new History();
  history.read('a', Float64Array.from(reads.flat()), []);
  return history;
}

describe('a history', () => {
  it('takes the slowest of the fastest so many in a thousand', () => {
    const history = historyOf(Array.from({ length: 1_000 }, (_, i) => [0, i, 1_000 - i]));
    const all = { fromMs: 0, untilMs: 1_000 };
    expect(history.quantileMs(990, all, () => true)).toBe(990);
    expect(history.quantileMs(1_000, all, () => true)).toBe(1_000);
    expect(history.quantileMs(990, { fromMs: 500, untilMs: 600 }, () => true)).toBe(499);
    expect(history.quantileMs(990, all, ({ key }) => key === 1)).toBeUndefined();
  });

  it('counts until the last second in which too many were loaded', () => {
    const history = historyOf(Array.from({ length: 50 }, (_, i) => [i, i * 100, 1]));
    history.loading([1], 1_500);
    history.loading([2], 3_500);
    const span = { fromMs: 0, untilMs: 5_000 };
    expect(history.secondsUntilHits(1, span)).toBe(4);
    expect(history.secondsUntilHits(0.9, span)).toBe(0);
    expect(history.hitShare(span)).toBe(0.96);
    expect([...history.loadsByKey()]).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });
});
