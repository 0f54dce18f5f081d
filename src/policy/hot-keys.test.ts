import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HotKeys } from './hot-keys.js';

function noteTimes(keys: HotKeys, key: string, times: number, nowMs: number): boolean {
  let isHot = false;
  for (let i = 0; i < times; i++) isHot = keys.note(key, nowMs);
  return isHot;
}

describe('hot keys', () => {
  it('are those that were read 32 times within a second', () => {
    const keys = new HotKeys();
    expect(noteTimes(keys, 'k', 31, 0)).toBe(false);
    expect(keys.note('k', 999)).toBe(true);
    expect(keys.note('other', 999)).toBe(false);
  });

  it('are not those that were read so often in longer than a second', () => {
    const keys = new HotKeys();
    noteTimes(keys, 'k', 31, 0);
    expect(noteTimes(keys, 'k', 31, 1_000)).toBe(false);
    expect(noteTimes(keys, 'k', 31, 2_000)).toBe(false);
  });

  it('stay so for one more second, and no longer unless they are read as often again', () => {
    const keys = new HotKeys();
    noteTimes(keys, 'k', 32, 0);
    expect(keys.note('k', 1_999)).toBe(true);
    expect(keys.note('k', 2_000)).toBe(false);
  });

  it('are forgotten when nothing was asked for in the meantime', () => {
    const keys = new HotKeys();
    noteTimes(keys, 'k', 32, 0);
    expect(keys.note('k', 60_000)).toBe(false);
  });

  it('are found among a hundred thousand that are asked for once', () => {
    const keys = new HotKeys();
    let isHot = false;
    const wrong: string[] = [];
    for (let i = 0; i < 100_000; i++) {
      if (keys.note(`once-${i}`, 0)) wrong.push(`once-${i}`);
      if (i % 500 === 0) isHot = keys.note('often', 0);
    }
    expect(isHot).toBe(true);
    expect(wrong).toEqual([]);
  });

  it('are never those that no second of the last two had so often', () => {
    const reads = fc.array(
      fc.record({ key: fc.integer({ min: 0, max: 3 }), times: fc.integer({ min: 1, max: 40 }), laterMs: fc.nat(700) }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(reads, (all) => {
        const keys = new HotKeys();
        const seen: { key: string; atMs: number }[] = [];
        let nowMs = 0;
        for (const { key, times, laterMs } of all) {
          nowMs += laterMs;
          for (let i = 0; i < times; i++) {
            seen.push({ key: `k${key}`, atMs: nowMs });
            const own = seen.filter((one) => one.key === `k${key}` && one.atMs > nowMs - 2_000);
            const isOften = own.some(
              (one, at) => own[at + 31] !== undefined && (own[at + 31]?.atMs as number) - one.atMs < 1_000,
            );
            if (keys.note(`k${key}`, nowMs)) expect(isOften).toBe(true);
          }
        }
      }),
      { numRuns: 30 },
    );
  });
});
