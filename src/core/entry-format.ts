import { type Entry, type EntryKind, NO_PAYLOAD, NO_TAGS } from './entry.js';
import { CacheError } from './errors.js';
import { decodeHlc, decodeVersion, encodeHlc, encodeVersion, HLC_HEX, VERSION_HEX } from './version.js';

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

const FIXED_BYTES = ENTRY_ORDER_BYTES + 2 + 4 * 8 + 1;
const KINDS: readonly EntryKind[] = ['value', 'absent', 'tombstone'];
const toUtf8 = new TextEncoder();
const fromUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function encodeEntry(entry: Entry): Uint8Array {
  const tags = entry.tags.map((tag) => toUtf8.encode(tag));
  const tagBytes = tags.reduce((sum, tag) => sum + 2 + tag.length, 0);
  const bytes = new Uint8Array(FIXED_BYTES + tagBytes + entry.payload.length);
  const view = new DataView(bytes.buffer);
  toUtf8.encodeInto(encodeVersion(entry.version) + encodeHlc(entry.fillStart) + encodeHlc(entry.fence), bytes);
  let at = ENTRY_ORDER_BYTES;
  bytes[at++] = ENTRY_FORMAT;
  bytes[at++] = KINDS.indexOf(entry.kind);
  for (const ms of [entry.createdAtMs, entry.freshUntilMs, entry.staleWhileRevalidateMs, entry.staleIfErrorMs]) {
    view.setFloat64(at, ms);
    at += 8;
  }
  bytes[at++] = tags.length;
  for (const tag of tags) {
    view.setUint16(at, tag.length);
    bytes.set(tag, at + 2);
    at += 2 + tag.length;
  }
  bytes.set(entry.payload, at);
  return bytes;
}

/**
 * The entry in `bytes`. Its payload is a view of them: copy first what would keep a larger buffer alive.
 * @throws CacheError `corrupt-entry` for anything that `encodeEntry` of this or an earlier format cannot have written
 */
export function decodeEntry(bytes: Uint8Array): Entry {
  if (bytes.length < FIXED_BYTES) throw corrupt(`${bytes.length} bytes are too short`);
  const head = latin1(bytes, ENTRY_ORDER_BYTES);
  if (!ORDER.test(head)) throw corrupt('the version is not hexadecimal');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const format = bytes[ENTRY_ORDER_BYTES];
  if (format !== ENTRY_FORMAT) throw corrupt(`format ${format} is not known here; this node writes ${ENTRY_FORMAT}`);
  const kind = KINDS[bytes[ENTRY_ORDER_BYTES + 1] as number];
  if (kind === undefined) throw corrupt('the kind is not known');
  const timesAt = ENTRY_ORDER_BYTES + 2;
  const { tags, end } = decodeTags(bytes, view, timesAt + 32);
  return {
    kind,
    payload: end === bytes.length ? NO_PAYLOAD : bytes.subarray(end),
    version: decodeVersion(head),
    fillStart: decodeHlc(head.slice(VERSION_HEX)),
    fence: decodeHlc(head.slice(VERSION_HEX + HLC_HEX)),
    createdAtMs: view.getFloat64(timesAt),
    freshUntilMs: view.getFloat64(timesAt + 8),
    staleWhileRevalidateMs: view.getFloat64(timesAt + 16),
    staleIfErrorMs: view.getFloat64(timesAt + 24),
    tags,
  };
}

const ORDER = /^[0-9a-f]{72}$/;

function decodeTags(bytes: Uint8Array, view: DataView, start: number): { tags: readonly string[]; end: number } {
  const count = bytes[start] as number;
  let at = start + 1;
  if (count === 0) return { tags: NO_TAGS, end: at };
  const tags: string[] = [];
  for (let i = 0; i < count; i++) {
    if (at + 2 > bytes.length) throw corrupt('it ends within its tags');
    const length = view.getUint16(at);
    at += 2;
    if (at + length > bytes.length) throw corrupt('it ends within its tags');
    try {
      tags.push(fromUtf8.decode(bytes.subarray(at, at + length)));
    } catch (cause) {
      throw corrupt('a tag is not UTF-8', cause);
    }
    at += length;
  }
  return { tags, end: at };
}

function latin1(bytes: Uint8Array, length: number): string {
  return String.fromCharCode(...bytes.subarray(0, length));
}

function corrupt(why: string, cause?: unknown): CacheError {
  return new CacheError('corrupt-entry', `a stored entry cannot be read: ${why}`, { cause });
}
