import type { WriteMode } from '../core/entry.js';
import { CacheError } from '../core/errors.js';
import { STORED, type WriteOutcome } from '../core/outcome.js';
import { encodeVersion, VERSION_HEX } from '../core/version.js';
import {
  type LeaseQuestion,
  type LeaseReply,
  questionRoom,
  REPLY_ROOM,
  readLeaseReply,
  readQuestion,
  writeLeaseReply,
  writeQuestion,
} from './lease-wire.js';
import type { StoredEntry } from './peer-store.js';
import { HEAD_BYTES, malformed, WireCursor, writeBytes, writeHead, writeText } from './wire-cursor.js';

/**
 * Many reads, writes and words about leases in one request between nodes. Part of the wire contract; golden bytes hold it
 * to its word.
 * Numbers are big-endian; a text is 2 bytes of length and its UTF-8; bytes are 4 bytes of length and themselves.
 *
 *     0   3  "FFC"
 *     3   1  version of this format, always 1
 *     4   1  1 for a request, 2 for a reply
 *     5   2  number of reads, then each
 *              of a request: text key
 *              of a reply: 1 byte; 0 miss, 1 found and bytes entry, 2 not answered for want of room: ask
 *                again, 3 found and bytes entry, which is not to be believed alone
 *     .   2  number of writes, then each
 *              of a request: text key, 1 byte mode (0 set, 1 fill), bytes entry
 *              of a reply: 1 byte; 0 stored, 1 superseded, 2 superseded by and 40 bytes version, 3 failed and text why
 *     .   2  number of words about leases, then each; all of it is left out when there are none
 *              of a request: 1 byte verb (0 acquire, 1 renew, 2 release, 3 ended), text key; but for `ended`, text token;
 *                to acquire, 6 bytes ms and 2 bytes counter of the reading, text address of who asks
 *              of a reply: 1 byte; 0 noted, 1 granted, 2 granted though there is a fresh entry, 3 busy and 4 bytes ms
 *                that the lease has left, 4 filled since, 5 no room for one more lease
 *
 * The answers of a reply are in the order of its request. An entry is in the form of core/entry-format.ts.
 */
export interface BatchRequest {
  readonly reads: readonly string[];
  readonly writes: readonly WireWrite[];
  readonly leases: readonly LeaseQuestion[];
}

/** An entry to keep, encoded. */
export interface WireWrite {
  readonly key: string;
  readonly mode: WriteMode;
  readonly bytes: Uint8Array;
}

export interface BatchReply<B extends WireBytes = Uint8Array> {
  readonly reads: readonly WireRead<B>[];
  readonly writes: readonly WriteOutcome[];
  readonly leases: readonly LeaseReply[];
}

/**
 * The encoded entry; or none; or `later`: the reply is full, ask again. `doubted`: there is an entry, but writes may have
 * passed this node by; it counts only together with what all others have.
 */
export type WireRead<B extends WireBytes = Uint8Array> = B | 'miss' | 'later' | DoubtedRead<B>;

export interface DoubtedRead<B extends WireBytes = Uint8Array> {
  readonly doubted: B;
}

/** An encoded entry, or where it can be copied from. */
type WireBytes = Uint8Array | StoredEntry;

const REQUEST = 1;
const REPLY = 2;
const MODES: readonly WriteMode[] = ['set', 'fill'];
const REASON_BYTES_MAX = 1_024;

/** @param request with at most 65,535 reads, as many writes, and as many words about leases */
export function encodeRequest({ reads, writes, leases }: BatchRequest): Buffer {
  // A UTF-16 unit takes at most 3 bytes: too large by a little is cheaper than counting twice.
  let room = HEAD_BYTES + 6;
  for (const key of reads) room += 2 + key.length * 3;
  for (const { key, bytes } of writes) room += 2 + key.length * 3 + 1 + 4 + bytes.length;
  for (const question of leases) room += questionRoom(question);
  const buffer = Buffer.allocUnsafe(room);
  let at = writeHead(buffer, REQUEST);
  at = buffer.writeUInt16BE(reads.length, at);
  for (const key of reads) at = writeText(buffer, key, at);
  at = buffer.writeUInt16BE(writes.length, at);
  for (const { key, mode, bytes } of writes) {
    at = writeText(buffer, key, at);
    at = buffer.writeUInt8(MODES.indexOf(mode), at);
    at = writeBytes(buffer, bytes, at);
  }
  if (leases.length > 0) at = buffer.writeUInt16BE(leases.length, at);
  for (const question of leases) at = writeQuestion(buffer, question, at);
  return buffer.subarray(0, at);
}

/**
 * What `encodeRequest` wrote; entries are views of `bytes`, and are not looked into.
 * @throws CacheError `level-failed` for anything else. Takes no more memory than the message has bytes.
 */
export function decodeRequest(bytes: Uint8Array): BatchRequest {
  const cursor = new WireCursor(bytes, REQUEST);
  const reads = cursor.items(() => cursor.key());
  const writes = cursor.items((): WireWrite => {
    const key = cursor.key();
    const mode = MODES[cursor.byte()];
    if (mode === undefined) throw malformed('a mode is not known');
    return { key, mode, bytes: cursor.bytes() };
  });
  const leases = cursor.hasMore ? cursor.items(() => readQuestion(cursor)) : [];
  cursor.end();
  return { reads, writes, leases };
}

export function encodeReply({ reads, writes, leases }: BatchReply<WireBytes>): Buffer {
  let room = HEAD_BYTES + 6 + leases.length * REPLY_ROOM;
  for (const read of reads) room += 5 + sizeOf(read);
  for (const write of writes) room += 1 + (write.kind === 'failed' ? 2 + REASON_BYTES_MAX : VERSION_HEX);
  const buffer = Buffer.allocUnsafe(room);
  let at = writeHead(buffer, REPLY);
  at = buffer.writeUInt16BE(reads.length, at);
  for (const read of reads) {
    if (typeof read === 'string') {
      at = buffer.writeUInt8(read === 'miss' ? 0 : 2, at);
    } else if ('doubted' in read) {
      at = writeEntry(buffer, read.doubted, buffer.writeUInt8(3, at));
    } else {
      at = writeEntry(buffer, read, buffer.writeUInt8(1, at));
    }
  }
  at = buffer.writeUInt16BE(writes.length, at);
  for (const write of writes) at = writeOutcome(buffer, write, at);
  if (leases.length > 0) at = buffer.writeUInt16BE(leases.length, at);
  for (const reply of leases) at = writeLeaseReply(buffer, reply, at);
  return buffer.subarray(0, at);
}

/** How many answers of each kind are due. */
export type AskedCounts = Readonly<Record<keyof BatchReply, number>>;

/**
 * What `encodeReply` wrote; entries are views of `bytes`, and are not looked into.
 * @throws CacheError `level-failed` for anything else, and for another number of answers than was asked for
 */
export function decodeReply(bytes: Uint8Array, asked: AskedCounts): BatchReply {
  const cursor = new WireCursor(bytes, REPLY);
  const reads = cursor.items((): WireRead => {
    const status = cursor.byte();
    if (status === 0) return 'miss';
    if (status === 1) return cursor.bytes();
    if (status === 2) return 'later';
    if (status === 3) return { doubted: cursor.bytes() };
    throw malformed('the status of a read is not known');
  });
  const writes = cursor.items(() => readOutcome(cursor));
  const leases = cursor.hasMore ? cursor.items(() => readLeaseReply(cursor)) : [];
  cursor.end();
  if (reads.length !== asked.reads || writes.length !== asked.writes || leases.length !== asked.leases) {
    throw malformed('it does not have an answer for each question');
  }
  return { reads, writes, leases };
}

function sizeOf(read: WireRead<WireBytes>): number {
  if (typeof read === 'string') return 0;
  return 'doubted' in read ? read.doubted.length : read.length;
}

function writeEntry(buffer: Buffer, entry: WireBytes, at: number): number {
  if (entry instanceof Uint8Array) return writeBytes(buffer, entry, at);
  const start = buffer.writeUInt32BE(entry.length, at);
  entry.copyTo(buffer, start);
  return start + entry.length;
}

function writeOutcome(buffer: Buffer, outcome: WriteOutcome, at: number): number {
  switch (outcome.kind) {
    case 'stored':
      return buffer.writeUInt8(0, at);
    case 'superseded':
      if (outcome.by === undefined) return buffer.writeUInt8(1, at);
      return buffer.writeUInt8(2, at) + buffer.write(encodeVersion(outcome.by), at + 1, 'latin1');
    case 'failed':
      return writeReason(buffer, outcome.error.message, at);
    case 'skipped':
      return writeReason(buffer, outcome.why, at);
    case 'none':
      return writeReason(buffer, 'there is no such level', at);
  }
}

function writeReason(buffer: Buffer, reason: string, start: number): number {
  // `write` stops at a whole character.
  const length = buffer.write(reason, start + 3, REASON_BYTES_MAX, 'utf8');
  buffer.writeUInt16BE(length, buffer.writeUInt8(3, start));
  return start + 3 + length;
}

function readOutcome(cursor: WireCursor): WriteOutcome {
  const status = cursor.byte();
  switch (status) {
    case 0:
      return STORED;
    case 1:
      return { kind: 'superseded' };
    case 2:
      return { kind: 'superseded', by: cursor.version() };
    case 3:
      return { kind: 'failed', error: new CacheError('level-failed', cursor.text(REASON_BYTES_MAX)) };
    default:
      throw malformed('the status of a write is not known');
  }
}
