import { CacheError } from '../core/errors.js';

/**
 * What a server says, of the types that it has in RESP3: a map is an array of key, value, key, value; a set is an
 * array. Texts that may be anything are Buffers of their own, cut out of nothing larger.
 */
export type Reply = Buffer | string | number | boolean | null | RespError | readonly Reply[];

/** An error that a server replied with; the message begins with its code. */
export class RespError extends Error {
  override readonly name = 'RespError';
}

export interface RespReader {
  /** The reply to the first command that has none yet. */
  onReply(reply: Reply): void;
  /** What nobody asked for: a message of a channel. Never within a reply. */
  onPush(parts: readonly Reply[]): void;
}

/** An array, or the like, of which elements are still to come. */
interface Open {
  readonly type: number;
  readonly items: Reply[];
  missing: number;
}

const CR = 13;
const LF = 10;
const MINUS = 45;
const ZERO = 48;
const typeOf = (mark: string): number => mark.charCodeAt(0);
const BULK = typeOf('$');
const SIMPLE = typeOf('+');
const ERROR = typeOf('-');
const INTEGER = typeOf(':');
const ARRAY = typeOf('*');
const NULL = typeOf('_');
const BOOLEAN = typeOf('#');
const DOUBLE = typeOf(',');
const BIG_NUMBER = typeOf('(');
const BULK_ERROR = typeOf('!');
const VERBATIM = typeOf('=');
const MAP = typeOf('%');
const SET = typeOf('~');
const PUSH = typeOf('>');
const ATTRIBUTE = typeOf('|');

/** A verbatim text begins with what it is, as in `txt:`. */
const VERBATIM_KIND = 4;
/** Of a line without its end; errors are the longest. */
const LINE_MAX_BYTES = 65_536;
/** The largest text that Redis can hold, and more elements than any reply of ours has. */
const TEXT_MAX_BYTES = 512 * 1024 * 1024;
const ITEMS_MAX = 1_048_576;
/** Arrays within arrays; ours are four deep. */
const DEPTH_MAX = 32;

/**
 * Reads what a server sends, in whatever pieces it comes (RESP2 and RESP3; github.com/redis/redis-specifications,
 * protocol/RESP3.md). Nothing that it gives out shares memory with a piece, so that nothing kept can keep 64 KiB alive
 * and pieces may be read into the same memory again.
 */
export class RespParser {
  readonly #reader: RespReader;
  readonly #open: Open[] = [];
  /** A line that has begun in pieces before. */
  #line: Buffer | undefined;
  /** A text that has begun: its type, its bytes so far, how many those are, its end (CR, LF) included. */
  #textType = 0;
  #text: Buffer | undefined;
  #textBytes = 0;

  constructor(reader: RespReader) {
    this.#reader = reader;
  }

  /**
   * @param bytes may be used again when this has returned
   * @param length how many of them came
   * @throws CacheError `level-failed` for what is no reply; the connection is of no use then
   */
  read(bytes: Buffer, length = bytes.length): void {
    let at = 0;
    if (this.#text !== undefined) at = this.#readText(this.#text, bytes, 0, length);
    if (this.#line !== undefined && at < length) at = this.#readLine(this.#line, bytes, length);
    while (at < length) at = this.#next(bytes, at, length);
  }

  /** Reads what begins at `at`: a line, and the text behind it if it announces one. @returns where the next begins */
  #next(bytes: Buffer, at: number, to: number): number {
    const type = bytes[at] as number;
    let end = at + 1;
    while (end < to && bytes[end] !== LF) end++;
    if (end === to) {
      if (to - at > LINE_MAX_BYTES) throw broken('a line that does not end');
      this.#line = Buffer.from(bytes.subarray(at, to));
      return to;
    }
    if (bytes[end - 1] !== CR) throw broken('a line that ends with half of its end');
    const last = end - 1;
    end += 1;
    switch (type) {
      case BULK:
      case VERBATIM:
      case BULK_ERROR: {
        const length = lengthAt(bytes, at + 1, last, TEXT_MAX_BYTES);
        if (length < 0) {
          this.#take(null);
          return end;
        }
        if (end + length + 2 > to) return this.#beginText(type, length, bytes, end, to);
        const text = Buffer.allocUnsafe(length);
        bytes.copy(text, 0, end, end + length);
        if (bytes[end + length] !== CR || bytes[end + length + 1] !== LF) throw broken('a text without an end');
        this.#take(type === BULK ? text : textOf(type, text));
        return end + length + 2;
      }
      case ARRAY:
      case SET:
      case PUSH:
      case MAP:
      case ATTRIBUTE: {
        const count = lengthAt(bytes, at + 1, last, ITEMS_MAX);
        if (count < 0) this.#take(null);
        else this.#begin(type, type === MAP || type === ATTRIBUTE ? 2 * count : count);
        return end;
      }
      case INTEGER:
        this.#take(integerAt(bytes, at + 1, last));
        return end;
      case SIMPLE:
      case BIG_NUMBER:
        this.#take(bytes.toString('latin1', at + 1, last));
        return end;
      case ERROR:
        this.#take(new RespError(bytes.toString('utf8', at + 1, last)));
        return end;
      case NULL:
        this.#take(null);
        return end;
      case BOOLEAN:
        this.#take(bytes[at + 1] === typeOf('t'));
        return end;
      case DOUBLE:
        this.#take(doubleOf(bytes.toString('latin1', at + 1, last)));
        return end;
      default:
        throw broken(`a reply of type ${JSON.stringify(String.fromCharCode(type))}`);
    }
  }

  /** Puts the beginning of a line in front of its end. @returns where the next line begins */
  #readLine(begun: Buffer, bytes: Buffer, to: number): number {
    let end = 0;
    while (end < to && bytes[end] !== LF) end++;
    const isWhole = end < to;
    if (isWhole) end += 1;
    if (begun.length + end > LINE_MAX_BYTES) throw broken('a line that does not end');
    const line = Buffer.concat([begun, bytes.subarray(0, end)]);
    this.#line = isWhole ? undefined : line;
    if (isWhole) this.#next(line, 0, line.length);
    // The text behind the line, if there is one, has been begun with nothing.
    return this.#text === undefined ? end : this.#readText(this.#text, bytes, end, to);
  }

  #beginText(type: number, length: number, bytes: Buffer, at: number, to: number): number {
    this.#textType = type;
    this.#text = Buffer.allocUnsafe(length + 2);
    this.#textBytes = 0;
    return this.#readText(this.#text, bytes, at, to);
  }

  #readText(text: Buffer, bytes: Buffer, at: number, to: number): number {
    const take = Math.min(text.length - this.#textBytes, to - at);
    bytes.copy(text, this.#textBytes, at, at + take);
    this.#textBytes += take;
    if (this.#textBytes === text.length) {
      const length = text.length - 2;
      if (text[length] !== CR || text[length + 1] !== LF) throw broken('a text without an end');
      this.#text = undefined;
      this.#take(textOf(this.#textType, text.subarray(0, length)));
    }
    return at + take;
  }

  #begin(type: number, count: number): void {
    if (this.#open.length === DEPTH_MAX) throw broken('arrays within arrays without an end');
    const open: Open = { type, items: [], missing: count };
    if (count === 0) this.#end(open);
    else this.#open.push(open);
  }

  #take(reply: Reply): void {
    const open = this.#open.at(-1);
    if (open === undefined) {
      this.#reader.onReply(reply);
      return;
    }
    open.items.push(reply);
    open.missing -= 1;
    if (open.missing > 0) return;
    this.#open.pop();
    this.#end(open);
  }

  #end({ type, items }: Open): void {
    // What is said about the reply that follows.
    if (type === ATTRIBUTE) return;
    if (type !== PUSH) this.#take(items);
    else if (this.#open.length === 0) this.#reader.onPush(items);
    else throw broken('a message within a reply');
  }
}

function textOf(type: number, text: Buffer): Reply {
  if (type === VERBATIM) return text.subarray(VERBATIM_KIND).toString();
  return type === BULK_ERROR ? new RespError(text.toString()) : text;
}

/** A length: digits, or -1 for nothing. */
function lengthAt(bytes: Buffer, from: number, to: number, most: number): number {
  const length = integerAt(bytes, from, to);
  if (length < -1 || length > most) throw broken(`a length of ${length}`);
  return length;
}

function integerAt(bytes: Buffer, from: number, to: number): number {
  const isNegative = bytes[from] === MINUS;
  let number = 0;
  if (from + (isNegative ? 1 : 0) === to) throw broken('a number without digits');
  for (let at = isNegative ? from + 1 : from; at < to; at++) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) throw broken(`a number ${JSON.stringify(bytes.toString('latin1', from, to))}`);
    number = number * 10 + digit;
  }
  return isNegative ? -number : number;
}

function doubleOf(text: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  return text === '-inf' ? Number.NEGATIVE_INFINITY : Number(text);
}

function broken(what: string): CacheError {
  return new CacheError('level-failed', `redis sent ${what}: it is no Redis, or the connection is broken`);
}
