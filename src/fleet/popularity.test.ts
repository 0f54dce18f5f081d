import { describe, expect, it } from 'vitest';
import { HOUR_MS } from './ist-calendar.js';
import { Popularity } from './popularity.js';

describe('popularity', () => {
  it('ranks by how often, and what was asked 12 h ago counts half', () => {
    const popularity = new Popularity(10);
    popularity.add([['old', 10]], 0);
    popularity.add([['new', 6]], 12 * HOUR_MS);
    expect(popularity.top(10)).toEqual([
      ['new', 6],
      ['old', 5],
    ]);
    popularity.add([['old', 2]], 12 * HOUR_MS);
    expect(popularity.top(1)).toEqual([['old', 7]]);
  });

  it('keeps those that are asked for most, and forgets what nobody asks for any more', () => {
    const popularity = new Popularity(2);
    popularity.add(
      [
        ['a', 1],
        ['b', 3],
        ['c', 2],
      ],
      0,
    );
    expect(popularity.top(9).map(([id]) => id)).toEqual(['b', 'c']);
    popularity.add([], 10 * 24 * HOUR_MS);
    expect(popularity.size).toBe(0);
  });
});
