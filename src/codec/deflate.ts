import { deflateRawSync, inflateRawSync } from 'node:zlib';

/**
 * A compressed value as bytes. Golden files hold it to its word; how well a writer compresses is its own affair.
 *
 *     0    1  format, always 2
 *     1    4  length of the MessagePack, big-endian, 1 to PLAIN_BYTES_MAX
 *     5    .  the MessagePack of the value as raw DEFLATE (RFC 1951), to the end
 */
export const DEFLATED_FORMAT = 2;

/**
 * Larger values are kept as they are: compressing holds up the event loop, for 0.7 ms at this size and 4 ms at a mebibyte.
 * A reader gives no more memory to anybody's bytes.
 */
export const PLAIN_BYTES_MAX = 262_144;

const HEAD_BYTES = 5;
/** Of what it was. For less than a tenth nobody should have to inflate. */
const KEPT_SHARE = 0.9;
/** Above level 1 each level takes longer for a few per cent. */
const DEFLATE_OPTIONS = { level: 1 } as const;
/** The smallest piece that zlib makes. */
const CHUNK_BYTES_MIN = 64;
/** Of each call that fails Node holds on to one piece until the next tick, and many may fail in one. */
const CHUNK_BYTES_MAX = 16_384;

/** What `packed` is as a compressed value, in memory of its own; undefined where that would not pay. */
export function deflate(packed: Uint8Array): Uint8Array | undefined {
  if (packed.length > PLAIN_BYTES_MAX) return undefined;
  const body = deflateRawSync(packed, DEFLATE_OPTIONS);
  if (HEAD_BYTES + body.length > packed.length * KEPT_SHARE) return undefined;
  const bytes = new Uint8Array(HEAD_BYTES + body.length);
  bytes[0] = DEFLATED_FORMAT;
  new DataView(bytes.buffer).setUint32(1, packed.length);
  bytes.set(body, HEAD_BYTES);
  return bytes;
}

/**
 * What was compressed, in memory of its own. Never more is inflated than the length in its head, which is `PLAIN_BYTES_MAX`
 * at most, and one piece of 16 KiB. Throws any error for what `deflate` cannot have written.
 */
export function inflate(bytes: Uint8Array): Buffer {
  if (bytes.length <= HEAD_BYTES) throw new Error(`${bytes.length} bytes are too short`);
  const plainBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  if (plainBytes === 0 || plainBytes > PLAIN_BYTES_MAX) {
    throw new Error(`a length of ${plainBytes} bytes, where 1 to ${PLAIN_BYTES_MAX} are possible`);
  }
  const body = bytes.subarray(HEAD_BYTES);
  // With a byte to spare what is small comes in one piece: zlib asks for more room whenever none is left.
  const chunkSize = Math.min(Math.max(CHUNK_BYTES_MIN, plainBytes + 1), CHUNK_BYTES_MAX);
  const options = { chunkSize, maxOutputLength: plainBytes, info: true };
  const { buffer, engine } = inflateRawSync(body, options) as unknown as Inflated;
  if (buffer.length !== plainBytes) throw new Error(`${buffer.length} bytes where ${plainBytes} were compressed`);
  if (engine.bytesWritten !== body.length) throw new Error('something follows what was compressed');
  return buffer;
}

/** What `info` asks for, which the types do not tell. */
interface Inflated {
  readonly buffer: Buffer;
  /** `bytesWritten`: how much of the input was used up. */
  readonly engine: { readonly bytesWritten: number };
}
