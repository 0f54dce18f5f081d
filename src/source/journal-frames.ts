import { crc32 } from 'node:zlib';

/** Length and checksum before each record, both 32 bits, little-endian. The checksum covers the length too. */
export const HEAD_BYTES = 8;

/** Longest record: a call of some tens of thousands of positions. */
export const RECORD_MAX_BYTES = 4_194_304;

export function frameOf(record: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + record.byteLength);
  frame.writeUInt32LE(record.byteLength, 0);
  frame.set(record, HEAD_BYTES);
  frame.writeUInt32LE(checksumOf(frame, 0, record.byteLength), 4);
  return frame;
}

/** Whole records from the begin of some bytes, and where the first one begins that is not whole, or not as it was written. */
export function readFrames(bytes: Buffer, recordsMax = Number.POSITIVE_INFINITY): { records: Buffer[]; end: number } {
  const records: Buffer[] = [];
  let at = 0;
  while (records.length < recordsMax && at + HEAD_BYTES <= bytes.byteLength) {
    const length = bytes.readUInt32LE(at);
    const end = at + HEAD_BYTES + length;
    if (length > RECORD_MAX_BYTES || end > bytes.byteLength) break;
    if (bytes.readUInt32LE(at + 4) !== checksumOf(bytes, at, length)) break;
    records.push(bytes.subarray(at + HEAD_BYTES, end));
    at = end;
  }
  return { records, end: at };
}

function checksumOf(bytes: Buffer, at: number, length: number): number {
  const ofLength = crc32(bytes.subarray(at, at + 4));
  return crc32(bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length), ofLength);
}
