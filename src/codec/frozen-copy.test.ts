import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MsgpackCodec } from './msgpack-codec.js';

const codec = new MsgpackCodec();
const values = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSparseArray: true,
  withTypedArray: true,
});

function isFrozenThrough(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isFrozenThrough);
}

describe('copy', () => {
  it('gives what decoding the bytes gives, or nothing', () => {
    fc.assert(
      fc.property(values, (value) => {
        const copy = codec.copy(value);
        if (copy === undefined) return;
        expect(isDeepStrictEqual(copy, codec.decode(codec.encode(value)).value)).toBe(true);
        expect(isFrozenThrough(copy)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('copies what is most often cached', () => {
    const value = { id: 1, at: new Date(5), tags: ['a', 'b'], none: null, left: undefined, minus: -0, big: 2n ** 70n };
    expect(codec.copy(value)).toStrictEqual(value);
    expect(codec.copy('\ud800')).toBe('\ud800');
  });

  it('is not changed with what it was made of, nor by who gets it', () => {
    const value = { at: new Date(5), list: [{ n: 1 }] };
    const copy = codec.copy(value) as typeof value;
    value.at.setTime(6);
    (value.list[0] as { n: number }).n = 2;
    expect(copy).toEqual({ at: new Date(5), list: [{ n: 1 }] });
    expect(() => copy.at.setTime(7)).toThrow(TypeError);
    expect(() => copy.list.push({ n: 3 })).toThrow(TypeError);
  });

  it('reads a property once, and leaves those under symbols behind', () => {
    let reads = 0;
    const value = {
      get n() {
        return ++reads;
      },
      [Symbol('s')]: 1,
    };
    expect(codec.copy(value)).toStrictEqual({ n: 1 });
    expect(reads).toBe(1);
  });

  it.each([
    ['bytes', { bytes: new Uint8Array(1) }],
    ['a Map', new Map()],
    ['an instance of a class', new (class A {})()],
    ['a property named __proto__', JSON.parse('{"__proto__": 1}')],
    ['a function', { f: () => 1 }],
    ['a symbol', [Symbol('s')]],
    ['a getter that throws', Object.defineProperty({}, 'x', { enumerable: true, get: () => raise() })],
    ['nothing', undefined],
  ])('leaves %s to the bytes', (_, value) => {
    expect(codec.copy(value)).toBeUndefined();
  });

  it('leaves a value that holds itself to the bytes, which refuse it', () => {
    const value: { self?: unknown } = {};
    value.self = value;
    expect(codec.copy(value)).toBeUndefined();
  });
});

function raise(): never {
  throw new Error('not readable');
}
