import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeLocation } from '../contract/repository-records.js';
import { type Claim, chosenOf, FRAME_MAX, latestFrame } from './moment-oracle.js';

const frame = fc.integer({ min: 1, max: FRAME_MAX });
const claim = (lat: number, frame?: number, history = false): Claim => ({
  location: makeLocation('42', 0, { lat }),
  frame,
  history,
});

describe('the choice among reports of one time', () => {
  it('believes the later frame, live before history, and what is numbered before what is not', () => {
    const [early, late, past, unnumbered] = [claim(19, 7), claim(19, 8), claim(19, 9, true), claim(89)];
    expect(chosenOf([past, unnumbered, early, late])).toBe(late);
    expect(chosenOf([past, claim(1, 3, true)])).toBe(past);
    expect(chosenOf([claim(18), unnumbered])).toBe(unnumbered);
  });
});

describe('latestFrame', () => {
  it('is the last one, also when the numbers began again', () => {
    expect(latestFrame([])).toBeUndefined();
    expect(latestFrame([5])).toBe(5);
    expect(latestFrame([5, 7, 6])).toBe(7);
    expect(latestFrame([1, FRAME_MAX])).toBe(1);
    expect(latestFrame([2, FRAME_MAX - 1, 1, FRAME_MAX])).toBe(2);
  });

  it('finds the last of up to a hundred frames from wherever they start', () => {
    fc.assert(
      fc.property(frame, fc.uniqueArray(fc.integer({ min: 0, max: 99 }), { minLength: 1 }), (start, steps) => {
        const numbered = (step: number) => ((start - 1 + step) % FRAME_MAX) + 1;
        expect(latestFrame(steps.map(numbered))).toBe(numbered(Math.max(...steps)));
      }),
    );
  });
});
