import { describe, expect, it } from 'vitest';
import { type Duration, durationMs, LONGEST_DURATION_MS, positiveDurationMs } from './duration.js';

describe('durationMs', () => {
  it.each<[Duration, number]>([
    [0, 0],
    [1.4, 1],
    [1.5, 2],
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['0s', 0],
    ['400d', LONGEST_DURATION_MS],
  ])('takes %j', (duration, ms) => {
    expect(durationMs(duration, 'ttl')).toBe(ms);
  });

  it.each([
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    LONGEST_DURATION_MS + 1,
    '401d',
    '',
    '5',
    '5 m',
    ' 5m',
    '5m ',
    '-5m',
    '1e3s',
    '.5s',
    '5M',
    '5min',
    '1h30m',
    '٥m',
    null,
    undefined,
    {},
    [],
    true,
    10n,
    Symbol('s'),
  ])('refuses what is no duration, case %#, and names the field', (duration) => {
    const wanted = expect.objectContaining({ code: 'invalid-ttl', field: 'absentTtl' });
    expect(() => durationMs(duration as Duration, 'absentTtl')).toThrow(wanted);
  });
});

describe('positiveDurationMs', () => {
  it.each<Duration>([0, '0ms', 0.4])('refuses %j, which is nothing', (duration) => {
    const wanted = expect.objectContaining({ code: 'invalid-ttl', field: 'ttl' });
    expect(() => positiveDurationMs(duration, 'ttl')).toThrow(wanted);
  });

  it('takes a millisecond', () => {
    expect(positiveDurationMs(1, 'ttl')).toBe(1);
  });
});
