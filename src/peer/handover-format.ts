import type { Hlc } from '../core/hlc.js';
import { BUCKETS } from '../core/key.js';
import { fieldsOf, malformed, parseJson, versionOf } from './json-fields.js';
import { HEAD_BYTES, WireCursor, writeBytes, writeHead, writeText } from './wire-cursor.js';

/** What a node asks for that is to keep some buckets: what the other one has of them. */
export interface HandoverRequest {
  /** By which the one who asks places. */
  readonly epoch: string;
  /** At most 256. */
  readonly buckets: readonly number[];
  /** The last key that came of the first bucket; undefined when none has. */
  readonly after?: string | undefined;
}

/**
 * Some of it: all of the first buckets that were asked for, in their order, and of the next one the first keys, as much
 * as fits.
 */
export interface HandoverPage {
  readonly buckets: readonly HandedBucket[];
  readonly entries: readonly HandedEntry[];
}

/** A bucket that is complete with this page. */
export interface HandedBucket {
  readonly bucket: number;
  /** The sender has no doubt that it has all that was written to it. */
  readonly sure: boolean;
  readonly marks: BucketMarks;
}

/** What is remembered of entries that are not kept any more: see `EvictedMarks`. */
export interface BucketMarks {
  readonly fence: Hlc;
  readonly fillStart: Hlc;
}

export interface HandedEntry {
  readonly key: string;
  readonly bytes: Uint8Array;
}

const REQUEST_VERSION = 1;
const BUCKETS_MAX = 256;
/** Kinds 1 and 2 are those of wire.ts. */
const PAGE = 3;

export function formatHandover({ epoch, buckets, after }: HandoverRequest): string {
  return JSON.stringify({ v: REQUEST_VERSION, epoch, buckets, after });
}

/** @throws CacheError `level-failed` */
export function parseHandover(text: string): HandoverRequest {
  const { v, epoch, buckets, after } = fieldsOf(parseJson(text, 'a handover'), 'a handover');
  if (v !== REQUEST_VERSION) throw malformed(`its handover is of ${versionOf(v)}, this node speaks ${REQUEST_VERSION}`);
  if (!Array.isArray(buckets) || buckets.length === 0 || buckets.length > BUCKETS_MAX || !buckets.every(isBucket)) {
    throw malformed(`a handover is of 1 to ${BUCKETS_MAX} buckets, each a number from 0 to ${BUCKETS - 1}`);
  }
  if (typeof epoch !== 'string') throw malformed('a handover has no epoch');
  if (after !== undefined && typeof after !== 'string') throw malformed('the last key of a handover is no text');
  return { epoch, buckets, ...(after !== undefined && { after }) };
}

/**
 * After the head of wire.ts, with kind 3: 2 bytes number of complete buckets, then of each 2 bytes bucket, 1 byte
 * whether the sender is sure, 8 bytes fence, 8 bytes fill start; 2 bytes number of entries, then of each text key and
 * bytes entry.
 */
export function encodePage({ buckets, entries }: HandoverPage): Buffer {
  let room = HEAD_BYTES + 4 + buckets.length * 19;
  for (const { key, bytes } of entries) room += 2 + key.length * 3 + 4 + bytes.length;
  const buffer = Buffer.allocUnsafe(room);
  let at = buffer.writeUInt16BE(buckets.length, writeHead(buffer, PAGE));
  for (const { bucket, sure, marks } of buckets) {
    at = buffer.writeUInt16BE(bucket, at);
    at = buffer.writeUInt8(sure ? 1 : 0, at);
    at = writeReading(buffer, marks.fence, at);
    at = writeReading(buffer, marks.fillStart, at);
  }
  at = buffer.writeUInt16BE(entries.length, at);
  for (const { key, bytes } of entries) at = writeBytes(buffer, bytes, writeText(buffer, key, at));
  return buffer.subarray(0, at);
}

/** What `encodePage` wrote; entries are views of `bytes`. @throws CacheError `level-failed` for anything else */
export function decodePage(bytes: Uint8Array): HandoverPage {
  const cursor = new WireCursor(bytes, PAGE);
  const buckets = cursor.items((): HandedBucket => {
    const bucket = cursor.byte() * 256 + cursor.byte();
    if (!isBucket(bucket)) throw malformed('a bucket is not known');
    const sure = cursor.byte() === 1;
    return { bucket, sure, marks: { fence: cursor.reading(), fillStart: cursor.reading() } };
  });
  const entries = cursor.items((): HandedEntry => ({ key: cursor.key(), bytes: cursor.bytes() }));
  cursor.end();
  return { buckets, entries };
}

function writeReading(buffer: Buffer, { ms, counter }: Hlc, at: number): number {
  return buffer.writeUInt16BE(counter, buffer.writeUIntBE(ms, at, 6));
}

function isBucket(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < BUCKETS;
}
