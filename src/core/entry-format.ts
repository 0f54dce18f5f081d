import { type Entry, type EntryKind, makeEntry, NO_PAYLOAD, NO_TAGS } from './entry.js';
import { CacheError } from './errors.js';
import type { Hlc } from './hlc.js';
import { utf8Length } from './key.js';
import { HLC_HEX, VERSION_HEX } from './version.js';

/**
 * An entry as bytes: what Redis stores and what peers send each other. Golden files hold it to its word.
 *
 *     0    40  version, hex           text order is version order, so a script can compare without parsing
 *    40    16  fill start, hex
 *    56    16  fence, hex
 *    72     1  format, always 1
 *    73     1  kind: 0 value, 1 absent, 2 tombstone
 *    74     8  created at, ms, float64 big-endian
 *    82     8  fresh until, ms, float64
 *    90     8  stale-while-revalidate, ms, float64
 *    98     8  stale-if-error, ms, float64
 *   106     1  number of tags, then each: 2 bytes length (big-endian), UTF-8
 *     .     .  payload, to the end
 */
export const ENTRY_FORMAT = 1;
/** Width of the head that scripts compare: version, fill start, fence. */
export const ENTRY_ORDER_BYTES = VERSION_HEX + 2 * HLC_HEX;

/** Width of what tells one entry of a key from another: the order, format and kind. */
export const ENTRY_HEAD_BYTES = ENTRY_ORDER_BYTES + 2;

const FIXED_BYTES = ENTRY_HEAD_BYTES + 4 * 8 + 1;
const KINDS: readonly EntryKind[] = ['value', 'absent', 'tombstone'];
const toUtf8 = new TextEncoder();
const fromUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function encodeEntry(entry: Entry): Uint8Array {
  const tagBytes = entry.tags.reduce((sum, tag) => sum + 2 + utf8Length(tag), 0);
  const bytes = new Uint8Array(FIXED_BYTES + tagBytes + entry.payload.length);
  const view = new DataView(bytes.buffer);
  putHead(bytes, entry);
  let at = ENTRY_HEAD_BYTES;
  for (const ms of [entry.createdAtMs, entry.freshUntilMs, entry.staleWhileRevalidateMs, entry.staleIfErrorMs]) {
    view.setFloat64(at, ms);
    at += 8;
  }
  bytes[at++] = entry.tags.length;
  for (const tag of entry.tags) {
    const length = utf8Length(tag);
    view.setUint16(at, length);
    at += 2;
    if (length > tag.length) toUtf8.encodeInto(tag, bytes.subarray(at));
    else for (let i = 0; i < length; i++) bytes[at + i] = tag.charCodeAt(i);
    at += length;
  }
  bytes.set(entry.payload, at);
  return bytes;
}

/** The first `ENTRY_HEAD_BYTES` of what `encodeEntry` makes of an entry. */
export function encodeHead(entry: Entry): Uint8Array {
  const bytes = new Uint8Array(ENTRY_HEAD_BYTES);
  putHead(bytes, entry);
  return bytes;
}

function putHead(bytes: Uint8Array, { version, fillStart, fence, kind }: Entry): void {
  putWide(bytes, 0, version.eventTimeMs);
  putHlc(bytes, 12, version.hlc);
  putWide(bytes, 28, version.origin);
  putHlc(bytes, VERSION_HEX, fillStart);
  putHlc(bytes, VERSION_HEX + HLC_HEX, fence);
  bytes[ENTRY_ORDER_BYTES] = ENTRY_FORMAT;
  bytes[ENTRY_ORDER_BYTES + 1] = KINDS.indexOf(kind);
}

/**
 * The entry in `bytes`. Its payload is a view of them: copy first what would keep a larger buffer alive.
 * @throws CacheError `corrupt-entry` for anything that `encodeEntry` of this or an earlier format cannot have written
 */
export function decodeEntry(bytes: Uint8Array): Entry {
  if (bytes.length < FIXED_BYTES) throw corrupt(`${bytes.length} bytes are too short`);
  const version = { eventTimeMs: wideAt(bytes, 0), hlc: hlcAt(bytes, 12), origin: wideAt(bytes, 28) };
  const fillStart = hlcAt(bytes, VERSION_HEX);
  const fence = hlcAt(bytes, VERSION_HEX + HLC_HEX);
  const format = bytes[ENTRY_ORDER_BYTES];
  if (format !== ENTRY_FORMAT) throw corrupt(`format ${format} is not known here; this node writes ${ENTRY_FORMAT}`);
  const kind = KINDS[bytes[ENTRY_ORDER_BYTES + 1] as number];
  if (kind === undefined) throw corrupt('the kind is not known');
  const timesAt = ENTRY_HEAD_BYTES;
  const { tags, end } = decodeTags(bytes, timesAt + 32);
  return makeEntry(
    kind,
    end === bytes.length ? NO_PAYLOAD : bytes.subarray(end),
    version,
    fillStart,
    fence,
    floatAt(bytes, timesAt),
    floatAt(bytes, timesAt + 8),
    floatAt(bytes, timesAt + 16),
    floatAt(bytes, timesAt + 24),
    tags,
  );
}

/** What refuses others when the entry is gone. Takes the first `ENTRY_HEAD_BYTES` of what `encodeEntry` made. */
export function decodeFence(bytes: Uint8Array): Pick<Entry, 'kind' | 'fillStart' | 'fence'> {
  return {
    kind: KINDS[bytes[ENTRY_ORDER_BYTES + 1] as number] ?? 'value',
    fillStart: hlcAt(bytes, VERSION_HEX),
    fence: hlcAt(bytes, VERSION_HEX + HLC_HEX),
  };
}

/** A `DataView` for every entry that is read would be a third of what reading its fixed part costs. */
const floatBytes = new Uint8Array(8);
const floatView = new DataView(floatBytes.buffer);

function floatAt(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) floatBytes[i] = bytes[at + i] as number;
  return floatView.getFloat64(0);
}

function decodeTags(bytes: Uint8Array, start: number): { tags: readonly string[]; end: number } {
  const count = bytes[start] as number;
  let at = start + 1;
  if (count === 0) return { tags: NO_TAGS, end: at };
  const tags: string[] = [];
  for (let i = 0; i < count; i++) {
    if (at + 2 > bytes.length) throw corrupt('it ends within its tags');
    const length = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    at += 2;
    if (at + length > bytes.length) throw corrupt('it ends within its tags');
    tags.push(textAt(bytes, at, at + length));
    at += length;
  }
  return { tags, end: at };
}

/** Most tags are ASCII, for which a decoder costs several times what it decodes. */
function textAt(bytes: Uint8Array, start: number, end: number): string {
  let isAscii = true;
  for (let at = start; at < end && isAscii; at++) isAscii = (bytes[at] as number) < 0x80;
  const part = bytes.subarray(start, end);
  if (isAscii) return String.fromCharCode.apply(null, part as unknown as number[]);
  try {
    return fromUtf8.decode(part);
  } catch (cause) {
    throw corrupt('a tag is not UTF-8', cause);
  }
}

// The head is read and written byte by byte, without strings in between: it is part of every read and write of every
// level, and this takes a fifth of the time. 48 bits are too wide for the operators on bits: they go in two halves.

const DIGITS = toUtf8.encode('0123456789abcdef');
const NO_DIGIT = 16;
const VALUE_OF_BYTE = new Uint8Array(256).fill(NO_DIGIT);
DIGITS.forEach((byte, value) => {
  VALUE_OF_BYTE[byte] = value;
});
const HALF_DIGITS = 6;
const HALF = 2 ** 24;

function hlcAt(bytes: Uint8Array, at: number): Hlc {
  return { ms: wideAt(bytes, at), counter: numberAt(bytes, at + 12, 4) };
}

/** 48 bits: 12 hex digits. */
function wideAt(bytes: Uint8Array, at: number): number {
  return numberAt(bytes, at, HALF_DIGITS) * HALF + numberAt(bytes, at + HALF_DIGITS, HALF_DIGITS);
}

function numberAt(bytes: Uint8Array, start: number, digits: number): number {
  let value = 0;
  for (let at = start; at < start + digits; at++) {
    const digit = VALUE_OF_BYTE[bytes[at] as number] as number;
    if (digit === NO_DIGIT) throw corrupt('the version is not hexadecimal');
    value = (value << 4) | digit;
  }
  return value;
}

function putHlc(bytes: Uint8Array, at: number, { ms, counter }: Hlc): void {
  putWide(bytes, at, ms);
  putNumber(bytes, at + 12, 4, counter);
}

function putWide(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / HALF);
  putNumber(bytes, at, HALF_DIGITS, high);
  putNumber(bytes, at + HALF_DIGITS, HALF_DIGITS, value - high * HALF);
}

function putNumber(bytes: Uint8Array, start: number, digits: number, value: number): void {
  let left = value;
  for (let at = start + digits - 1; at >= start; at--) {
    bytes[at] = DIGITS[left & 15] as number;
    left >>>= 4;
  }
}

function corrupt(why: string, cause?: unknown): CacheError {
  return new CacheError('corrupt-entry', `a stored entry cannot be read: ${why}`, { cause });
}
