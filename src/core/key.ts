import { CacheError } from './errors.js';

/** Longest key, in bytes of UTF-8. */
export const KEY_BYTES_MAX = 1_024;
/** Longest tag, in bytes of UTF-8. */
export const TAG_BYTES_MAX = 256;
/** Most tags on one entry. */
export const TAGS_MAX = 32;

/** Shares of the key space that have a sequence and a Redis hash tag of their own. */
export const PARTITIONS = 256;
/** Finer shares by which peers own keys; bucket `b` lies in partition `b mod 256`. */
export const BUCKETS = 4_096;

/** @throws CacheError `invalid-key` unless `key` is a string of 1 to 1,024 bytes of well-formed UTF-8. */
export function checkKey(key: string): void {
  checkText(key, 'key', 'invalid-key', KEY_BYTES_MAX);
}

/** @throws CacheError `invalid-tag` for too many tags or one that is not 1 to 256 bytes of well-formed UTF-8. */
export function checkTags(tags: readonly string[]): void {
  if (!Array.isArray(tags)) {
    throw new CacheError('invalid-tag', `tags must be an array of strings, got ${typeof tags}`, { field: 'tags' });
  }
  if (tags.length > TAGS_MAX) {
    throw new CacheError('invalid-tag', `tags has ${tags.length} items: at most ${TAGS_MAX} are allowed`, {
      field: 'tags',
    });
  }
  for (const tag of tags) checkText(tag, 'tag', 'invalid-tag', TAG_BYTES_MAX);
}

/** @throws CacheError with `code`, naming `field`, unless `text` is 1 to `bytesMax` bytes of well-formed UTF-8. */
export function checkText(
  text: string,
  field: string,
  code: 'invalid-key' | 'invalid-tag' | 'invalid-pattern',
  bytesMax: number,
): void {
  if (typeof text !== 'string') {
    throw new CacheError(code, `${field} must be a string, got ${text === null ? 'null' : typeof text}`, { field });
  }
  if (text.length === 0) throw new CacheError(code, `${field} is empty: it needs at least one character`, { field });
  // A UTF-16 unit is at most 3 bytes of UTF-8: short strings need no counting.
  if (text.length * 3 > bytesMax) {
    const bytes = utf8Length(text);
    if (bytes > bytesMax) {
      throw new CacheError(
        code,
        `${field} has ${bytes} bytes of UTF-8: at most ${bytesMax} are allowed (it starts with ${JSON.stringify(text.slice(0, 40))})`,
        { field },
      );
    }
  }
  if (!text.isWellFormed()) {
    throw new CacheError(code, `${field} has half of a surrogate pair, which UTF-8 cannot express`, { field });
  }
}

/** Bytes of `text` in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // Each half of a surrogate pair counts 2, which makes the 4 bytes of the pair.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

/**
 * 32-bit hash of a key: FNV-1a over its UTF-8 bytes, with the finaliser of MurmurHash3 so that the low bits are as
 * good as the high ones. Part of the wire contract: nodes and other languages must agree on it.
 * (Fowler, Noll, Vo: draft-eastlake-fnv; Appleby: MurmurHash3 fmix32.)
 */
export function hashKey(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    if (unit < 0x80) {
      hash = Math.imul(hash ^ unit, 0x01000193);
    } else if (unit < 0x800) {
      hash = Math.imul(hash ^ (0xc0 | (unit >> 6)), 0x01000193);
      hash = Math.imul(hash ^ (0x80 | (unit & 0x3f)), 0x01000193);
    } else if (unit >= 0xd800 && unit <= 0xdbff) {
      const point = ((unit - 0xd800) << 10) + (key.charCodeAt(++i) - 0xdc00) + 0x10000;
      hash = Math.imul(hash ^ (0xf0 | (point >> 18)), 0x01000193);
      hash = Math.imul(hash ^ (0x80 | ((point >> 12) & 0x3f)), 0x01000193);
      hash = Math.imul(hash ^ (0x80 | ((point >> 6) & 0x3f)), 0x01000193);
      hash = Math.imul(hash ^ (0x80 | (point & 0x3f)), 0x01000193);
    } else {
      hash = Math.imul(hash ^ (0xe0 | (unit >> 12)), 0x01000193);
      hash = Math.imul(hash ^ (0x80 | ((unit >> 6) & 0x3f)), 0x01000193);
      hash = Math.imul(hash ^ (0x80 | (unit & 0x3f)), 0x01000193);
    }
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The partition of a key: 0 to 255. */
export function partitionOf(key: string): number {
  return hashKey(key) & (PARTITIONS - 1);
}

/** The bucket of a key: 0 to 4,095. */
export function bucketOf(key: string): number {
  return hashKey(key) & (BUCKETS - 1);
}
