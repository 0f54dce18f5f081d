import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
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

/** Node takes two invalid dates for different ones. */
function holdsInvalidDate(value: unknown): boolean {
  return fc.stringify(value).includes('Date(NaN)');
}

function isFrozenThrough(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isFrozenThrough);
}

describe('copy', () => {
  it('gives what decoding the bytes gives, or nothing', () => {
    fc.assert(
      fc.property(values, (value) => {
        const copy = codec.copy(value);
        if (copy === undefined || holdsInvalidDate(value)) return;
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
    expect(codec.copy({ at: new Date(Number.NaN) })).toStrictEqual({ at: new Date(Number.NaN) });
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

/** So many of a kind that they are copied by a function of their own. */
const MANY = 30;

describe('copies of many records with the same properties', () => {
  afterEach(() => void vi.unstubAllGlobals());

  it('are what decoding their bytes gives, whatever stands in the properties', () => {
    const names = ['id', 'two words', 'constructor', '"];throw 1;//', 'नाम', '\u2028', 'get'];
    fc.assert(
      fc.property(fc.array(fc.tuple(...names.map(() => values)), { minLength: MANY, maxLength: MANY }), (rows) => {
        const one = new MsgpackCodec();
        for (const row of rows) {
          const record = Object.fromEntries(names.map((name, i) => [name, row[i]]));
          const copy = one.copy(record);
          if (copy === undefined || holdsInvalidDate(record)) continue;
          expect(isDeepStrictEqual(copy, one.decode(one.encode(record)).value)).toBe(true);
          expect(isFrozenThrough(copy)).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('leave to the bytes what the first of them could have and the last cannot', () => {
    for (const part of [new Uint8Array(1), new Map(), () => 1, Symbol('s'), { deeper: [new Set()] }]) {
      const one = new MsgpackCodec();
      for (let n = 0; n < MANY; n++) expect(one.copy({ n, part: [n] })).toEqual({ n, part: [n] });
      expect(one.copy({ n: 1, part })).toBeUndefined();
      expect(one.copy({ n: 1, part: 2 })).toEqual({ n: 1, part: 2 });
    }
  });

  it('have no property that the record has only inherited, nor lack one', () => {
    const one = new MsgpackCodec();
    for (let n = 0; n < MANY; n++) one.copy({ a: n, b: n });
    let copy: unknown;
    Object.defineProperty(Object.prototype, 'b', { value: 'inherited', enumerable: true, configurable: true });
    try {
      copy = one.copy({ a: 1 });
    } finally {
      Reflect.deleteProperty(Object.prototype, 'b');
    }
    expect(copy).toBeUndefined();
    expect(Object.keys(one.copy({ a: 1 }) as object)).toEqual(['a']);
    expect(Object.keys(one.copy({ b: 1, a: 2 }) as object)).toEqual(['b', 'a']);
    expect(Object.keys(one.copy({ a: 1, b: 2, c: 3 }) as object)).toEqual(['a', 'b', 'c']);
  });

  it('are given up in time for one that holds itself twice over', () => {
    const one = new MsgpackCodec();
    for (let n = 0; n < MANY; n++) one.copy({ left: n, right: n });
    const value: Record<string, unknown> = { left: 1, right: 2 };
    value.left = value;
    value.right = value;
    expect(one.copy(value)).toBeUndefined();
  });

  it('are right with more kinds, and more properties, than are remembered', () => {
    const one = new MsgpackCodec();
    for (let n = 0; n < 10_000; n++)
      expect(one.copy({ [`name${n}`]: n, also: n })).toEqual({ [`name${n}`]: n, also: n });
    const wide = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`field${i}`, i]));
    for (let n = 0; n < MANY; n++) expect(one.copy(wide)).toEqual(wide);
    for (let n = 0; n < MANY; n++) expect(one.copy({ 7: n, 3: n })).toEqual({ 7: n, 3: n });
  });

  it('are made where no code may be made at run time, too', () => {
    vi.stubGlobal('Function', () => {
      throw new EvalError('Code generation from strings disallowed for this context');
    });
    const one = new MsgpackCodec();
    for (let n = 0; n < MANY; n++) expect(one.copy({ n, at: new Date(n) })).toEqual({ n, at: new Date(n) });
  });
});

function raise(): never {
  throw new Error('not readable');
}
