import { types } from 'node:util';
import type { FrozenDates } from './immutable.js';
import { DEPTH_MAX } from './mark.js';

/** Told apart from every value: it takes the bytes to copy it, or it cannot be kept at all. */
export const NOT_COPIED: unique symbol = Symbol('not copied');

/**
 * What decoding the bytes of `value` would give to many readers, made without the bytes: plain objects, arrays, dates
 * and what is no object. The rest (and what is refused, for the words of the refusal) is left to the codec.
 */
export function frozenCopy(value: unknown, dates: FrozenDates): unknown {
  return copyOf(value, dates, 0);
}

function copyOf(value: unknown, dates: FrozenDates, depth: number): unknown {
  switch (typeof value) {
    case 'object':
      return value === null ? null : copyOfObject(value, dates, depth);
    case 'function':
    case 'symbol':
      return NOT_COPIED;
    default:
      return value;
  }
}

function copyOfObject(value: object, dates: FrozenDates, depth: number): unknown {
  if (depth === DEPTH_MAX) return NOT_COPIED;
  switch (Object.getPrototypeOf(value)) {
    case Object.prototype: {
      const record = value as Readonly<Record<string, unknown>>;
      const copy: Record<string, unknown> = {};
      // Not by Object.keys, which makes an array, nor by spreading, after which freezing takes ten times as long.
      for (const key in record) {
        if (key === '__proto__' || !Object.hasOwn(record, key)) return NOT_COPIED;
        const part = copyOf(record[key], dates, depth + 1);
        if (part === NOT_COPIED) return NOT_COPIED;
        copy[key] = part;
      }
      return Object.freeze(copy);
    }
    case Array.prototype: {
      if (!Array.isArray(value)) return NOT_COPIED;
      const copy: unknown[] = [];
      for (const item of value) {
        const part = copyOf(item, dates, depth + 1);
        if (part === NOT_COPIED) return NOT_COPIED;
        copy.push(part);
      }
      return Object.freeze(copy);
    }
    case Date.prototype:
      return types.isDate(value) ? dates.copyOf(value) : NOT_COPIED;
    default:
      return NOT_COPIED;
  }
}
