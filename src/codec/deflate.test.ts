import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheError } from '../core/errors.js';
import { DEFLATED_FORMAT, PLAIN_BYTES_MAX } from './deflate.js';
import { MsgpackCodec } from './msgpack-codec.js';

const codec = new MsgpackCodec();
const compressing = new MsgpackCodec({ minBytes: 1 });

const trip = (number: number) => ({
  tripId: 1_099_511_627_776n + BigInt(number),
  startedAt: new Date(1_700_000_000_000 + number * 60_000),
  stops: new Set(['Mumbai', 'Pune']),
  distanceKm: number + 0.5,
});
const trips = Array.from({ length: 40 }, (_, number) => trip(number));

/** Incompressible, of so many bytes once it is encoded. */
function noise(sizeBytes: number): Uint8Array {
  const headBytes = codec.encode(new Uint8Array(sizeBytes)).length - sizeBytes;
  return new Uint8Array(randomBytes(sizeBytes - headBytes));
}

function areSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

/** What `deflate` would write if it had no limits, with a length of anybody's choice. */
function forged(packed: Uint8Array, plainBytes = packed.length): Uint8Array {
  const head = Buffer.from([DEFLATED_FORMAT, 0, 0, 0, 0]);
  head.writeUInt32BE(plainBytes, 1);
  return new Uint8Array(Buffer.concat([head, deflateRawSync(packed)]));
}

function packedOf(value: unknown): Uint8Array {
  return codec.encode(value).subarray(1);
}

function refusal(bytes: Uint8Array): CacheError {
  try {
    codec.decode(bytes);
  } catch (error) {
    if (error instanceof CacheError) return error;
    throw error;
  }
  throw new Error('it was read');
}

describe('compression', () => {
  it('is off unless it is asked for', () => {
    expect(codec.encode(trips)[0]).toBe(1);
    expect(compressing.encode(trips)[0]).toBe(DEFLATED_FORMAT);
  });

  it('begins with values whose bytes are as many as was said', () => {
    const { length } = codec.encode(trips);
    expect(new MsgpackCodec({ minBytes: length }).encode(trips)[0]).toBe(DEFLATED_FORMAT);
    expect(areSame(new MsgpackCodec({ minBytes: length + 1 }).encode(trips), codec.encode(trips))).toBe(true);
  });

  it('is read by everybody, whatever his own setting', () => {
    for (const reader of [codec, compressing, new MsgpackCodec({ minBytes: PLAIN_BYTES_MAX })]) {
      for (const writer of [codec, compressing]) {
        const { value, frozen } = reader.decode(writer.encode(trips));
        expect(isDeepStrictEqual(value, trips)).toBe(true);
        expect(frozen).toBe(true);
      }
    }
  });

  it('makes bytes in memory of their own, and a value that does not depend on them', () => {
    const value = [new Uint8Array(500).fill(7), 'abc'.repeat(500)];
    const bytes = compressing.encode(value);
    expect(bytes.length).toBeLessThan(200);
    expect(bytes.buffer.byteLength).toBe(bytes.length);
    expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype);
    const larger = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]);
    const got = codec.decode(larger.subarray(6, 6 + bytes.length)).value;
    larger.fill(0);
    compressing.encode(new Array(900).fill('other'));
    expect(isDeepStrictEqual(got, value)).toBe(true);
  });

  it('keeps what would not become smaller by a tenth as it is', () => {
    const value = noise(5_000);
    expect(areSame(compressing.encode(value), codec.encode(value))).toBe(true);
    // Of random bytes with so many zeros behind them just about the zeros are saved.
    const savingOf = (zeros: number) => [noise(10_000), new Uint8Array(zeros)];
    expect(compressing.encode(savingOf(900))[0]).toBe(1);
    expect(compressing.encode(savingOf(1_300))[0]).toBe(DEFLATED_FORMAT);
  });

  it('leaves values alone that would hold up the event loop', () => {
    const headBytes = packedOf('x'.repeat(PLAIN_BYTES_MAX)).length - PLAIN_BYTES_MAX;
    const largest = 'x'.repeat(PLAIN_BYTES_MAX - headBytes);
    expect(compressing.encode(largest).length).toBeLessThan(2_000);
    expect(codec.decode(compressing.encode(largest)).value === largest).toBe(true);
    expect(areSame(compressing.encode(`${largest}x`), codec.encode(`${largest}x`))).toBe(true);
  });
});

describe('compressed bytes', () => {
  /** Becomes 16 KB. */
  const manyZeros = packedOf(new Uint8Array(16 * 1_048_576));
  const golden = readFileSync(join(import.meta.dirname, '../../test/golden/value-2-deflated.bin'));

  it('of yesterday are read as ever', () => {
    expect(golden.subarray(0, 5).toString('hex')).toBe('0200000c33');
    expect(isDeepStrictEqual(codec.decode(golden).value, trips)).toBe(true);
  });

  it('of any other compressor are read as well', () => {
    const packed = packedOf(trips);
    for (const level of [0, 6, 9]) {
      const bytes = Buffer.concat([golden.subarray(0, 5), deflateRawSync(packed, { level })]);
      expect(isDeepStrictEqual(codec.decode(bytes).value, trips)).toBe(true);
    }
  });

  it('with a length beyond the largest are refused before anything is inflated', () => {
    const { code, message } = refusal(forged(manyZeros));
    expect(code).toBe('corrupt-entry');
    expect(message).toContain('where 1 to 262144 are possible');
    expect(refusal(forged(packedOf('x'.repeat(PLAIN_BYTES_MAX)))).message).toContain('are possible');
    expect(refusal(forged(packedOf(1), 2 ** 32 - 1)).code).toBe('corrupt-entry');
    expect(refusal(forged(packedOf(1), 0)).code).toBe('corrupt-entry');
  });

  it('that hold more than they say are inflated no further', () => {
    for (const said of [1, 63, 64, 1_000, PLAIN_BYTES_MAX]) {
      const { code, cause } = refusal(forged(manyZeros, said));
      expect(code).toBe('corrupt-entry');
      expect(cause).toMatchObject({ code: 'ERR_BUFFER_TOO_LARGE' });
    }
  });

  it('that hold less than they say, or are followed by something, are a corrupt entry', () => {
    const packed = packedOf(trips);
    expect(refusal(forged(packed, packed.length + 1)).message).toContain('bytes where');
    expect(refusal(Buffer.concat([golden, Buffer.from([0])])).message).toContain('something follows');
    expect(refusal(forged(Buffer.concat([packed, Buffer.from([0xc0])]))).code).toBe('corrupt-entry');
    expect(refusal(forged(golden)).code).toBe('corrupt-entry');
  });

  it('that were cut anywhere are a corrupt entry', () => {
    for (let length = 0; length < golden.length; length++) {
      expect(refusal(golden.subarray(0, length)).code).toBe('corrupt-entry');
    }
  });

  it('that were damaged do not hold on to what was to become of them', () => {
    const cut = forged(packedOf(new Uint8Array(200_000)), PLAIN_BYTES_MAX).subarray(0, 100);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 400; i++) expect(refusal(cut).code).toBe('corrupt-entry');
    // All in one turn of the event loop: as much as they say would be 100 MiB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(400 * 131_072);
  });

  it('that were damaged decode to something or are a corrupt entry', () => {
    const good = compressing.encode([trips, /x/g, new Error('e'), new Float64Array(9), 2n ** 70n]);
    let refused = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.uint8Array({ maxLength: 3 }),
        (changes, behind) => {
          const bytes = Buffer.concat([good, behind]);
          for (const [at, byte] of changes) if (at > 0) bytes[at] = byte;
          try {
            codec.decode(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(CacheError);
            expect((error as CacheError).code).toBe('corrupt-entry');
            refused += 1;
          }
          expect(Object.keys(Object.prototype)).toEqual([]);
        },
      ),
      { numRuns: 2_000 },
    );
    expect(refused).toBeGreaterThan(1_000);
    expect(isDeepStrictEqual(codec.decode(compressing.encode(trips)).value, trips)).toBe(true);
  });

  it('made of anything at all are a corrupt entry or a value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(PLAIN_BYTES_MAX), (body, said) => {
        const bytes = Buffer.concat([Buffer.from([DEFLATED_FORMAT, 0, 0, 0, 0]), body]);
        bytes.writeUInt32BE(said, 1);
        try {
          codec.decode(bytes);
        } catch (error) {
          expect(error).toMatchObject({ name: 'CacheError', code: 'corrupt-entry' });
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
