import { waitUntil } from '../../../src/cli/servers/wait.js';
import type { EntryOptions, WriteResult } from '../../../src/core/cache.js';
import { type Composition, compose } from '../../../src/node/compose.js';
import {
  CacheNode,
  type KeepOptions,
  type Load,
  type NodeSettings,
  type Read,
  SHAPES,
  type Subject,
  type Told,
} from '../subject.js';

const JOIN_BOUND_MS = 30_000;

class FleetflowNode extends CacheNode {
  readonly #node: Composition;

  constructor(node: Composition) {
    super();
    this.#node = node;
  }

  get(key: string): Promise<unknown> {
    return this.#node.cache.get(key);
  }

  getOrLoad(key: string, load: Load, options?: KeepOptions): Promise<unknown> {
    return this.#node.cache.getOrLoad(key, () => load(key), entryOptions(options));
  }

  override async read(key: string): Promise<Read> {
    const entry = await this.#node.cache.getEntry(key);
    return { value: entry?.value, flagged: entry?.stale ?? false };
  }

  override async set(key: string, value: unknown, options?: KeepOptions): Promise<Told> {
    return told(await this.#node.cache.set(key, value, entryOptions(options)));
  }

  override async delete(key: string): Promise<void> {
    await this.#node.cache.delete(key);
  }

  override getMany(keys: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
    return this.#node.cache.getMany(keys);
  }

  override async setMany(entries: readonly (readonly [key: string, value: unknown])[]): Promise<Told> {
    const results = (await this.#node.cache.setMany(entries)).map(told);
    return results.find((one) => one !== 'stored') ?? 'stored';
  }

  override async deleteMany(keys: readonly string[]): Promise<void> {
    await this.#node.cache.deleteMany(keys);
  }

  override async deleteByTag(tag: string): Promise<void> {
    await this.#node.cache.deleteByTag(tag);
  }

  override async deleteByPattern(pattern: string): Promise<void> {
    await this.#node.cache.deleteByPattern(pattern);
  }

  override async clear(): Promise<void> {
    await this.#node.cache.clear();
  }

  override async setIfNewer(key: string, value: unknown, eventTimeMs: number): Promise<void> {
    await this.#node.cache.setIfNewer(key, value, eventTimeMs);
  }

  override async clampedTimes(): Promise<number> {
    return this.#node.cache.stats().clampedEventTimes;
  }

  override async whenJoined(nodes: number): Promise<void> {
    await waitUntil({ what: `${nodes} peers`, boundMs: JOIN_BOUND_MS }, () => {
      const peers = this.#node.health().levels.find(({ level }) => level === 'peer');
      return peers?.state === 'ok' && peers.parts >= nodes;
    });
  }

  stop(): Promise<void> {
    return this.#node.cache.close();
  }
}

function entryOptions(options: KeepOptions | undefined): EntryOptions {
  return {
    ...(options?.ttlMs !== undefined && { ttl: options.ttlMs }),
    ...(options?.tags !== undefined && { tags: options.tags }),
    ...(options?.whileRevalidateMs !== undefined && { staleWhileRevalidate: options.whileRevalidateMs }),
    ...(options?.ifErrorMs !== undefined && { staleIfError: options.ifErrorMs }),
  };
}

function told({ distributed, peer }: WriteResult): Told {
  const status: string = distributed === 'none' ? peer : distributed;
  return status === 'stored' || status === 'queued' ? status : 'failed';
}

export const subject: Subject = {
  name: 'fleetflow-cache',
  version: '0.1.0',
  shapes: SHAPES,
  takesHostAsked: true,
  start: async ({ prefix, ttlMs, redis, peers }: NodeSettings) => {
    const node = await compose({
      ...(redis.length > 0 && { redis: { nodes: [...redis], prefix, ttl: ttlMs } }),
      ...(peers !== undefined && { peers: { ...peers, seeds: [...peers.seeds] } }),
    });
    return new FleetflowNode(node);
  },
};
