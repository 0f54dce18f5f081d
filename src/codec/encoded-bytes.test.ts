import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { CacheError } from '../core/errors.js';
import { MsgpackCodec } from './msgpack-codec.js';

const codec = new MsgpackCodec();

const location = {
  vehicleId: 1_099_511_627_776n,
  latitude: 19.07598,
  speedKmh: 42.5,
  ignition: true,
  recordedAt: new Date(1_700_000_000_000),
  region: 'mumbai:19.07:72.87',
};

function expectSame(value: unknown): void {
  expect(isDeepStrictEqual(codec.decode(codec.encode(value)).value, value)).toBe(true);
}

describe('encoded bytes', () => {
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
    'an unknown format': '03c0',
    'compressed, without a length': '02c0',
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
      expect(() => codec.decode(Buffer.from(hex, 'hex'))).toThrow(expect.objectContaining({ code: 'corrupt-entry' }));
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
