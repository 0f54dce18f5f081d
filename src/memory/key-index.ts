/** A Map that doubles copies all that it has: of half as many keys as this that takes some three milliseconds. */
const SHARD_KEYS = 100_000;
const SHARDS_MAX = 256;

/**
 * The slots of keys. One Map of half a million keys stops the process for more than 20 ms when it doubles, so there are
 * several smaller ones.
 *
 * A small cache has one: looking at the key before V8 does is one more wait for memory.
 *
 * Maps, and no table of our own: V8 keeps the hash of a string with it once it was needed, which nobody else can ask for,
 * and it cannot be foreseen by those who choose the keys.
 */
export class KeyIndex {
  readonly #mask: number;
  #shards: readonly Map<string, number>[];

  /** @param most how many keys there will be, at most */
  constructor(most: number) {
    let shards = 1;
    while (shards < SHARDS_MAX && shards * SHARD_KEYS < most) shards *= 2;
    this.#mask = shards - 1;
    this.#shards = mapsOf(shards);
  }

  get(key: string): number | undefined {
    return this.#shardOf(key).get(key);
  }

  set(key: string, slot: number): void {
    this.#shardOf(key).set(key, slot);
  }

  delete(key: string): void {
    this.#shardOf(key).delete(key);
  }

  clear(): void {
    this.#shards = mapsOf(this.#mask + 1);
  }

  #shardOf(key: string): Map<string, number> {
    const shard = this.#mask === 0 ? 0 : scatter(key) & this.#mask;
    return this.#shards[shard] as Map<string, number>;
  }
}

/**
 * A number that tells most keys apart, of a few of their characters: reading them all would cost as much as the look-up.
 * Where it tells none apart they are in one Map, and nothing is lost but the short pauses.
 */
export function scatter(key: string): number {
  const end = key.length - 1;
  const last = key.charCodeAt(end) | (key.charCodeAt(end - 1) << 8) | (key.charCodeAt(end - 2) << 16);
  const mixed = Math.imul(last ^ (key.charCodeAt(end >> 1) << 4) ^ (end << 24), 0x9e3779b1);
  return mixed >>> 20;
}

function mapsOf(count: number): readonly Map<string, number>[] {
  return Array.from({ length: count }, () => new Map<string, number>());
}
