import { types } from 'node:util';
import { CacheError } from '../core/errors.js';
import { DEPTH_MAX, MARK, type MarkWord } from './mark.js';

const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;
const BYTE_ORDER_MARK = 0xfeff;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/**
 * Whether msgpackr writes `value` so that the same comes back. True for nearly all there is, at the price of a walk;
 * the rest goes through `toPackable`.
 */
export function isPackable(value: unknown, depth = 0): boolean {
  switch (typeof value) {
    case 'string':
      return isPackableText(value);
    case 'number':
      return value !== 0 || !Object.is(value, -0);
    case 'boolean':
    case 'undefined':
      return true;
    case 'bigint':
      return value >= INT64_MIN && value <= UINT64_MAX;
    case 'object':
      return value === null || isPackableObject(value, depth);
    default:
      return false;
  }
}

function isPackableText(text: string): boolean {
  // Half a surrogate pair has no UTF-8; a leading byte order mark is dropped by some decoders.
  return text.isWellFormed() && text.charCodeAt(0) !== BYTE_ORDER_MARK;
}

function isPackableKey(key: string): boolean {
  return key !== '__proto__' && isPackableText(key);
}

function isPackableObject(value: object, depth: number): boolean {
  if (depth === DEPTH_MAX) return false;
  switch (Object.getPrototypeOf(value)) {
    case Object.prototype: {
      const record = value as Readonly<Record<string, unknown>>;
      for (const key of Object.keys(record)) {
        if (!isPackableKey(key) || !isPackable(record[key], depth + 1)) return false;
      }
      return true;
    }
    case Array.prototype: {
      if (!Array.isArray(value) || value[0] === MARK) return false;
      for (const item of value) if (!isPackable(item, depth + 1)) return false;
      return true;
    }
    case Date.prototype:
      return types.isDate(value);
    case Uint8Array.prototype:
    case Buffer.prototype:
      return types.isUint8Array(value);
    default:
      return false;
  }
}

/**
 * The same value with marked arrays in place of what MessagePack has no word for.
 * @throws CacheError `invalid-value`, saying where, for what cannot be kept
 */
export function toPackable(value: unknown): unknown {
  return substitute(value, []);
}

/** One step into a value: what is entered, and how the way to its part reads. */
interface Step {
  readonly holder: object;
  readonly label: string;
}

type Way = readonly Step[];

function substitute(value: unknown, way: Way): unknown {
  switch (typeof value) {
    case 'string':
      return isPackableText(value) ? value : marked('utf16', utf16Bytes(value));
    case 'number':
      return Object.is(value, -0) ? marked('-0') : value;
    case 'bigint':
      return isPackable(value) ? value : marked('bigint', value.toString(16));
    case 'function':
      throw refused(way, 'a function', 'leave it out or store what it returns');
    case 'symbol':
      throw refused(way, 'a symbol', 'store a string instead');
    case 'object':
      return value === null ? null : substituteObject(value, way);
    default:
      return value;
  }
}

function substituteObject(value: object, way: Way): unknown {
  if (way.some(({ holder }) => holder === value)) {
    throw refused(way, 'a value that holds itself', 'store an id in place of the reference back');
  }
  if (way.length === DEPTH_MAX) {
    throw refused(way, `nested deeper than ${DEPTH_MAX} levels`, 'store a flatter value');
  }
  const part = (inner: unknown, label: string) => substitute(inner, [...way, { holder: value, label }]);

  if (Array.isArray(value)) {
    const items = Array.from(value, (item: unknown, index) => part(item, `[${index}]`));
    return value[0] === MARK ? marked('array', ...items) : items;
  }
  // The methods of the prototype, since a subclass or another realm may have other ones; isDate and its like see both.
  if (types.isDate(value)) return new Date(Date.prototype.getTime.call(value));
  if (types.isMap(value)) {
    const items: unknown[] = [];
    Map.prototype.forEach.call(value, (inner: unknown, key: unknown) => {
      items.push(part(key, ` (a key of the Map)`), part(inner, `.get(${describeKey(key)})`));
    });
    return marked('map', ...items);
  }
  if (types.isSet(value)) {
    const items: unknown[] = [];
    Set.prototype.forEach.call(value, (item: unknown) => items.push(part(item, ` (an item of the Set)`)));
    return marked('set', ...items);
  }
  if (ArrayBuffer.isView(value)) return substituteView(value);
  if (types.isArrayBuffer(value)) return marked('bytes', 'ArrayBuffer', new Uint8Array(value));
  if (types.isRegExp(value)) return marked('regexp', value.source, value.flags, value.lastIndex);
  if (types.isNativeError(value) || value instanceof Error) return substituteError(value, part);
  refuseWhatHasNoData(value, way);
  return substituteRecord(value, part);
}

type Part = (inner: unknown, label: string) => unknown;

function substituteView(view: ArrayBufferView): unknown {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const name = types.isDataView(view) ? 'DataView' : (view as Uint8Array)[Symbol.toStringTag];
  return name === 'Uint8Array' ? bytes : marked('bytes', name, bytes);
}

const ERROR_CLASSES: ReadonlySet<string> = new Set([
  'Error',
  'AggregateError',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
]);

/** The stack stays behind: it is long, tells paths of this machine, and means little in another process. */
function substituteError(error: Error, part: Part): unknown {
  const builtIn = builtInClassOf(error);
  const hidden: Record<string, unknown> = {};
  const isHidden = (name: string) =>
    Object.hasOwn(error, name) && !Object.prototype.propertyIsEnumerable.call(error, name);
  if (error.name !== builtIn && !Object.hasOwn(error, 'name')) hidden.name = part(error.name, '.name');
  for (const name of ['name', 'cause', 'errors'] as const) {
    if (isHidden(name)) hidden[name] = part(error[name as 'cause'], `.${name}`);
  }
  return marked('error', builtIn, part(String(error.message), '.message'), hidden, substituteRecord(error, part));
}

function builtInClassOf(error: Error): string {
  for (let at: unknown = error; at !== null && typeof at === 'object'; at = Object.getPrototypeOf(at)) {
    const name: unknown = Object.hasOwn(at, 'constructor') ? at.constructor.name : undefined;
    if (typeof name === 'string' && ERROR_CLASSES.has(name)) return name;
  }
  return 'Error';
}

/** Own enumerable properties under string keys, whatever the class: the plain data of an object. */
function substituteRecord(value: object, part: Part): unknown {
  const record = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(record);
  const label = (key: string) => (IDENTIFIER.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`);
  if (keys.every(isPackableKey)) {
    const plain: Record<string, unknown> = {};
    for (const key of keys) plain[key] = part(record[key], label(key));
    return plain;
  }
  return marked('object', ...keys.flatMap((key) => [substitute(key, []), part(record[key], label(key))]));
}

/** Objects whose state is not in their properties would come back empty: better to say so now. */
function refuseWhatHasNoData(value: object, way: Way): void {
  if (typeof (value as { then?: unknown }).then === 'function') {
    throw refused(way, 'a promise', 'await it first');
  }
  if (types.isBoxedPrimitive(value)) {
    throw refused(way, 'a boxed primitive', 'store the primitive itself (valueOf)');
  }
  const tag: unknown = (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  if (typeof tag === 'string' && Object.keys(value).length === 0) {
    throw refused(way, `a ${tag}, which has no properties that could be kept`, 'store plain data made from it');
  }
}

function refused(way: Way, what: string, advice: string): CacheError {
  const where = `value${way.map(({ label }) => label).join('')}`;
  // A cycle makes a long way of it; its start is what helps.
  const shown = where.length > 200 ? `${where.slice(0, 200)}...` : where;
  return new CacheError('invalid-value', `${shown} cannot be cached: it is ${what}; ${advice}`, { field: shown });
}

function describeKey(key: unknown): string {
  return typeof key === 'object' && key !== null
    ? 'an object'
    : typeof key === 'string'
      ? JSON.stringify(key)
      : String(key);
}

function marked(word: MarkWord, ...rest: readonly unknown[]): unknown {
  return [MARK, word, ...rest];
}

function utf16Bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'utf16le'));
}
