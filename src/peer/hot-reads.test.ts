import { describe, expect, it } from 'vitest';
import { formatHot, parseHot } from './hot-reads.js';

describe('which keys of a reply are hot', () => {
  it('is these characters, in this version and every later one', () => {
    expect(formatHot([0, 3, 255])).toBe('0,3,255');
    expect([...parseHot('0,3,255')]).toEqual([0, 3, 255]);
  });

  it('is not said when there are none, which is what a node says that does not know of it', () => {
    expect(formatHot([])).toBeUndefined();
    expect(parseHot(undefined).size).toBe(0);
  });

  it.each(['', ',', '1,', '-1', '1;2', '1, 2', 'all', '999999', '0x1'])('is nothing when it is %j', (value) => {
    expect(parseHot(value).size).toBe(0);
  });
});
