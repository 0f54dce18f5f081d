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
   * What `decode` would give to many readers of the bytes of this value, made without the bytes. Undefined where that is
   * not simpler, or would be no protection, and for what cannot be encoded.
   */
  copy(value: unknown): unknown;
  /**
   * A value that nobody can change through its ordinary methods. Does not keep `bytes` alive.
   * @param readers `one` when nobody else is ever given this very value: what is dear to protect (a Date) may then be
   *   left as it is, and `frozen` says so. Default `many`.
   * @throws CacheError `corrupt-entry`
   */
  decode(bytes: Uint8Array, readers?: Readers): Decoded;
}

/** How many are going to hold one decoded value. */
export type Readers = 'one' | 'many';

export interface Decoded {
  readonly value: unknown;
  /** False when a part could be changed (byte arrays cannot be frozen): each reader then needs a copy of its own. */
  readonly frozen: boolean;
}
