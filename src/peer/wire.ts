import type { WriteMode } from '../core/entry.js';
import { CacheError } from '../core/errors.js';
import { KEY_BYTES_MAX } from '../core/key.js';
import { STORED, type WriteOutcome } from '../core/outcome.js';
import { decodeVersion, encodeVersion, isEncodedVersion, VERSION_HEX, type Version } from '../core/version.js';

/**
 * Many reads and writes in one request between nodes. Part of the wire contract; golden bytes hold it to its word.
 * Numbers are big-endian; a text is 2 bytes of length and its UTF-8; bytes are 4 bytes of length and themselves.
 *
 *     0   3  "FFC"
 *     3   1  version of this format, always 1
 *     4   1  1 for a request, 2 for a reply
 *     5   2  number of reads, then each
 *              of a request: text key
 *              of a reply: 1 byte; 0 miss, 1 found and bytes entry, 2 not answered for want of room: ask again
 *     .   2  number of writes, then each
 *              of a request: text key, 1 byte mode (0 set, 1 fill), bytes entry
 *              of a reply: 1 byte; 0 stored, 1 superseded, 2 superseded by and 40 bytes version, 3 failed and text why
 *
 * The answers of a reply are in the order of its request. An entry is in the form of core/entry-format.ts.
 */
const WIRE_VERSION = 1;

export interface BatchRequest {
  readonly reads: readonly string[];
  readonly writes: readonly WireWrite[];
}

/** An entry to keep, encoded. */
export interface WireWrite {
  readonly key: string;
  readonly mode: WriteMode;
  readonly bytes: Uint8Array;
}

export interface BatchReply {
  readonly reads: readonly WireRead[];
  readonly writes: readonly WriteOutcome[];
}

/** The encoded entry; or none; or `later`: the reply is full, ask again. */
export type WireRead = Uint8Array | 'miss' | 'later';

const REQUEST = 1;
const REPLY = 2;
const HEAD_BYTES = 5;
const MODES: readonly WriteMode[] = ['set', 'fill'];
const REASON_BYTES_MAX = 1_024;
const fatalUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @param request with at most 65,535 reads and as many writes */
export function encodeRequest({ reads, writes }: BatchRequest): Buffer {
  // A UTF-16 unit takes at most 3 bytes: too large by a little is cheaper than counting twice.
  let room = HEAD_BYTES + 4;
  for (const key of reads) room += 2 + key.length * 3;
  for (const { key, bytes } of writes) room += 2 + key.length * 3 + 1 + 4 + bytes.length;
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
  return buffer.subarray(0, at);
}

/**
 * What `encodeRequest` wrote; entries are views of `bytes`, and are not looked into.
 * @throws CacheError `level-failed` for anything else. Takes no more memory than the message has bytes.
 */
export function decodeRequest(bytes: Uint8Array): BatchRequest {
  const cursor = new Cursor(bytes, REQUEST);
  const reads = cursor.items(() => cursor.key());
  const writes = cursor.items((): WireWrite => {
    const key = cursor.key();
    const mode = MODES[cursor.byte()];
    if (mode === undefined) throw malformed('a mode is not known');
    return { key, mode, bytes: cursor.bytes() };
  });
  cursor.end();
  return { reads, writes };
}

export function encodeReply({ reads, writes }: BatchReply): Buffer {
  let room = HEAD_BYTES + 4;
  for (const read of reads) room += typeof read === 'string' ? 1 : 5 + read.length;
  for (const write of writes) room += 1 + (write.kind === 'failed' ? 2 + REASON_BYTES_MAX : VERSION_HEX);
  const buffer = Buffer.allocUnsafe(room);
  let at = writeHead(buffer, REPLY);
  at = buffer.writeUInt16BE(reads.length, at);
  for (const read of reads) {
    if (typeof read === 'string') {
      at = buffer.writeUInt8(read === 'miss' ? 0 : 2, at);
    } else {
      at = writeBytes(buffer, read, buffer.writeUInt8(1, at));
    }
  }
  at = buffer.writeUInt16BE(writes.length, at);
  for (const write of writes) at = writeOutcome(buffer, write, at);
  return buffer.subarray(0, at);
}

/**
 * What `encodeReply` wrote; entries are views of `bytes`, and are not looked into.
 * @throws CacheError `level-failed` for anything else, and for another number of answers than was asked for
 */
export function decodeReply(bytes: Uint8Array, asked: { readonly reads: number; readonly writes: number }): BatchReply {
  const cursor = new Cursor(bytes, REPLY);
  const reads = cursor.items((): WireRead => {
    const status = cursor.byte();
    if (status === 0) return 'miss';
    if (status === 1) return cursor.bytes();
    if (status === 2) return 'later';
    throw malformed('the status of a read is not known');
  });
  const writes = cursor.items(() => readOutcome(cursor));
  cursor.end();
  if (reads.length !== asked.reads || writes.length !== asked.writes) {
    throw malformed('it does not have an answer for each question');
  }
  return { reads, writes };
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

function readOutcome(cursor: Cursor): WriteOutcome {
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

function writeHead(buffer: Buffer, kind: number): number {
  buffer.write('FFC', 0, 'latin1');
  buffer[3] = WIRE_VERSION;
  buffer[4] = kind;
  return HEAD_BYTES;
}

function writeText(buffer: Buffer, text: string, at: number): number {
  const length = buffer.write(text, at + 2, 'utf8');
  buffer.writeUInt16BE(length, at);
  return at + 2 + length;
}

function writeBytes(buffer: Buffer, bytes: Uint8Array, at: number): number {
  const start = buffer.writeUInt32BE(bytes.length, at);
  buffer.set(bytes, start);
  return start + bytes.length;
}

/** Reads a message from the front; every step is checked against what is left of it. */
class Cursor {
  readonly #buffer: Buffer;
  #at = HEAD_BYTES;

  constructor(bytes: Uint8Array, kind: number) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (bytes.length < HEAD_BYTES || this.#buffer.toString('latin1', 0, 3) !== 'FFC')
      throw malformed('it has no known start');
    if (bytes[3] !== WIRE_VERSION) {
      throw malformed(`its format is ${bytes[3]}, this node speaks ${WIRE_VERSION}; run one version on all nodes`);
    }
    if (bytes[4] !== kind) throw malformed(`its kind is ${bytes[4]}, not ${kind}`);
  }

  /** As many items as the count that comes first says; the list grows with what is there, not with what is claimed. */
  items<T>(read: () => T): T[] {
    const count = this.#buffer.readUInt16BE(this.#take(2));
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(read());
    return items;
  }

  byte(): number {
    return this.#buffer[this.#take(1)] as number;
  }

  bytes(): Uint8Array {
    const length = this.#buffer.readUInt32BE(this.#take(4));
    const start = this.#take(length);
    return this.#buffer.subarray(start, start + length);
  }

  key(): string {
    const key = this.text(KEY_BYTES_MAX);
    if (key.length === 0) throw malformed('a key is empty');
    return key;
  }

  text(bytesMax: number): string {
    const length = this.#buffer.readUInt16BE(this.#take(2));
    if (length > bytesMax) throw malformed(`a text has ${length} bytes, at most ${bytesMax} are allowed`);
    const start = this.#take(length);
    const end = start + length;
    for (let at = start; at < end; at++) {
      if ((this.#buffer[at] as number) >= 0x80) return this.#utf8(start, end);
    }
    return this.#buffer.toString('latin1', start, end);
  }

  version(): Version {
    const start = this.#take(VERSION_HEX);
    const text = this.#buffer.toString('latin1', start, start + VERSION_HEX);
    if (!isEncodedVersion(text)) throw malformed('a version is not hexadecimal');
    return decodeVersion(text);
  }

  end(): void {
    if (this.#at !== this.#buffer.length) throw malformed(`${this.#buffer.length - this.#at} bytes follow its end`);
  }

  #utf8(start: number, end: number): string {
    try {
      return fatalUtf8.decode(this.#buffer.subarray(start, end));
    } catch (cause) {
      throw malformed('a text is not UTF-8', cause);
    }
  }

  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#buffer.length) throw malformed('it ends too early');
    this.#at = start + length;
    return start;
  }
}

function malformed(why: string, cause?: unknown): CacheError {
  return new CacheError('level-failed', `a message between nodes cannot be read: ${why}`, { cause });
}
