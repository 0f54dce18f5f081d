import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheError } from '../core/errors.js';
import { FLOORS_MAX, type Floor } from '../core/floors.js';
import { formatFloorList, formatFloors, formatHello, parseFloorList, parseFloors } from './control-format.js';
import type { Hello } from './transport.js';

const hello: Hello = {
  node: { id: '0123456789ab', address: '127.0.0.1:7946', weight: 1 },
  epoch: '0011223344556677',
  floors: '0193aabbccdd0001.42',
  members: [{ id: 'ba9876543210', address: '[::1]:7947', weight: 2.5, status: 'suspect' }],
};

const floors: Floor[] = [
  { scope: 'all', subject: '', hlc: { ms: 1, counter: 0 } },
  { scope: 'partition', subject: '255', hlc: { ms: 1_700_000_000_000, counter: 65_535 } },
  { scope: 'tag', subject: 'région:मुंबई', hlc: { ms: 2, counter: 3 } },
  { scope: 'pattern', subject: 'vehicle:*:42', hlc: { ms: 4, counter: 5 } },
];

describe('what nodes say as JSON', () => {
  it('comes back as it was said', () => {
    expect(parseFloors(formatFloors(floors))).toEqual(floors);
    expect(parseFloorList(formatFloorList({ mark: 'ab.7', floors }))).toEqual({ mark: 'ab.7', floors });
  });

  it('is readable: a member with its status, a floor with its reading as 16 hex digits', () => {
    expect(JSON.parse(formatHello(hello)).members).toEqual([
      { id: 'ba9876543210', address: '[::1]:7947', weight: 2.5, status: 'suspect' },
    ]);
    expect(JSON.parse(formatFloors(floors.slice(2, 3)))).toEqual({
      floors: [{ scope: 'tag', subject: 'région:मुंबई', hlc: '0000000000020003' }],
    });
  });

  it.each([
    ['an unknown scope', { scope: 'city', subject: '', hlc: '0000000000010000' }],
    ['a subject for everything', { scope: 'all', subject: 'x', hlc: '0000000000010000' }],
    ['partition 256', { scope: 'partition', subject: '256', hlc: '0000000000010000' }],
    ['partition -1', { scope: 'partition', subject: '-1', hlc: '0000000000010000' }],
    ['partition 01', { scope: 'partition', subject: '01', hlc: '0000000000010000' }],
    ['an empty tag', { scope: 'tag', subject: '', hlc: '0000000000010000' }],
    ['a pattern that cannot be compiled', { scope: 'pattern', subject: 'x\\', hlc: '0000000000010000' }],
    ['a reading of 15 digits', { scope: 'tag', subject: 'x', hlc: '000000000010000' }],
    ['a reading that is a number', { scope: 'tag', subject: 'x', hlc: 7 }],
    ['no object', 7],
  ])('refuses a floor with %s', (_what, floor) => {
    expect(() => parseFloors(JSON.stringify({ floors: [floor] }))).toThrow(CacheError);
  });

  it('refuses more floors than a node keeps', () => {
    const many = new Array(2 * FLOORS_MAX + 1).fill({ scope: 'tag', subject: 'x', hlc: '0000000000010000' });
    expect(() => parseFloors(JSON.stringify({ floors: many }))).toThrow(/at most 65536/);
  });

  it('throws nothing but a CacheError, whatever it is given', () => {
    const text = fc.oneof(
      fc.json(),
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify({ mark: 'ab.1', floors: [value] })),
    );
    fc.assert(
      fc.property(text, (said) => {
        for (const parse of [parseFloors, parseFloorList]) {
          try {
            parse(said);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(CacheError);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
