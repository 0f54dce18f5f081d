import { describe, expect, it } from 'vitest';
import { LentFlights } from './lent-flights.js';

const MIB = 1_048_576;

describe('flights that have ended and are lent', () => {
  it('are there until their time is over', () => {
    const lent = new LentFlights<{ key: string }>();
    const flight = { key: 'k' };
    lent.keep(flight, 800, 10, 0);
    expect([lent.find('k', 799), lent.find('other', 799)]).toEqual([flight, undefined]);
    expect([lent.find('k', 800), lent.size]).toEqual([undefined, 0]);
    lent.keep(flight, 800, 10, 800);
    expect(lent.size).toBe(0);
  });

  it('take the place of the one of the same key, and go when something happens to it', () => {
    const lent = new LentFlights<{ key: string }>();
    const [older, newer, other] = [{ key: 'k' }, { key: 'k' }, { key: 'other' }];
    for (const flight of [older, newer, other]) lent.keep(flight, 800, 10, 0);
    expect([lent.find('k', 0), lent.size]).toEqual([newer, 2]);
    lent.drop('k');
    lent.drop('unknown');
    expect([lent.find('k', 0), lent.find('other', 0)]).toEqual([undefined, other]);
  });

  it('go together when something happens to many keys', () => {
    const lent = new LentFlights<{ key: string }>();
    for (const key of ['a1', 'a2', 'b']) lent.keep({ key }, 800, 10, 0);
    lent.dropAll((key) => key.startsWith('a'));
    expect([lent.find('a1', 0), lent.find('a2', 0), lent.find('b', 0)?.key]).toEqual([undefined, undefined, 'b']);
    lent.dropAll();
    expect(lent.size).toBe(0);
  });

  it.each([
    ['so many', 1_024, 1],
    ['so many bytes', 16, MIB],
  ])('are only %s: what is over makes room, and what is not stays', (_, most, sizeBytes) => {
    const lent = new LentFlights<{ key: string }>();
    for (let i = 0; i < most; i++) lent.keep({ key: `key ${i}` }, i < 5 ? 400 : 800, sizeBytes, 0);
    lent.keep({ key: 'one more' }, 800, sizeBytes, 399);
    expect([lent.size, lent.find('one more', 399)]).toEqual([most, undefined]);
    lent.keep({ key: 'one more' }, 800, sizeBytes, 400);
    expect([lent.size, lent.find('one more', 400)?.key]).toEqual([most - 4, 'one more']);
  });
});
