import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheError } from '../core/errors.js';
import { KEY_BYTES_MAX, utf8Length } from '../core/key.js';
import { STORED } from '../core/outcome.js';
import { type BatchReply, type BatchRequest, decodeReply, decodeRequest, encodeReply, encodeRequest } from './wire.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (text: string): Uint8Array => Buffer.from(text.replace(/\s+/g, ''), 'hex');

const version = { eventTimeMs: 1, hlc: { ms: 2, counter: 3 }, origin: 4 };
const request: BatchRequest = {
  reads: ['vehicle:location:42', 'ключ'],
  writes: [
    { key: 'a', mode: 'set', bytes: Uint8Array.of(0xde, 0xad) },
    { key: 'b', mode: 'fill', bytes: Uint8Array.of() },
  ],
  leases: [],
};
const leaseRequest: BatchRequest = {
  reads: [],
  writes: [],
  leases: [
    { verb: 'acquire', key: 'a', token: 't.1', since: { ms: 2 ** 47, counter: 5 }, from: 'h:1' },
    { verb: 'renew', key: 'b', token: 't' },
    { verb: 'release', key: 'c', token: 't' },
    { verb: 'ended', key: 'd' },
  ],
};
const reply: BatchReply = {
  reads: ['miss', Uint8Array.of(0xbe, 0xef), 'later'],
  writes: [
    STORED,
    { kind: 'superseded' },
    { kind: 'superseded', by: version },
    { kind: 'failed', error: new CacheError('level-failed', 'no') },
  ],
  leases: [],
};
const leaseReply: BatchReply = {
  reads: [],
  writes: [],
  leases: [
    { kind: 'noted' },
    { kind: 'granted', occupied: false },
    { kind: 'granted', occupied: true },
    { kind: 'busy', leftMs: 2_900 },
    { kind: 'filled' },
    { kind: 'full' },
  ],
};

const REQUEST_HEX = `
  464643 01 01
  0002 0013 76656869636c653a6c6f636174696f6e3a3432 0008 d0bad0bbd18ed187
  0002 0001 61 00 00000002 dead 0001 62 01 00000000`;
const REPLY_HEX = `
  464643 01 02
  0003 00 01 00000002 beef 02
  0004 00 01 02 30303030303030303030303130303030303030303030303230303033303030303030303030303034 03 0002 6e6f`;

const LEASE_REQUEST_HEX = `
  464643 01 01 0000 0000
  0004 00 0001 61 0003 742e31 800000000000 0005 0003 683a31
  01 0001 62 0001 74 02 0001 63 0001 74 03 0001 64`;
const LEASE_REPLY_HEX = `
  464643 01 02 0000 0000
  0006 00 01 02 03 00000b54 04 05`;

const key = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
  .filter((text) => text.isWellFormed() && utf8Length(text) <= KEY_BYTES_MAX);
const payload = fc.uint8Array({ maxLength: 64 });
const hlcMs = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const reading = fc.record({ ms: hlcMs, counter: fc.integer({ min: 0, max: 65_535 }) });
const token = fc.string({ maxLength: 40 });
const requests: fc.Arbitrary<BatchRequest> = fc.record({
  reads: fc.array(key),
  writes: fc.array(fc.record({ key, mode: fc.constantFrom('set' as const, 'fill' as const), bytes: payload })),
  leases: fc.array(
    fc.oneof(
      fc.record({ verb: fc.constant('acquire' as const), key, token, since: reading, from: token }),
      fc.record({ verb: fc.constantFrom('renew' as const, 'release' as const), key, token }),
      fc.record({ verb: fc.constant('ended' as const), key }),
    ),
  ),
});
const replies: fc.Arbitrary<BatchReply> = fc.record({
  reads: fc.array(fc.oneof(payload, fc.constantFrom('miss' as const, 'later' as const))),
  writes: fc.array(
    fc.oneof(
      fc.constant(STORED),
      fc.constant({ kind: 'superseded' as const }),
      fc
        .record({ eventTimeMs: hlcMs, ms: hlcMs, counter: fc.integer({ min: 0, max: 65_535 }), origin: hlcMs })
        .map(({ eventTimeMs, ms, counter, origin }) => ({
          kind: 'superseded' as const,
          by: { eventTimeMs, hlc: { ms, counter }, origin },
        })),
    ),
  ),
  leases: fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('granted' as const), occupied: fc.boolean() }),
      fc.record({ kind: fc.constant('busy' as const), leftMs: fc.nat() }),
      fc.record({ kind: fc.constantFrom('filled' as const, 'full' as const, 'noted' as const) }),
    ),
  ),
});

function plain({ reads, writes, leases }: BatchRequest | BatchReply): unknown {
  const text = (item: unknown): unknown => (item instanceof Uint8Array ? hex(item) : item);
  return {
    reads: reads.map(text),
    writes: writes.map((write) => ('bytes' in write ? { ...write, bytes: hex(write.bytes) } : write)),
    leases,
  };
}

/** Whatever is thrown is a CacheError that says what cannot be read. */
function expectRefused(decode: () => unknown): void {
  try {
    decode();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(CacheError);
    expect((thrown as CacheError).code).toBe('level-failed');
  }
}

describe('the batch format between nodes', () => {
  it('is these bytes, in this version and every later one', () => {
    expect(hex(encodeRequest(request))).toBe(hex(bytesOf(REQUEST_HEX)));
    expect(hex(encodeReply(reply))).toBe(hex(bytesOf(REPLY_HEX)));
    expect(plain(decodeRequest(bytesOf(REQUEST_HEX)))).toEqual(plain(request));
    expect(plain(decodeReply(bytesOf(REPLY_HEX), { reads: 3, writes: 4, leases: 0 }))).toEqual(plain(reply));
    expect(hex(encodeRequest(leaseRequest))).toBe(hex(bytesOf(LEASE_REQUEST_HEX)));
    expect(hex(encodeReply(leaseReply))).toBe(hex(bytesOf(LEASE_REPLY_HEX)));
    expect(decodeRequest(bytesOf(LEASE_REQUEST_HEX))).toEqual(leaseRequest);
    expect(decodeReply(bytesOf(LEASE_REPLY_HEX), { reads: 0, writes: 0, leases: 6 })).toEqual(leaseReply);
  });

  it('marks an entry that is not to be believed alone', () => {
    const sent: BatchReply = { reads: [{ doubted: Uint8Array.of(0xbe, 0xef) }], writes: [], leases: [] };
    const bytes = '464643 01 02 0001 03 00000002 beef 0000';
    expect(hex(encodeReply(sent))).toBe(hex(bytesOf(bytes)));
    expect(decodeReply(bytesOf(bytes), { reads: 1, writes: 0, leases: 0 }).reads).toEqual([
      { doubted: Buffer.from([0xbe, 0xef]) },
    ]);
  });

  it('gives back every request and every reply', () => {
    fc.assert(
      fc.property(requests, (sent) => {
        expect(plain(decodeRequest(encodeRequest(sent)))).toEqual(plain(sent));
      }),
    );
    fc.assert(
      fc.property(replies, (sent) => {
        const asked = { reads: sent.reads.length, writes: sent.writes.length, leases: sent.leases.length };
        expect(plain(decodeReply(encodeReply(sent), asked))).toEqual(plain(sent));
      }),
    );
  });

  it('keeps a byte order mark at the start of a key, and every other character', () => {
    const reads = ['\uFEFFkey', 'a\0b', '../%00/', '🚚'];
    expect(decodeRequest(encodeRequest({ reads, writes: [], leases: [] })).reads).toEqual(reads);
  });

  it('carries why a write failed, cut at a whole character when it is long', () => {
    const error = new CacheError('invalid-value', 'ж'.repeat(2_000));
    const sent = encodeReply({ reads: [], writes: [{ kind: 'failed', error }], leases: [] });
    const [outcome] = decodeReply(sent, { reads: 0, writes: 1, leases: 0 }).writes;
    expect(outcome?.kind === 'failed' && outcome.error.message).toBe('ж'.repeat(512));
  });

  it.each([
    ['nothing', ''],
    ['another start', '464644 01 01 0000 0000'],
    ['another version', '464643 02 01 0000 0000'],
    ['a reply', '464643 01 02 0000 0000'],
    ['more reads than there are', '464643 01 01 ffff 0001 61 0000'],
    ['a key that goes on beyond the end', '464643 01 01 0001 00ff 61 0000'],
    ['an empty key', '464643 01 01 0001 0000 0000'],
    ['a key of 1,025 bytes', `464643 01 01 0001 0401 ${'61'.repeat(1_025)} 0000`],
    ['a key that is not UTF-8', '464643 01 01 0001 0002 ff61 0000'],
    ['half a surrogate pair', '464643 01 01 0001 0003 eda080 0000'],
    ['an unknown mode', '464643 01 01 0000 0001 0001 61 02 00000000'],
    ['an entry of 4 GiB', '464643 01 01 0000 0001 0001 61 00 ffffffff 00'],
    ['something after its end', '464643 01 01 0000 0000 00'],
    ['an unknown verb about leases', '464643 01 01 0000 0000 0001 04 0001 61'],
    ['a token of 129 bytes', `464643 01 01 0000 0000 0001 01 0001 61 0081 ${'61'.repeat(129)}`],
    ['half a reading', '464643 01 01 0000 0000 0001 00 0001 61 0001 74 00000000'],
    ['something after its leases', '464643 01 01 0000 0000 0001 03 0001 61 00'],
  ])('refuses a request with %s', (_what, text) => {
    expect(() => decodeRequest(bytesOf(text))).toThrow(CacheError);
  });

  it.each([
    ['an unknown status of a read', '464643 01 02 0001 04 0000'],
    ['an unknown status of a write', '464643 01 02 0000 0001 04'],
    ['a version that is not hexadecimal', `464643 01 02 0000 0001 02 ${'7a'.repeat(40)}`],
    ['fewer answers than questions', '464643 01 02 0000 0000'],
    ['more answers than questions', '464643 01 02 0002 00 00 0000'],
    ['an unknown status of a lease', '464643 01 02 0001 00 0000 0001 06'],
    ['an answer about a lease that nobody asked for', '464643 01 02 0001 00 0000 0001 00'],
  ])('refuses a reply with %s', (_what, text) => {
    const writes = text.includes('02 0000 0001') ? 1 : 0;
    expect(() => decodeReply(bytesOf(text), { reads: 1 - writes, writes, leases: 0 })).toThrow(CacheError);
  });

  it('throws nothing but a CacheError for any bytes, whole, cut or changed', () => {
    const damaged = fc
      .tuple(fc.oneof(requests.map(encodeRequest), replies.map(encodeReply)), fc.nat(), fc.nat(), fc.nat(255))
      .map(([bytes, cut, place, value]) => {
        const copy = Uint8Array.from(bytes.subarray(0, cut % 4 === 0 ? cut % (bytes.length + 1) : bytes.length));
        if (copy.length > 0) copy[place % copy.length] = value;
        return copy;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), (bytes) => {
        expectRefused(() => decodeRequest(bytes));
        expectRefused(() => decodeReply(bytes, { reads: 1, writes: 1, leases: 1 }));
      }),
      { numRuns: 2_000 },
    );
  });
});
