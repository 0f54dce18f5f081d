import type { Readers } from '../core/codec.js';
import { type FrozenDates, freezeMap, freezeRegExp, freezeSet } from './immutable.js';
import { MARK, type MarkWord } from './mark.js';

/**
 * Turns what msgpackr decoded into the value that was encoded, frozen on the way: one walk. Throws any error for what
 * `toPackable` cannot have written.
 */
export class Restorer {
  readonly #dates: FrozenDates;
  #readers: Readers = 'many';
  #frozen = true;

  constructor(dates: FrozenDates) {
    this.#dates = dates;
  }

  /** Whether the value restored last is unchangeable through and through. */
  get frozen(): boolean {
    return this.#frozen;
  }

  /** @param readers `one` leaves a Date as it is when guarding it would cost much. */
  restore(unpacked: unknown, readers: Readers): unknown {
    this.#readers = readers;
    this.#frozen = true;
    return this.#part(unpacked);
  }

  #part(value: unknown): unknown {
    return typeof value === 'object' && value !== null ? this.#object(value) : value;
  }

  #object(value: object): unknown {
    if (Array.isArray(value)) return value[0] === MARK ? this.#marked(value) : this.#array(value);
    if (value instanceof Date) return this.#date(value);
    if (value instanceof Uint8Array) return this.#bytes(value);
    if (Object.getPrototypeOf(value) !== Object.prototype) throw new Error(`a ${value.constructor.name} out of place`);
    const record = value as Record<string, unknown>;
    for (const key of Object.keys(record)) {
      const inner = record[key];
      if (typeof inner !== 'object' || inner === null) continue;
      const restored = this.#object(inner);
      if (restored !== inner) record[key] = restored;
    }
    return Object.freeze(record);
  }

  #array(items: unknown[]): unknown {
    for (const [index, inner] of items.entries()) {
      const restored = this.#part(inner);
      if (restored !== inner) items[index] = restored;
    }
    return Object.freeze(items);
  }

  #date(date: Date): Date {
    if (this.#readers === 'many') return this.#dates.of(date);
    const kept = this.#dates.kept(date);
    if (kept === undefined) this.#frozen = false;
    return kept ?? date;
  }

  /** msgpackr gives a Buffer of its own memory. */
  #bytes(bytes: Uint8Array): Uint8Array {
    this.#frozen = false;
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #marked([, word, ...rest]: readonly unknown[]): unknown {
    switch (word as MarkWord) {
      case '-0':
        return -0;
      case 'utf16':
        return Buffer.from(asBytes(rest[0])).toString('utf16le');
      case 'bigint':
        return parseBigInt(asText(rest[0]));
      case 'array':
        return this.#array(rest);
      case 'object':
        return this.#pairs(rest);
      case 'map':
        return freezeMap(new Map(this.#entries(rest)));
      case 'set':
        return freezeSet(new Set(rest.map((item) => this.#part(item))));
      case 'bytes':
        return this.#view(asText(rest[0]), asBytes(rest[1]));
      case 'regexp':
        return this.#regExp(asText(rest[0]), asText(rest[1]), rest[2]);
      case 'error':
        return this.#error(rest);
      default:
        throw new Error(`the mark ${String(word)} is not known here`);
    }
  }

  #entries(flat: readonly unknown[]): [unknown, unknown][] {
    if (flat.length % 2 !== 0) throw new Error('a key has no value');
    const entries: [unknown, unknown][] = [];
    for (let i = 0; i < flat.length; i += 2) entries.push([this.#part(flat[i]), this.#part(flat[i + 1])]);
    return entries;
  }

  #pairs(flat: readonly unknown[]): object {
    const record = {};
    for (const [key, value] of this.#entries(flat)) define(record, asText(key), value, true);
    return Object.freeze(record);
  }

  #view(name: string, bytes: Uint8Array): unknown {
    this.#frozen = false;
    // A copy starts at the beginning of a buffer of its own: aligned for every type.
    const buffer = new Uint8Array(bytes).buffer;
    if (name === 'ArrayBuffer') return buffer;
    const View = VIEWS.get(name);
    if (View === undefined) throw new Error(`the byte array ${name} is not known here`);
    return new View(buffer);
  }

  #regExp(source: string, flags: string, lastIndex: unknown): RegExp {
    const regexp = new RegExp(source, flags);
    if (typeof lastIndex !== 'number') throw new Error('a regular expression without lastIndex');
    regexp.lastIndex = lastIndex;
    if (!regexp.global && !regexp.sticky) return freezeRegExp(regexp);
    this.#frozen = false;
    return regexp;
  }

  #error([builtIn, message, hidden, own]: readonly unknown[]): Error {
    const Builtin = ERRORS.get(asText(builtIn));
    if (Builtin === undefined) throw new Error(`the error class ${String(builtIn)} is not known here`);
    const error = Builtin(asText(this.#part(message)));
    for (const [properties, enumerable] of [
      [hidden, false],
      [own, true],
    ] as const) {
      for (const [key, value] of Object.entries(asRecord(this.#part(properties))))
        define(error, key, value, enumerable);
    }
    define(error, 'stack', String(error), false);
    return Object.freeze(error);
  }
}

type ViewClass = new (buffer: ArrayBuffer) => ArrayBufferView;

/** By name, those that this version of the language has (Float16Array is young). */
const VIEWS: ReadonlyMap<string, ViewClass> = new Map(
  [
    'Int8Array',
    'Uint8ClampedArray',
    'Int16Array',
    'Uint16Array',
    'Int32Array',
    'Uint32Array',
    'Float16Array',
    'Float32Array',
    'Float64Array',
    'BigInt64Array',
    'BigUint64Array',
    'DataView',
  ]
    .filter((name) => name in globalThis)
    .map((name) => [name, (globalThis as unknown as Record<string, ViewClass>)[name] as ViewClass]),
);

const ERRORS: ReadonlyMap<string, (message: string) => Error> = new Map<string, (message: string) => Error>([
  ['Error', Error],
  ['AggregateError', (message) => new AggregateError([], message)],
  ['EvalError', EvalError],
  ['RangeError', RangeError],
  ['ReferenceError', ReferenceError],
  ['SyntaxError', SyntaxError],
  ['TypeError', TypeError],
  ['URIError', URIError],
]);

/** As assignment does for an ordinary key, and for `__proto__` as well. */
function define(target: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true });
}

const HEX = /^-?[\da-f]+$/;

function parseBigInt(hex: string): bigint {
  if (!HEX.test(hex)) throw new Error('a bigint that is not hexadecimal');
  return hex.startsWith('-') ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex}`);
}

function asText(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`${typeof value} in place of text`);
  return value;
}

function asBytes(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new Error(`${typeof value} in place of bytes`);
  return value;
}

function asRecord(value: unknown): object {
  if (typeof value !== 'object' || value === null) throw new Error(`${typeof value} in place of properties`);
  return value;
}
