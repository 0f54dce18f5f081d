import { CacheError } from '../core/errors.js';
import type { Hlc } from '../core/hlc.js';
import { KEY_BYTES_MAX } from '../core/key.js';
import { decodeVersion, isEncodedVersion, VERSION_HEX, type Version } from '../core/version.js';

const WIRE_VERSION = 1;
/** What every message begins with: `FFC`, the version of the format, the kind. */
export const HEAD_BYTES = 5;
/** Up to here a loop is faster than a call of the runtime. */
const SHORT_TEXT = 64;
const fatalUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads a message from the front; every step is checked against what is left of it. */
export class WireCursor {
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

  count(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  reading(): Hlc {
    const start = this.#take(8);
    return { ms: this.#buffer.readUIntBE(start, 6), counter: this.#buffer.readUInt16BE(start + 6) };
  }

  bytes(): Uint8Array {
    const length = this.count();
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

  get hasMore(): boolean {
    return this.#at < this.#buffer.length;
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

/** An error that says why a message cannot be read. */
export function malformed(why: string, cause?: unknown): CacheError {
  return new CacheError('level-failed', `a message between nodes cannot be read: ${why}`, { cause });
}

export function writeHead(buffer: Buffer, kind: number): number {
  buffer.write('FFC', 0, 'latin1');
  buffer[3] = WIRE_VERSION;
  buffer[4] = kind;
  return HEAD_BYTES;
}

export function writeText(buffer: Buffer, text: string, at: number): number {
  const start = at + 2;
  const length = writeAscii(buffer, text, start) ? text.length : buffer.write(text, start, 'utf8');
  buffer.writeUInt16BE(length, at);
  return start + length;
}

/** Most texts are short and ASCII: leaving JavaScript costs more than they do. @returns whether it is one */
function writeAscii(buffer: Buffer, text: string, start: number): boolean {
  if (text.length > SHORT_TEXT) return false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) return false;
    buffer[start + i] = unit;
  }
  return true;
}

export function writeBytes(buffer: Buffer, bytes: Uint8Array, at: number): number {
  const start = buffer.writeUInt32BE(bytes.length, at);
  buffer.set(bytes, start);
  return start + bytes.length;
}
