import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { absentEntry, deletion, hlc, valueEntry } from '../../test/core/entries.js';
import type { Entry } from './entry.js';
import {
  decodeEntry,
  ENTRY_FORMAT,
  ENTRY_HEAD_BYTES,
  ENTRY_ORDER_BYTES,
  encodeEntry,
  encodeHead,
} from './entry-format.js';
import { CacheError } from './errors.js';

const max48 = 2 ** 48 - 1;
const reading = fc.record({ ms: fc.integer({ min: 0, max: max48 }), counter: fc.integer({ min: 0, max: 65_535 }) });
const ms = fc.double({ min: 0, max: 2 ** 53, noNaN: true });
const anyEntry: fc.Arbitrary<Entry> = fc.record({
  kind: fc.constantFrom('value' as const, 'absent' as const, 'tombstone' as const),
  payload: fc.uint8Array({ maxLength: 40 }),
  version: fc.record({ eventTimeMs: fc.nat({ max: max48 }), hlc: reading, origin: fc.nat({ max: max48 }) }),
  fillStart: reading,
  fence: reading,
  createdAtMs: ms,
  freshUntilMs: ms,
  staleWhileRevalidateMs: ms,
  staleIfErrorMs: ms,
  tags: fc.array(fc.string({ unit: 'binary', maxLength: 60 }), { maxLength: 32 }),
});

/** Entries that were stored once, byte by byte. A file that a test cannot read any more is data that users lose. */
const golden: Readonly<Record<string, Entry>> = {
  'entry-1-value': valueEntry(1_700_000_000_123, {
    payload: new Uint8Array([0xc4, 0x00, 0xff, 0x7f]),
    version: { eventTimeMs: 1_699_999_999_999, hlc: hlc(1_700_000_000_001, 65_535), origin: 0xfedcba987654 },
    fence: hlc(1_690_000_000_000, 7),
    createdAtMs: 1_700_000_000_000.25,
    staleWhileRevalidateMs: 30_000,
    staleIfErrorMs: 86_400_000,
    tags: ['type:location', 'région:मुंबई', '\ufeffmark 🚚'],
  }),
  'entry-1-absent': absentEntry(1_700_000_000_123),
  'entry-1-tombstone': deletion(1_700_000_000_200, 1_700_000_000_123),
};

describe('an entry as bytes', () => {
  it.each(Object.entries(golden))('%s is read as it was written, and written as it was', (name, entry) => {
    const bytes = readFileSync(join(import.meta.dirname, `../../test/golden/${name}.bin`));
    expect(plain(decodeEntry(bytes))).toEqual(plain(entry));
    expect(Buffer.from(encodeEntry(entry)).equals(bytes)).toBe(true);
  });

  it('comes back as it was', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        expect(plain(decodeEntry(encodeEntry(entry)))).toEqual(plain(entry));
      }),
    );
  });

  it('begins with its head', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        expect([...encodeEntry(entry).subarray(0, ENTRY_HEAD_BYTES)]).toEqual([...encodeHead(entry)]);
      }),
    );
  });

  it('comes back out of the middle of a larger buffer', () => {
    const bytes = encodeEntry(valueEntry(5, { tags: ['a'] }));
    const padded = new Uint8Array(bytes.length + 7);
    padded.set(bytes, 7);
    expect(plain(decodeEntry(padded.subarray(7)))).toEqual(plain(valueEntry(5, { tags: ['a'] })));
  });

  it('is never read from less than was written, unless only the payload is short', () => {
    const entry = valueEntry(5, { tags: ['a', 'région'] });
    const bytes = encodeEntry(entry);
    const head = bytes.length - entry.payload.length;
    for (let length = 0; length < head; length++) {
      expect(() => decodeEntry(bytes.subarray(0, length))).toThrow(corrupt);
    }
    expect(decodeEntry(bytes.subarray(0, head)).payload).toHaveLength(0);
  });

  it('with any byte changed is an entry or corrupt, and nothing else is ever thrown', () => {
    fc.assert(
      fc.property(anyEntry, fc.nat(), fc.integer({ min: 1, max: 255 }), (entry, place, change) => {
        const bytes = encodeEntry(entry);
        bytes[place % bytes.length]! ^= change;
        decodesOrIsCorrupt(bytes);
      }),
      { numRuns: 2_000 },
    );
  });

  it('made of anything is an entry or corrupt', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodesOrIsCorrupt));
    const head = new TextEncoder().encode(`${'0'.repeat(72)}\u0001\0`);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (rest) => decodesOrIsCorrupt(Uint8Array.from([...head, ...rest]))),
    );
  });

  it.each<[string, number, number]>([
    ['a version in capitals', 3, 0x41],
    ['another format', ENTRY_ORDER_BYTES, ENTRY_FORMAT + 1],
    ['a kind nobody knows', ENTRY_ORDER_BYTES + 1, 3],
    ['more tags than there are', ENTRY_ORDER_BYTES + 34, 9],
    ['a tag that is not UTF-8', ENTRY_ORDER_BYTES + 37, 0xff],
  ])('with %s is corrupt', (_, at, byte) => {
    const bytes = encodeEntry(valueEntry(5, { tags: ['a'], payload: new Uint8Array(0) }));
    bytes[at] = byte;
    expect(() => decodeEntry(bytes)).toThrow(corrupt);
  });
});

const corrupt = expect.objectContaining({ name: 'CacheError', code: 'corrupt-entry' });

function decodesOrIsCorrupt(bytes: Uint8Array): void {
  try {
    decodeEntry(bytes);
  } catch (thrown) {
    if (!(thrown instanceof CacheError) || thrown.code !== 'corrupt-entry') throw thrown;
  }
}

function plain(entry: Entry): unknown {
  return { ...entry, payload: [...entry.payload], tags: [...entry.tags] };
}
