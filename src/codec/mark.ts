/**
 * How a value that MessagePack has no word for is written: as an array that starts with `MARK` and a word, then what
 * the word asks for. Nothing but standard MessagePack, so no extension types need to be registered with msgpackr:
 * those are shared by everybody in the process who uses it, and theirs would change our bytes.
 *
 *     -0            negative zero
 *     utf16         code units, little-endian: text that UTF-8 or its decoder would change
 *     bigint        hexadecimal text: beyond 64 bits
 *     array         items: an array of the user's that itself starts with MARK
 *     object        key, value, key, value...: an object with a key that MessagePack or its decoder would change
 *     map           key, value, key, value...
 *     set           items
 *     bytes         name of the class, bytes: a typed array other than Uint8Array, an ArrayBuffer, a DataView
 *     regexp        source, flags, lastIndex
 *     error         built-in class, message, own properties that are not enumerable, those that are
 */
export const MARK = '\0';

export type MarkWord = '-0' | 'utf16' | 'bigint' | 'array' | 'object' | 'map' | 'set' | 'bytes' | 'regexp' | 'error';

/** Deepest nesting of a value. Deeper is a mistake, a cycle most often. */
export const DEPTH_MAX = 256;
