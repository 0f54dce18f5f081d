import { type Cache, createCache } from 'async-cache-dedupe';
import type { Redis } from 'ioredis';
import { openIoredis } from '../ioredis.js';
import { CacheNode, type KeepOptions, type Load, type NodeSettings, type Subject, type Told } from '../subject.js';
import { NotExpressible } from '../verdict.js';
import { versionOf } from '../versions.js';

/** What the one cached function is called with: by the key it is known, the rest is how to get it. */
interface Asked {
  readonly key: string;
  readonly tags: readonly string[];
  readonly load: Load;
}

const FUNCTION = 'entry';

/** One level, Redis, with references for invalidation: it offers memory or Redis, not both. Times are whole seconds. */
class DedupeNode extends CacheNode {
  readonly #client: Redis;
  readonly #cache: Cache;
  readonly #ttlMs: number;
  readonly #staleMs: number;
  readonly #prefix: string;
  readonly #ask: (asked: Asked) => Promise<unknown>;

  constructor(settings: NodeSettings) {
    super();
    this.#ttlMs = settings.ttlMs;
    this.#staleMs = settings.whileRevalidateMs ?? 0;
    this.#prefix = settings.prefix;
    const ttl = Math.ceil(settings.ttlMs / 1000);
    this.#client = openIoredis(settings) as Redis;
    const cache = createCache({
      ttl,
      stale: this.#staleMs / 1000,
      storage: { type: 'redis', options: { client: this.#client, invalidation: { referencesTTL: ttl } } },
    });
    const defined = cache.define(
      FUNCTION,
      {
        serialize: ({ key }: Asked) => this.#prefix + key,
        references: ({ tags }: Asked) => [...tags],
      },
      ({ key, load }: Asked) => load(key),
    );
    this.#cache = cache;
    this.#ask = (asked) => defined[FUNCTION](asked);
  }

  get(key: string): Promise<unknown> {
    return this.#cache.get(FUNCTION, this.#storageKey(key));
  }

  async getOrLoad(key: string, load: Load, options?: KeepOptions): Promise<unknown> {
    this.#check(options);
    return this.#ask({ key, load, tags: options?.tags ?? [] });
  }

  override async set(key: string, value: unknown, options?: KeepOptions): Promise<Told> {
    this.#check(options);
    const ttl = Math.ceil(this.#ttlMs / 1000);
    await this.#cache.set(FUNCTION, this.#storageKey(key), value, ttl, [...(options?.tags ?? [])]);
    return 'nothing';
  }

  override async delete(key: string): Promise<void> {
    await this.#cache.clear(FUNCTION, { key });
  }

  override async deleteByTag(tag: string): Promise<void> {
    await this.#cache.invalidateAll(tag);
  }

  override async clear(): Promise<void> {
    await this.#cache.clear();
  }

  async stop(): Promise<void> {
    this.#client.disconnect();
  }

  #storageKey(key: string): string {
    return `${FUNCTION}~${this.#prefix}${key}`;
  }

  #check(options: KeepOptions | undefined): void {
    if (options?.ttlMs !== undefined && options.ttlMs !== this.#ttlMs) throw new NotExpressible('one TTL for all');
    if (options?.ifErrorMs !== undefined) throw new NotExpressible('serves nothing stale for an error');
    if ((options?.whileRevalidateMs ?? 0) !== this.#staleMs) throw new NotExpressible('one stale window for all');
  }
}

export const subject: Subject = {
  name: 'async-cache-dedupe',
  version: versionOf('async-cache-dedupe'),
  shapes: ['single'],
  takesHostAsked: false,
  start: async (settings) => new DedupeNode(settings),
};
