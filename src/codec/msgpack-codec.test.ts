import { isDeepStrictEqual } from 'node:util';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheError } from '../core/errors.js';
import { MsgpackCodec } from './msgpack-codec.js';

const codec = new MsgpackCodec();
const compressing = new MsgpackCodec({ minBytes: 1 });

function roundTrip(value: unknown): unknown {
  return codec.decode(codec.encode(value)).value;
}

/** Several times over, so that there is something to compress, and read by one that compresses nothing itself. */
function compressedRoundTrip(value: unknown): unknown {
  const got = codec.decode(compressing.encode(new Array(4).fill(value))).value as unknown[];
  return got[3];
}

function expectSame(value: unknown, wanted: unknown = value): void {
  for (const got of [roundTrip(value), compressedRoundTrip(value)]) {
    if (!isDeepStrictEqual(got, wanted)) expect(got).toStrictEqual(wanted);
    expect(isDeepStrictEqual(got, wanted)).toBe(true);
  }
}

function errorOf(run: () => unknown): CacheError {
  try {
    run();
  } catch (error) {
    if (error instanceof CacheError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const location = {
  vehicleId: 1_099_511_627_776n,
  latitude: 19.07598,
  longitude: 72.87766,
  speedKmh: 42.5,
  headingDeg: 181,
  accuracyM: 6,
  ignition: true,
  recordedAt: new Date(1_700_000_000_000),
  region: 'mumbai:19.07:72.87',
};

describe('what is kept', () => {
  const kept: Readonly<Record<string, unknown>> = {
    'a vehicle location': location,
    null: null,
    zero: 0,
    'negative zero': -0,
    'an empty string': '',
    false: false,
    NaN: Number.NaN,
    infinity: Number.POSITIVE_INFINITY,
    'negative infinity': Number.NEGATIVE_INFINITY,
    'the ends of the numbers': [Number.MAX_VALUE, Number.MIN_VALUE, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    'whole numbers at the edges of their widths': [
      31,
      32,
      127,
      128,
      255,
      256,
      65_535,
      65_536,
      2 ** 31,
      2 ** 32,
      -32,
      -33,
    ],
    'undefined in an object and an array': { a: undefined, b: [undefined, null, undefined] },
    'a Date before the epoch': new Date(-1),
    'the first and the last Date': [new Date(-8.64e15), new Date(8.64e15)],
    'a Map with keys of every kind': new Map<unknown, unknown>([
      [1, 'a'],
      ['1', 'b'],
      [{ x: 1 }, new Map()],
      [null, 0],
    ]),
    'a Set in a Set': new Set([1, 'a', new Set([2])]),
    'bigints at the edges of 64 bits': [
      2n ** 63n - 1n,
      2n ** 63n,
      2n ** 64n - 1n,
      2n ** 64n,
      -(2n ** 63n),
      -(2n ** 63n) - 1n,
    ],
    'a bigint of a thousand digits': [10n ** 1_000n, -(10n ** 1_000n)],
    bytes: new Uint8Array([0, 1, 255]),
    'byte arrays of every type': [
      new Int8Array([-1]),
      new Uint8ClampedArray([300]),
      new Int16Array([-2]),
      new Uint16Array([65_535]),
      new Int32Array([-3]),
      new Uint32Array([4e9]),
      new Float32Array([1.5]),
      new Float64Array([Math.PI, Number.NaN]),
      new BigInt64Array([-1n]),
      new BigUint64Array([2n ** 64n - 1n]),
      new Uint8Array([9]).buffer,
      new DataView(new Uint8Array([1, 2, 3]).buffer),
    ],
    'a regular expression': [/a\/b+/iu, /x/],
    'an Error': new Error('broken'),
    'an Error with a cause': new RangeError('outer', { cause: new TypeError('inner', { cause: 'text' }) }),
    'an Error with fields': Object.assign(new Error('no route'), { code: 'ENOROUTE', detail: { at: [1] } }),
    'an Error with a name of its own': Object.assign(new Error('m'), { name: 'Custom' }),
    'several Errors in one': new AggregateError([new Error('a'), new SyntaxError('b')], 'both'),
    'text that is not well-formed': ['\ud800', 'a\udc00b', { '\udfff': 1 }, '\udc00'.repeat(100)],
    'text with a byte order mark': ['\ufeff', `\ufeff${'é'.repeat(200)}`, { '\ufeffkey': 1 }],
    'an array that looks like one of our marks': [['\0', 'map', 1, 2], ['\0'], ['\0', -0]],
    'keys with a meaning in JavaScript': Object.fromEntries(
      ['constructor', 'toString', 'hasOwnProperty', 'prototype', 'then', 'toJSON', 'length'].map((key) => [
        key,
        { key },
      ]),
    ),
    'an empty key': { '': { '': 0 } },
  };

  for (const [name, value] of Object.entries(kept)) {
    it(name, () => expectSame(value));
  }

  it('an invalid Date', () => {
    // isDeepStrictEqual takes no invalid Date for equal to another.
    const got = roundTrip({ at: new Date(Number.NaN) }) as { at: Date };
    expect(got.at).toBeInstanceOf(Date);
    expect(got.at.getTime()).toBeNaN();
    expect(Buffer.from(codec.encode(new Date(Number.NaN))).toString('hex')).toBe('01d4ffff');
  });

  it('an object with a key __proto__, without touching any prototype', () => {
    const value: unknown = JSON.parse('{"__proto__":{"polluted":true},"a":1}');
    expectSame(value);
    expect(Object.getPrototypeOf(roundTrip(value))).toBe(Object.prototype);
    expect('polluted' in {}).toBe(false);
  });

  it('an object of more than 65,535 keys', () => {
    expectSame(Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`key ${i}`, i])));
  });

  it('an array and a text that need 32-bit lengths', () => {
    expectSame([Array.from({ length: 70_000 }, (_, i) => i), 'é'.repeat(70_000)]);
  });

  it('the lastIndex of a regular expression', () => {
    const regexp = /a/g;
    regexp.lastIndex = 3;
    expectSame([regexp]);
  });

  it('a Buffer, as a Uint8Array', () => {
    const got = roundTrip({ body: Buffer.from('abc') });
    expect(isDeepStrictEqual(got, { body: new Uint8Array([97, 98, 99]) })).toBe(true);
  });

  it('an instance of a class, as its own enumerable properties', () => {
    class Point {
      readonly x = 1;
      readonly inner = new (class Inner {
        readonly y = [-0];
      })();
      readonly #secret = 2;
      get sum() {
        return this.x + this.#secret;
      }
      toJSON() {
        return 'not asked';
      }
    }
    expectSame(new Point(), { x: 1, inner: { y: [-0] } });
    expectSame(Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 });
  });

  it('an instance of an error class, as an Error with its name', () => {
    class StockError extends RangeError {
      override readonly name = 'StockError';
      readonly left = 0;
    }
    const got = roundTrip(new StockError('sold out')) as StockError;
    expect(got).toBeInstanceOf(RangeError);
    expect({ name: got.name, message: got.message, left: got.left }).toEqual({
      name: 'StockError',
      message: 'sold out',
      left: 0,
    });
    expect(got.stack).toBe('StockError: sold out');
  });

  it('what another realm made', () => {
    const code =
      '({ d: new Date(5), m: new Map([[1, new Set([-0])]]), b: new Uint8Array([7]), e: new TypeError("t"), r: /q/s })';
    const value: unknown = runInNewContext(code);
    expectSame(value, {
      d: new Date(5),
      m: new Map([[1, new Set([0])]]),
      b: new Uint8Array([7]),
      e: new TypeError('t'),
      r: /q/s,
    });
  });

  it('a hole of an array, as undefined', () => {
    // biome-ignore lint/suspicious/noSparseArray: it is what is tested
    expectSame([1, , 2], [1, undefined, 2]);
  });

  it('anything at all, in any combination', () => {
    const anything = fc.anything({
      maxDepth: 4,
      key: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'toJSON', '\0', '')),
      values: [
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string(),
          // Half surrogates and byte order marks, in the middle of lengths that msgpackr treats differently.
          fc
            .array(fc.constantFrom('a', 'é', '\ud83d', '\ude9a', '\ufeff', '\0', 'x'.repeat(40)))
            .map((parts) => parts.join('')),
        ),
        fc.double(),
        fc.integer(),
        fc.boolean(),
        fc.constantFrom(null, undefined, -0, Number.NaN),
        fc.bigInt(),
        fc.date({ noInvalidDate: true }),
        fc.uint8Array(),
        fc.float64Array(),
        fc.string().map((text) => new RangeError(text)),
      ],
      withBigInt: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withObjectString: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        fc.pre(value !== undefined);
        expectSame(value);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('what is refused', () => {
  const cyclic: { self?: unknown; list: unknown[] } = { list: [] };
  cyclic.list.push({ back: cyclic });
  let deep: unknown = 1;
  for (let i = 0; i < 300; i++) deep = [deep];
  const refused: readonly (readonly [name: string, value: unknown, where: string, what: string])[] = [
    ['undefined', undefined, 'value', 'undefined'],
    ['a function', () => 1, 'value', 'a function'],
    ['a function deep inside', { driver: { callback() {} } }, 'value.driver.callback', 'a function'],
    ['a symbol in a list', [1, { 'odd key': Symbol('s') }], 'value[1]["odd key"]', 'a symbol'],
    ['a promise', { a: Promise.resolve(1) }, 'value.a', 'a promise'],
    [
      'what has a then method',
      [
        new (class Query {
          readonly sql = 'x';
          // biome-ignore lint/suspicious/noThenProperty: it is what is tested
          then() {}
        })(),
      ],
      'value[0]',
      'a promise',
    ],
    ['a function as a value of a Map', new Map([['k', () => 1]]), 'value.get("k")', 'a function'],
    ['a symbol as a key of a Map', new Map([[Symbol('k'), 1]]), 'value (a key of the Map)', 'a symbol'],
    ['a function in a Set', { tags: new Set([() => 1]) }, 'value.tags (an item of the Set)', 'a function'],
    ['a function as the cause of an Error', new Error('e', { cause: () => 1 }), 'value.cause', 'a function'],
    ['a WeakMap', { w: new WeakMap() }, 'value.w', 'a WeakMap'],
    ['a WeakRef', [new WeakRef({})], 'value[0]', 'a WeakRef'],
    ['a URL', { at: new URL('http://x/') }, 'value.at', 'a URL'],
    ['a generator', (function* () {})(), 'value', 'a Generator'],
    ['shared memory', new SharedArrayBuffer(8), 'value', 'a SharedArrayBuffer'],
    ['a boxed number', { n: new Number(1) }, 'value.n', 'a boxed primitive'],
    ['a value that holds itself', cyclic, 'value.list[0].back', 'holds itself'],
    ['a value nested too deep', { deep }, 'value.deep[0][0]', 'nested deeper than 256 levels'],
  ];

  for (const [name, value, where, what] of refused) {
    it(`${name}, saying where`, () => {
      const error = errorOf(() => codec.encode(value));
      expect(error.code).toBe('invalid-value');
      expect(error.field?.startsWith(where)).toBe(true);
      expect(error.message).toContain(what);
    });
  }

  it('what throws when it is read, keeping the error as cause', () => {
    const cause = new Error('lazy loading failed');
    const value = {
      get trips(): never {
        throw cause;
      },
    };
    const error = errorOf(() => codec.encode(value));
    expect(error.code).toBe('invalid-value');
    expect(error.cause).toBe(cause);
  });

  it('and the next value is encoded as ever', () => {
    errorOf(() => codec.encode({ a: [() => 1] }));
    expectSame(location);
  });
});
