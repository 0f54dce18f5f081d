import type { FrozenDates } from './immutable.js';
import { DEPTH_MAX } from './mark.js';
import { RecordShapes } from './record-shapes.js';

/**
 * What decoding the bytes of a value would give to many readers, made without the bytes: plain objects, arrays, dates
 * and what is no object. The rest (and what is refused, for the words of the refusal) is left to the codec.
 */
export class FrozenCopier {
  readonly #dates: FrozenDates;
  readonly #shapes: RecordShapes;
  /** Whether all that was met is of the kinds that can be copied so. From the first other one on nothing is looked at. */
  #succeeds = true;

  constructor(dates: FrozenDates) {
    this.#dates = dates;
    this.#shapes = new RecordShapes((part, depth) => this.#partOf(part, depth));
  }

  /**
   * The copy; undefined when there is none.
   * @throws whatever a getter or a proxy of the user's throws, and TypeError for what only looks like a Date
   */
  copyOf(value: unknown): unknown {
    this.#succeeds = true;
    const copy = this.#partOf(value, 0);
    return this.#succeeds ? copy : undefined;
  }

  #partOf(value: unknown, depth: number): unknown {
    if (typeof value === 'object') return value === null ? null : this.#copyOfObject(value, depth);
    return typeof value === 'function' || typeof value === 'symbol' ? this.#fail() : value;
  }

  #copyOfObject(value: object, depth: number): unknown {
    if (depth === DEPTH_MAX || !this.#succeeds) return this.#fail();
    switch (Object.getPrototypeOf(value)) {
      case Object.prototype: {
        const make = this.#shapes.makerOf(value);
        return make === undefined ? this.#copyOfRecord(value, depth + 1) : make(value, depth + 1);
      }
      case Array.prototype:
        return Array.isArray(value) ? this.#copyOfArray(value, depth + 1) : this.#fail();
      case Date.prototype:
        return this.#dates.copyOf(value as Date);
      default:
        return this.#fail();
    }
  }

  #copyOfRecord(value: object, depth: number): unknown {
    const record = value as Readonly<Record<string, unknown>>;
    const copy: Record<string, unknown> = {};
    // Not by Object.keys, which makes an array, nor by spreading, after which freezing takes ten times as long.
    for (const key in record) {
      if (key === '__proto__' || !Object.hasOwn(record, key)) return this.#fail();
      copy[key] = this.#partOf(record[key], depth);
    }
    return Object.freeze(copy);
  }

  #copyOfArray(items: readonly unknown[], depth: number): unknown {
    const copy: unknown[] = [];
    for (const item of items) copy.push(this.#partOf(item, depth));
    return Object.freeze(copy);
  }

  #fail(): undefined {
    this.#succeeds = false;
  }
}
