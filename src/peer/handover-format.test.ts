import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheError } from '../core/errors.js';
import { decodePage, encodePage, formatHandover, type HandoverPage, parseHandover } from './handover-format.js';

const REQUEST = '{"v":1,"epoch":"0011223344556677","buckets":[7,4095],"after":"vehicle:मुंबई"}';
const request = { epoch: '0011223344556677', buckets: [7, 4_095], after: 'vehicle:मुंबई' };
const PAGE = [
  '464643 01 03',
  '0002 0007 01 000000000005 0001 000000000006 0002 0fff 00 000000000000 0000 000000000000 0000',
  '0001 0001 6b 00000002 beef',
].join('');
const page: HandoverPage = {
  buckets: [
    { bucket: 7, sure: true, marks: { fence: { ms: 5, counter: 1 }, fillStart: { ms: 6, counter: 2 } } },
    { bucket: 4_095, sure: false, marks: { fence: { ms: 0, counter: 0 }, fillStart: { ms: 0, counter: 0 } } },
  ],
  entries: [{ key: 'k', bytes: Buffer.from([0xbe, 0xef]) }],
};
const bytesOf = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('the handover of buckets', () => {
  it('is this text and these bytes, in this version and every later one', () => {
    expect(formatHandover(request)).toBe(REQUEST);
    expect(parseHandover(REQUEST)).toEqual(request);
    expect(encodePage(page).toString('hex')).toBe(bytesOf(PAGE).toString('hex'));
    expect(decodePage(bytesOf(PAGE))).toEqual(page);
  });

  it('may be without a last key', () => {
    expect(parseHandover(formatHandover({ epoch: 'x', buckets: [0] }))).toEqual({ epoch: 'x', buckets: [0] });
  });

  it.each([
    ['no JSON', '{'],
    ['another version', '{"v":2,"epoch":"","buckets":[1]}'],
    ['no epoch', '{"v":1,"buckets":[1]}'],
    ['no bucket', '{"v":1,"epoch":"","buckets":[]}'],
    ['bucket 4096', '{"v":1,"epoch":"","buckets":[4096]}'],
    ['half a bucket', '{"v":1,"epoch":"","buckets":[0.5]}'],
    ['too many buckets', JSON.stringify({ v: 1, epoch: '', buckets: new Array(257).fill(1) })],
    ['a last key that is none', '{"v":1,"epoch":"","buckets":[1],"after":7}'],
  ])('is refused with %s', (_what, text) => {
    expect(() => parseHandover(text)).toThrow(CacheError);
  });

  it('throws nothing but a CacheError for any bytes', () => {
    const damaged = fc.tuple(fc.nat(), fc.nat(255), fc.nat()).map(([place, value, cut]) => {
      const copy = Buffer.from(bytesOf(PAGE));
      copy[place % copy.length] = value;
      return copy.subarray(0, cut % 3 === 0 ? cut % copy.length : copy.length);
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), damaged), (bytes) => {
        try {
          decodePage(bytes);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(CacheError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
