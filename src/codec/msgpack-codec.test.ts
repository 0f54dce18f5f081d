import { isDeepStrictEqual } from 'node:util';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { CacheError } from '../core/errors.js';
import { MsgpackCodec } from './msgpack-codec.js';

const codec = new MsgpackCodec();

function roundTrip(value: unknown): unknown {
  return codec.decode(codec.encode(value)).value;
}

function expectSame(value: unknown, wanted: unknown = value): void {
  const got = roundTrip(value);
  if (!isDeepStrictEqual(got, wanted)) expect(got).toStrictEqual(wanted);
  expect(isDeepStrictEqual(got, wanted)).toBe(true);
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

describe('bytes', () => {
  /** Never change a line: entries with these bytes are out there. A new format byte gets new lines. */
  const golden: readonly (readonly [hex: string, value: unknown])[] = [
    ['01c0', null],
    ['0100', 0],
    ['01a0', ''],
    ['01c2', false],
    ['01cb7ff8000000000000', Number.NaN],
    ['01cbfff0000000000000', Number.NEGATIVE_INFINITY],
    ['01cb4045400000000000', 42.5],
    ['01cd1234', 0x1234],
    ['01e0', -32],
    ['0192a100a22d30', -0],
    ['0192c0d40000', [null, undefined]],
    ['0182a161ccc8a162a3c3a974', { a: 200, b: 'ét' }],
    ['01d6ff6553f100', new Date(1_700_000_000_000)],
    ['01d7ffee2e1f006553f100', new Date(1_700_000_000_999)],
    ['01c70cff3b8b87c0ffffffffffffffff', new Date(-1)],
    ['01d3000000000000002a', 42n],
    ['01cfffffffffffffffff', 2n ** 64n - 1n],
    ['0193a100a6626967696e74b13130303030303030303030303030303030', 2n ** 64n],
    ['0194a100a36d617001a161', new Map([[1, 'a']])],
    ['0194a100a37365740102', new Set([1, 2])],
    ['01c40301ff00', new Uint8Array([1, 255, 0])],
    ['0194a100a56279746573aa496e7431364172726179c402feff', new Int16Array([-2])],
    ['0195a100a6726567657870a161a16900', /a/i],
    ['0196a100a56572726f72a9547970654572726f72a1748080', new TypeError('t')],
    ['0193a100a56172726179a100', ['\0']],
    ['0194a100a66f626a656374a95f5f70726f746f5f5f01', JSON.parse('{"__proto__":1}')],
    ['0193a100a57574663136c40200d8', '\ud800'],
  ];

  for (const [hex, value] of golden) {
    it(`${hex} are written and read as ever`, () => {
      expect(Buffer.from(codec.encode(value)).toString('hex')).toBe(hex);
      expect(isDeepStrictEqual(codec.decode(Buffer.from(hex, 'hex')).value, value)).toBe(true);
    });
  }

  it('are a plain Uint8Array with memory of its own', () => {
    const first = codec.encode(location);
    const copy = Uint8Array.from(first);
    codec.encode({ ...location, region: 'another place' });
    expect(first).toStrictEqual(copy);
    expect(first.buffer.byteLength).toBe(first.byteLength);
    expect(Object.getPrototypeOf(first)).toBe(Uint8Array.prototype);
  });

  it('are left as they were by decoding, and may be changed afterwards', () => {
    const bytes = codec.encode([new Uint8Array([1, 2, 3]), 'text of more than a few bytes']);
    const copy = Uint8Array.from(bytes);
    const { value } = codec.decode(bytes);
    expect(isDeepStrictEqual(bytes, copy)).toBe(true);
    bytes.fill(0);
    expect(isDeepStrictEqual(value, [new Uint8Array([1, 2, 3]), 'text of more than a few bytes'])).toBe(true);
  });

  it('that begin in the middle of a larger buffer are read just the same', () => {
    const bytes = codec.encode(location);
    const larger = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]);
    const { value } = codec.decode(larger.subarray(6, 6 + bytes.length));
    expect(isDeepStrictEqual(value, location)).toBe(true);
  });

  it('of a large value do not leave a large scratch buffer behind', () => {
    expect(codec.encode('x'.repeat(16_000_000))).toHaveLength(16_000_006);
    // The scratch is msgpackr's, shared by all its users: what it packs for us next lies in it.
    expect(new Packr().pack('small').buffer.byteLength).toBeLessThanOrEqual(1_048_576);
  });

  const broken: Readonly<Record<string, string>> = {
    none: '',
    'only the format': '01',
    'an unknown format': '02c0',
    'something after the value': '01c0c0',
    'a text that ends early': '01a561',
    'a map that ends early': '0182a161',
    'an array of four billion items': '01ddffffffff',
    'a token that is never used': '01c1',
    'an unknown extension': '01d45500',
    'a cycle': '01d66900000001' + '91' + 'd67000000001',
    'a mark that is not known': '0192a100a37a7a7a',
    'a Map with a key too many': '0193a100a36d617001',
    'a typed array of a length that does not fit': '0194a100a56279746573aa496e7433324172726179c40101',
    'a typed array that is not one': '0194a100a56279746573a64f626a656374c400',
    'a bigint that is not one': '0193a100a6626967696e74a2307a',
    'a regular expression that is not one': '0195a100a6726567657870a12aa000',
    'a Set by an extension that we do not write': '01d473009101',
    'undefined on its own': '01d40000',
    'a million nested arrays': `01${'91'.repeat(1_000_000)}`,
  };

  for (const [name, hex] of Object.entries(broken)) {
    it(`that are broken (${name}) are a corrupt entry`, () => {
      expect(errorOf(() => codec.decode(Buffer.from(hex, 'hex'))).code).toBe('corrupt-entry');
      expectSame(location);
    });
  }

  it('that were cut, lengthened or changed decode to something or are a corrupt entry, and never pollute', () => {
    const seed = [location, new Map([[1, new Set(['ü', -0])]]), new Error('e'), /x/g, new Float64Array(3), 2n ** 70n];
    const good = codec.encode(seed);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 }),
        fc.integer({ min: -good.length, max: 3 }),
        (changes, by) => {
          const bytes = new Uint8Array(good.length + by);
          bytes.set(good.subarray(0, bytes.length));
          for (const [at, byte] of changes) if (at > 0 && at < bytes.length) bytes[at] = byte;
          try {
            codec.decode(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(CacheError);
            expect((error as CacheError).code).toBe('corrupt-entry');
          }
          expect(Object.keys(Object.prototype)).toEqual([]);
        },
      ),
      { numRuns: 5_000 },
    );
    expectSame(seed);
  });
});
