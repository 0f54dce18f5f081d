import { CacheError } from '../core/errors.js';
import { PARTITIONS, partitionOf } from '../core/key.js';
import { slotOf } from './slot-table.js';

export const DEFAULT_PREFIX = 'fleetflow:';

/** The keys and the channel of one sequence of changes. All lie in one slot. */
export interface Stream {
  readonly slot: number;
  /** Holds `seq:id` of the newest change. Never expires. */
  readonly sequenceKey: string;
  /** Shard channel on which changes are published. */
  readonly channel: string;
}

/** A partition: its stream, and what precedes the key of an entry. */
export interface PartitionKeys extends Stream {
  readonly entryPrefix: string;
  /** Where in that the key of the entry begins, in bytes, counted from 1 as Lua does. */
  readonly keyFrom: number;
  /** What precedes the key of an entry in the key of its lease, and where that begins. */
  readonly leasePrefix: string;
  readonly leaseKeyFrom: number;
  /** Hash: what is kept of deletes over which a value lies, by key; field '' the grave floor. Never expires. */
  readonly gravesKey: string;
  /** Sorted set: when what is kept of a delete may go, in ms since the epoch, by key. Never expires. */
  readonly graveTimesKey: string;
}

/** The floors: their stream, and the hash that keeps them. */
export interface FloorKeys extends Stream {
  /** Field `scope|subject`, value HLC in hex. Never expires. */
  readonly hashKey: string;
  /** Up to which position of the stream Redis has been walked through for what lies below. Never expires. */
  readonly walkedKey: string;
  /** Id of the walk under way, or of the last one as long as no other may begin. */
  readonly walkLockKey: string;
}

const ENTRY = /^\{(\d{1,3})\}:(.*)$/s;

/**
 * Where everything lies in Redis. An entry is `<prefix>{<partition>}:<key>`; what is ours follows the tag with `!`
 * instead, so no key of an entry can be it, and the braces of a key come too late to be a hash tag.
 */
export class KeyLayout {
  readonly partitions: readonly PartitionKeys[];
  readonly floors: FloorKeys;
  /** Sorted set: until when the nodes of the city are there, by address. */
  readonly nodes: { readonly slot: number; readonly key: string };
  /** Glob of Redis that every entry matches, and little else. */
  readonly entryPattern: string;
  readonly #prefix: string;

  /** @throws CacheError `invalid-config` for a prefix with braces, which would make a hash tag of its own. */
  constructor(prefix: string) {
    if (/[{}]/.test(prefix)) {
      throw new CacheError(
        'invalid-config',
        `redis.prefix is ${JSON.stringify(prefix)}: braces are not allowed, they would decide the cluster slot`,
        { field: 'redis.prefix' },
      );
    }
    this.partitions = Array.from({ length: PARTITIONS }, (_, partition) => {
      const tag = `${prefix}{${partition}}`;
      const entryPrefix = `${tag}:`;
      const leasePrefix = `${tag}!lease:`;
      return {
        ...streamAt(tag),
        entryPrefix,
        keyFrom: Buffer.byteLength(entryPrefix) + 1,
        leasePrefix,
        leaseKeyFrom: Buffer.byteLength(leasePrefix) + 1,
        gravesKey: `${tag}!graves`,
        graveTimesKey: `${tag}!grave-times`,
      };
    });
    const tag = `${prefix}{floors}`;
    this.floors = {
      ...streamAt(tag),
      hashKey: `${tag}!floors`,
      walkedKey: `${tag}!walked`,
      walkLockKey: `${tag}!walk-lock`,
    };
    const nodes = `${prefix}{nodes}`;
    this.nodes = { slot: slotOf(nodes), key: `${nodes}!there` };
    this.#prefix = prefix;
    this.entryPattern = `${prefix.replace(/[\\*?[\]^]/g, '\\$&')}{*}:*`;
  }

  /** The key of the entry that is kept under a key of Redis; undefined for what is none. */
  keyOf(stored: string): string | undefined {
    if (!stored.startsWith(this.#prefix)) return undefined;
    const [, partition, key] = ENTRY.exec(stored.slice(this.#prefix.length)) ?? [];
    return key !== undefined && partitionOf(key) === Number(partition) ? key : undefined;
  }
}

function streamAt(tag: string): Stream {
  return { slot: slotOf(tag), sequenceKey: `${tag}!seq`, channel: `${tag}!feed` };
}
