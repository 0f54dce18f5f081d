/**
 * Values to bytes and back, with their types: Date, Map, Set, BigInt, byte arrays, NaN, Infinity, undefined inside
 * objects, Error, and class instances as plain data.
 */
export interface Codec {
  /**
   * The value as bytes of its own (never a view into a shared buffer).
   * @throws CacheError `invalid-value` for what cannot be encoded (a function, a symbol, undefined, a promise).
   */
  encode(value: unknown): Uint8Array;
  /**
   * A value that nobody can change through its ordinary methods. Does not keep `bytes` alive.
   * @throws CacheError `corrupt-entry`
   */
  decode(bytes: Uint8Array): Decoded;
}

export interface Decoded {
  readonly value: unknown;
  /** False when the value holds byte arrays, which cannot be frozen: each reader then needs a copy of its own. */
  readonly frozen: boolean;
}
