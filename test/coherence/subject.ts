/** What the scenarios know of a library: nodes that can be started, and what each can be asked to do. */
import { NotExpressible } from './verdict.js';

export type Load = (key: string) => Promise<unknown>;

export interface KeepOptions {
  readonly ttlMs?: number | undefined;
  readonly tags?: readonly string[] | undefined;
  /** How long past its TTL a value may be served while a new one is fetched behind the caller's back. */
  readonly whileRevalidateMs?: number | undefined;
  /** How long past its TTL a value may be served because the source fails. */
  readonly ifErrorMs?: number | undefined;
}

export interface Read {
  readonly value: unknown;
  /** The library said that the value may be outdated. */
  readonly flagged: boolean;
}

/** What a write said about the nearest shared level: it has it, it does not, it will; or nothing. */
export type Told = 'stored' | 'failed' | 'queued' | 'nothing';

/** A library in one process, as one node of several. What it has no word for throws `NotExpressible`. */
export abstract class CacheNode {
  /** The value, or undefined when there is none. */
  abstract get(key: string): Promise<unknown>;
  abstract getOrLoad(key: string, load: Load, options?: KeepOptions): Promise<unknown>;
  abstract stop(): Promise<void>;

  set(_key: string, _value: unknown, _options?: KeepOptions): Promise<Told> {
    throw new NotExpressible('no set');
  }

  delete(_key: string): Promise<void> {
    throw new NotExpressible('no delete');
  }

  /** The value and what the library says about it. */
  async read(key: string): Promise<Read> {
    return { value: await this.get(key), flagged: false };
  }

  getMany(_keys: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
    throw new NotExpressible('no getMany');
  }

  setMany(_entries: readonly (readonly [key: string, value: unknown])[]): Promise<Told> {
    throw new NotExpressible('no setMany');
  }

  deleteMany(_keys: readonly string[]): Promise<void> {
    throw new NotExpressible('no deleteMany');
  }

  deleteByTag(_tag: string): Promise<void> {
    throw new NotExpressible('no tags');
  }

  deleteByPattern(_pattern: string): Promise<void> {
    throw new NotExpressible('no patterns');
  }

  clear(): Promise<void> {
    throw new NotExpressible('no clear');
  }

  /** Stores a value whose data came about at a time of its own. */
  setIfNewer(_key: string, _value: unknown, _eventTimeMs: number): Promise<void> {
    throw new NotExpressible('no data versions');
  }

  /** How many times from the future were clamped so far. */
  clampedTimes(): Promise<number> {
    throw new NotExpressible('no data versions');
  }

  /** Reads a key that is in this process's memory so often, and resolves with ns per read. */
  async measureHits(key: string, count: number): Promise<number> {
    const startedNs = process.hrtime.bigint();
    for (let i = 0; i < count; i++) await this.get(key);
    return Number(process.hrtime.bigint() - startedNs) / count;
  }

  /** Resolves when this node knows that so many nodes are there, itself included. */
  async whenJoined(_nodes: number): Promise<void> {}
}

/** What a node is given to start with. */
export interface NodeSettings {
  /** Begins every key in Redis. */
  readonly prefix: string;
  /** How long an entry lives that does not say. */
  readonly ttlMs: number;
  /** How long past its TTL an entry that does not say may be served while a new one is fetched. */
  readonly whileRevalidateMs?: number;
  /** `host:port` of the Redis servers, as this node is to reach them; none where there is no Redis. */
  readonly redis: readonly string[];
  readonly isCluster: boolean;
  /** Where this node reaches what the cluster announces as the key. */
  readonly addressMap: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
  readonly peers: PeerSettings | undefined;
}

export interface PeerSettings {
  readonly listen: string;
  /** Where the others are to reach it: a proxy before it. */
  readonly advertise: string;
  readonly seeds: readonly string[];
  readonly secret: string;
  /** What it may keep for all, in bytes. */
  readonly maxBytes?: number;
}

/**
 * `single`: one Redis. `cluster`: a Redis Cluster. `peers`: a Redis Cluster, and the nodes' own memory as a third level.
 * `peers-only`: the nodes' own memory, and no Redis at all. `gutter`: as `peers`, but every node is cut off from Redis as
 * soon as it has started.
 */
export const SHAPES = ['single', 'cluster', 'peers', 'peers-only', 'gutter'] as const;
export type Shape = (typeof SHAPES)[number];

/** Whether there is a Redis that answers. */
export function hasRedis(shape: Shape): boolean {
  return shape !== 'peers-only' && shape !== 'gutter';
}

export interface Subject {
  /** As rows call it. */
  readonly name: string;
  readonly version: string;
  /** It runs in each of these; a scenario may ask for another one. */
  readonly shapes: readonly Shape[];
  /** Nodes learn addresses of a cluster without a host, and take the one they asked. Else they get `addressMap`. */
  readonly takesHostAsked: boolean;
  start(settings: NodeSettings): Promise<CacheNode>;
}
