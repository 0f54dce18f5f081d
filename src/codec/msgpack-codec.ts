import { Packr, RESERVE_START_SPACE, RESET_BUFFER_MODE } from 'msgpackr';
import type { Codec, Decoded, Readers } from '../core/codec.js';
import { CacheError } from '../core/errors.js';
import { DEFLATED_FORMAT, deflate, inflate } from './deflate.js';
import { FrozenCopier } from './frozen-copy.js';
import { FrozenDates } from './immutable.js';
import { isPackable, toPackable } from './packable.js';
import { Restorer } from './restore.js';

/**
 * First byte of an encoded value that is not compressed. The next number is `DEFLATED_FORMAT`, and a change that older nodes
 * could not read takes the one after.
 */
const VALUE_FORMAT = 1;

/** Leave room for the format byte, and use the same scratch buffer again next time: the bytes are copied out. */
const PACK_OPTIONS = RESERVE_START_SPACE | 1 | RESET_BUFFER_MODE;
/** What msgpackr may keep as scratch; it would hold on to four times the largest value ever seen. */
const SCRATCH_BYTES_MAX = 1_048_576;
/** Size of a new scratch buffer, ours for reading and msgpackr's for writing. */
const SCRATCH_BYTES = 8_192;

/** Which values are compressed. Those that are so already are read whatever stands here. */
interface Compression {
  /** Values that take fewer bytes are kept as they are. */
  readonly minBytes: number;
}

/**
 * Values as MessagePack, after a byte that says which format; on demand compressed (`deflate.ts`).
 *
 * Kept with their type: what JSON has, and `undefined` inside objects and arrays, -0, NaN, the infinities, BigInt,
 * Date, Map, Set, RegExp, Error (class, name, message, cause, own properties; not the stack), typed arrays and
 * ArrayBuffer. A Buffer comes back as a Uint8Array, an instance of a class as a plain object of its own enumerable
 * properties (`toJSON` is not asked), a hole of an array as undefined. Properties under symbols stay behind. What is
 * referred to twice comes back as two.
 *
 * Refused, saying where: functions, symbols, promises, boxed primitives, objects without data of their own (WeakMap,
 * URL, streams and their like), values that hold themselves, and what is nested deeper than 256 levels.
 */
export class MsgpackCodec implements Codec {
  readonly #packr = new Packr({
    // Plain maps: other readers understand them, and records would have to be defined anew in every value.
    useRecords: false,
    mapsAsObjects: true,
    variableMapSize: true,
    useToJSON: false,
    copyBuffers: true,
    // Without it no bytes, however broken, decode to a value with a cycle.
    structuredClone: false,
  });
  readonly #dates = new FrozenDates();
  readonly #copier = new FrozenCopier(this.#dates);
  readonly #restorer = new Restorer(this.#dates);
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  /** What of the source is to be read: all behind the format byte. */
  readonly #range = { start: 1, end: 0 };
  readonly #compressedFromBytes: number;

  /** @param compression left out, nothing is compressed */
  constructor(compression?: Compression) {
    this.#compressedFromBytes = compression?.minBytes ?? Number.POSITIVE_INFINITY;
  }

  encode(value: unknown): Uint8Array {
    if (value === undefined) {
      throw new CacheError(
        'invalid-value',
        'value is undefined, which means that there is none; to remove it use delete',
        {
          field: 'value',
        },
      );
    }
    try {
      const packed = this.#packr.pack(isPackable(value) ? value : toPackable(value), PACK_OPTIONS);
      packed[0] = VALUE_FORMAT;
      const deflated = packed.length >= this.#compressedFromBytes ? deflate(packed.subarray(1)) : undefined;
      const bytes = deflated ?? new Uint8Array(packed);
      if (packed.buffer.byteLength > SCRATCH_BYTES_MAX) this.#packr.useBuffer(Buffer.allocUnsafeSlow(SCRATCH_BYTES));
      return bytes;
    } catch (cause) {
      if (cause instanceof CacheError) throw cause;
      throw unreadable(cause);
    }
  }

  copy(value: unknown): unknown {
    try {
      return this.#copier.copyOf(value);
    } catch {
      // A getter of the user's threw: `encode` says so in its own words.
      return undefined;
    }
  }

  decode(bytes: Uint8Array, readers: Readers = 'many'): Decoded {
    const format = bytes[0];
    if (format !== VALUE_FORMAT && format !== DEFLATED_FORMAT) {
      throw corrupt(
        format === undefined
          ? 'it is empty'
          : `format ${format} is not known here; this node reads ${VALUE_FORMAT} and ${DEFLATED_FORMAT}`,
      );
    }
    try {
      const unpacked = format === DEFLATED_FORMAT ? this.#packr.unpack(inflate(bytes)) : this.#unpack(bytes);
      const value = this.#restorer.restore(unpacked, readers);
      if (value === undefined) throw new Error('it is undefined');
      return { value, frozen: this.#restorer.frozen };
    } catch (cause) {
      throw corrupt(String(cause), cause);
    }
  }

  /** Never from `bytes` themselves, since msgpackr hangs a property on what it reads; copying few is cheapest. */
  #unpack(bytes: Uint8Array): unknown {
    this.#range.end = bytes.length;
    if (bytes.length > SCRATCH_BYTES) {
      return this.#packr.unpack(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), this.#range);
    }
    this.#scratch.set(bytes);
    return this.#packr.unpack(this.#scratch, this.#range);
  }
}

/** A getter or a proxy of the user's threw, or it is too large for one buffer. */
function unreadable(cause: unknown): CacheError {
  return new CacheError('invalid-value', `value cannot be cached: reading it failed (${String(cause)})`, {
    field: 'value',
    cause,
  });
}

function corrupt(why: string, cause?: unknown): CacheError {
  return new CacheError('corrupt-entry', `a stored value cannot be read: ${why}`, { cause });
}
