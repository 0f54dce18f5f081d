import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheError } from './errors.js';
import {
  BUCKETS,
  bucketOf,
  checkKey,
  checkTags,
  hashKey,
  KEY_BYTES_MAX,
  PARTITIONS,
  partitionOf,
  TAG_BYTES_MAX,
  TAGS_MAX,
  utf8Length,
} from './key.js';

const wellFormed = fc.string({ unit: 'binary', maxLength: 60 });

describe('checkKey', () => {
  it.each([
    ['k'.repeat(KEY_BYTES_MAX), true],
    ['k'.repeat(KEY_BYTES_MAX + 1), false],
    ['é'.repeat(512), true],
    [`${'é'.repeat(512)}k`, false],
    [`${'वा'.repeat(170)}kkkk`, true],
    [`${'वा'.repeat(170)}kkkkk`, false],
    ['🚚'.repeat(256), true],
    [`${'🚚'.repeat(256)}k`, false],
    ['', false],
    ['\0', true],
    ['a b\n*?[]{}\\:', true],
  ])('counts bytes, not characters: %j', (key, isGood) => {
    if (isGood) expect(() => checkKey(key)).not.toThrow();
    else expect(() => checkKey(key)).toThrow(expect.objectContaining({ code: 'invalid-key', field: 'key' }));
  });

  it.each(['\ud83d', '\ude9a', 'a\ud83d', '\ud83dx', '\ud83d\ud83d\ude9a', '\ude9a\ud83d', '🚚\ude9a'])(
    'refuses half of a surrogate pair: %j',
    (key) => {
      expect(() => checkKey(key)).toThrow(expect.objectContaining({ code: 'invalid-key' }));
    },
  );

  it.each([undefined, null, 7, {}, ['a'], Symbol('s'), 10n])('refuses what is not a string, case %#', (key) => {
    expect(() => checkKey(key as string)).toThrow(CacheError);
  });

  it('agrees with the encoder about well-formedness and length', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
        (text) => {
          const survives =
            new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text)) === text;
          const isGood = survives && text !== '';
          if (isGood) expect(() => checkKey(text)).not.toThrow();
          else expect(() => checkKey(text)).toThrow(CacheError);
          if (survives) expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
        },
      ),
    );
  });
});

describe('checkTags', () => {
  it('takes 32 tags of 256 bytes and no more', () => {
    const longest = 'é'.repeat(TAG_BYTES_MAX / 2);
    expect(() => checkTags(new Array(TAGS_MAX).fill(longest))).not.toThrow();
    expect(() => checkTags(new Array(TAGS_MAX + 1).fill('t'))).toThrow(expect.objectContaining({ field: 'tags' }));
    expect(() => checkTags([`${longest}x`])).toThrow(expect.objectContaining({ code: 'invalid-tag', field: 'tag' }));
  });

  it.each(['type:location', null, { length: 1 }, [''], [7], [undefined]])('refuses %j', (tags) => {
    expect(() => checkTags(tags as string[])).toThrow(expect.objectContaining({ code: 'invalid-tag' }));
  });
});

describe('hashKey', () => {
  // Yesterday's hashes: other languages and the stored partitions of a running city rely on them.
  it.each([
    ['a', 0x1a80b1b3],
    ['vehicle:location:42', 0xdc0be42c],
    ['vehicle:details:18446744073709551615', 0xd8742dd2],
    ['route:मुंबई:42', 0x44f9cc3f],
    ['ключ:é', 0x8479e952],
    ['🚚', 0x4746a4a0],
  ])('of %j stays what it is', (key, hash) => {
    expect(hashKey(key)).toBe(hash);
  });

  it('is the hash of the UTF-8 bytes', () => {
    fc.assert(fc.property(wellFormed, (key) => hashKey(key) === hashBytes(new TextEncoder().encode(key))));
  });

  it('puts a bucket into the partition of the same low bits', () => {
    fc.assert(fc.property(wellFormed, (key) => bucketOf(key) % PARTITIONS === partitionOf(key)));
  });

  it('spreads the keys of a fleet evenly over the partitions and the buckets', () => {
    const perPartition = new Array<number>(PARTITIONS).fill(0);
    const perBucket = new Array<number>(BUCKETS).fill(0);
    const keys = 512_000;
    for (let id = 0; id < keys; id++) {
      const key = `vehicle:location:${id}`;
      perPartition[partitionOf(key)]! += 1;
      perBucket[bucketOf(key)]! += 1;
    }
    // 2,000 each if it were perfect, with a standard deviation of 45; 125 and 11 for the buckets. Six of them.
    expect(Math.max(...perPartition)).toBeLessThan(2_270);
    expect(Math.min(...perPartition)).toBeGreaterThan(1_730);
    expect(Math.max(...perBucket)).toBeLessThan(192);
    expect(Math.min(...perBucket)).toBeGreaterThan(58);
  });
});

/** FNV-1a and fmix32 once more, in big integers. */
function hashBytes(bytes: Uint8Array): number {
  const mask = 0xffff_ffffn;
  let hash = 0x811c9dc5n;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & mask;
  hash ^= hash >> 16n;
  hash = (hash * 0x85ebca6bn) & mask;
  hash ^= hash >> 13n;
  hash = (hash * 0xc2b2ae35n) & mask;
  return Number(hash ^ (hash >> 16n));
}
