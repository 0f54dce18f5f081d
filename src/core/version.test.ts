import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hlc } from '../../test/core/entries.js';
import type { Hlc } from './hlc.js';
import { compareHlc } from './hlc.js';
import {
  clampEventTimeMs,
  compareVersions,
  decodeHlc,
  decodeVersion,
  encodeHlc,
  encodeVersion,
  isEncodedVersion,
  newerVersion,
  type Version,
} from './version.js';

const max48 = 2 ** 48 - 1;
/** Small numbers often, so that fields tie; large ones too, so that widths show. */
const number48 = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: max48 }), fc.constant(max48));
const reading: fc.Arbitrary<Hlc> = fc.record({
  ms: number48,
  counter: fc.oneof(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 65_535 })),
});
const anyVersion: fc.Arbitrary<Version> = fc.record({ eventTimeMs: number48, hlc: reading, origin: number48 });

describe('an encoded version', () => {
  it('sorts as text as the version sorts', () => {
    fc.assert(
      fc.property(anyVersion, anyVersion, (a, b) => {
        const [textA, textB] = [encodeVersion(a), encodeVersion(b)];
        expect(Math.sign(compareVersions(a, b))).toBe(textA < textB ? -1 : textA > textB ? 1 : 0);
        expect(newerVersion(a, b)).toBe(textA >= textB ? a : b);
      }),
    );
  });

  it('comes back as it was, 48-bit origins too', () => {
    fc.assert(
      fc.property(anyVersion, (version) => {
        const text = encodeVersion(version);
        expect(text).toHaveLength(40);
        expect(isEncodedVersion(text)).toBe(true);
        expect(decodeVersion(text)).toEqual(version);
      }),
    );
  });

  it('is written as it always was', () => {
    const version = { eventTimeMs: 1_700_000_000_000, hlc: hlc(1_700_000_000_001, 258), origin: 0xabcdef012345 };
    expect(encodeVersion(version)).toBe('018bcfe56800018bcfe568010102abcdef012345');
  });

  it.each(['', '0', 'g'.repeat(40), 'A'.repeat(40), '0'.repeat(39), '0'.repeat(41), `${'0'.repeat(40)}\n`])(
    'is not %j',
    (text) => {
      expect(isEncodedVersion(text)).toBe(false);
    },
  );
});

it('an encoded reading sorts as text as the reading sorts, and comes back', () => {
  fc.assert(
    fc.property(reading, reading, (a, b) => {
      const [textA, textB] = [encodeHlc(a), encodeHlc(b)];
      expect(Math.sign(compareHlc(a, b))).toBe(textA < textB ? -1 : textA > textB ? 1 : 0);
      expect(decodeHlc(textA)).toEqual(a);
    }),
  );
});

it.each([
  [1_000, 1_000],
  [1_000.9, 1_000],
  [-5, 0],
  [15_000, 15_000],
  [15_000.5, 15_000],
  [15_001, 15_000],
  [Date.UTC(2080, 0), 15_000],
])('an event time of %d is taken as %d when it is 10,000', (given, taken) => {
  expect(clampEventTimeMs(given, 10_000)).toBe(taken);
});
