import { compileGlob, type Glob } from './glob.js';

/**
 * Key patterns, each with something that belongs to it, found by key without looking at all of them.
 *
 * Patterns are mostly made for one thing (`vehicle:trips:42:*`, `route:*:42`): their first segments, up to the wildcard, or
 * their last one are literal and tell them apart. So a pattern is filed under its literal last segment, else under
 * its literal first segments, and a key looks under its own last segment and under each of its prefixes. What has
 * neither is looked at every time.
 */
export class PatternIndex<T> {
  readonly #byPattern = new Map<string, Filed<T>>();
  readonly #byLastSegment = new Map<string, Set<Filed<T>>>();
  readonly #byPrefix = new Map<string, Set<Filed<T>>>();
  readonly #others = new Set<Filed<T>>();

  get size(): number {
    return this.#byPattern.size;
  }

  get(pattern: string): T | undefined {
    return this.#byPattern.get(pattern)?.value;
  }

  /** @throws CacheError `invalid-pattern` */
  set(pattern: string, value: T): void {
    const known = this.#byPattern.get(pattern);
    if (known !== undefined) {
      known.value = value;
      return;
    }
    const filed: Filed<T> = { glob: compileGlob(pattern), value };
    this.#byPattern.set(pattern, filed);
    this.#shelfOf(pattern).add(filed);
  }

  delete(pattern: string): void {
    const filed = this.#byPattern.get(pattern);
    if (filed === undefined) return;
    this.#byPattern.delete(pattern);
    const shelf = this.#shelfOf(pattern);
    shelf.delete(filed);
    if (shelf.size > 0 || shelf === this.#others) return;
    const { last, prefix } = literalParts(pattern);
    if (last !== undefined) this.#byLastSegment.delete(last);
    else if (prefix !== undefined) this.#byPrefix.delete(prefix);
  }

  *entries(): IterableIterator<[pattern: string, value: T]> {
    for (const [pattern, { value }] of this.#byPattern) yield [pattern, value];
  }

  /** Whether a pattern that matches `key` has a value of which `holds` is true. */
  some(key: string, holds: (value: T) => boolean): boolean {
    if (this.#byPattern.size === 0) return false;
    const fits = (shelf: Set<Filed<T>> | undefined): boolean => {
      if (shelf === undefined) return false;
      for (const { glob, value } of shelf) if (holds(value) && glob.matches(key)) return true;
      return false;
    };
    if (fits(this.#others) || fits(this.#byLastSegment.get(key.slice(key.lastIndexOf(':') + 1)))) return true;
    if (this.#byPrefix.size === 0) return false;
    for (let colon = key.indexOf(':'); colon >= 0; colon = key.indexOf(':', colon + 1)) {
      if (fits(this.#byPrefix.get(key.slice(0, colon)))) return true;
    }
    return false;
  }

  #shelfOf(pattern: string): Set<Filed<T>> {
    const { last, prefix } = literalParts(pattern);
    if (last !== undefined) return shelfIn(this.#byLastSegment, last);
    return prefix === undefined ? this.#others : shelfIn(this.#byPrefix, prefix);
  }
}

interface Filed<T> {
  readonly glob: Glob;
  value: T;
}

const SPECIAL = /[*?\\]/;

/** The literal last segment of a pattern, and its literal segments before the first special one, if there are any. */
function literalParts(pattern: string): { readonly last: string | undefined; readonly prefix: string | undefined } {
  const segments = pattern.split(':');
  const last = segments.at(-1) as string;
  const special = segments.findIndex((segment) => SPECIAL.test(segment));
  return {
    last: segments.length > 1 && !SPECIAL.test(last) ? last : undefined,
    prefix: special > 0 ? segments.slice(0, special).join(':') : undefined,
  };
}

function shelfIn<T>(shelves: Map<string, Set<Filed<T>>>, name: string): Set<Filed<T>> {
  let shelf = shelves.get(name);
  if (shelf === undefined) {
    shelf = new Set();
    shelves.set(name, shelf);
  }
  return shelf;
}
