import KeyvRedis from '@keyv/redis';
import { type Cache, createCache } from 'cache-manager';
import { CacheableMemory } from 'cacheable';
import { Keyv } from 'keyv';
import { openNodeRedis } from '../node-redis.js';
import { CacheNode, type KeepOptions, type Load, type NodeSettings, type Subject, type Told } from '../subject.js';
import { NotExpressible } from '../verdict.js';
import { versionOf } from '../versions.js';

/** Memory of 60 s in front of Redis, as its README has it. It has nothing by which nodes hear of each other. */
async function openCacheManager(settings: NodeSettings): Promise<Cache> {
  const memory = new Keyv({ store: new CacheableMemory({ ttl: 60_000, lruSize: 10_000 }) });
  const redis = new Keyv({ store: new KeyvRedis(await openNodeRedis(settings)), namespace: settings.prefix });
  redis.on('error', () => {});
  return createCache({ stores: [memory, redis], ttl: settings.ttlMs });
}

class CacheManagerNode extends CacheNode {
  readonly #cache: Cache;

  constructor(cache: Cache) {
    super();
    this.#cache = cache;
  }

  get(key: string): Promise<unknown> {
    return this.#cache.get(key);
  }

  async getOrLoad(key: string, load: Load, options?: KeepOptions): Promise<unknown> {
    return this.#cache.wrap(key, () => load(key), ttlOf(options));
  }

  override async set(key: string, value: unknown, options?: KeepOptions): Promise<Told> {
    await this.#cache.set(key, value, ttlOf(options));
    return 'nothing';
  }

  override async delete(key: string): Promise<void> {
    await this.#cache.del(key);
  }

  override async getMany(keys: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
    const values = await this.#cache.mget([...keys]);
    return new Map(keys.map((key, i) => [key, values[i]]));
  }

  override async setMany(entries: readonly (readonly [key: string, value: unknown])[]): Promise<Told> {
    await this.#cache.mset(entries.map(([key, value]) => ({ key, value })));
    return 'nothing';
  }

  override async deleteMany(keys: readonly string[]): Promise<void> {
    await this.#cache.mdel([...keys]);
  }

  override async clear(): Promise<void> {
    await this.#cache.clear();
  }

  async stop(): Promise<void> {
    await this.#cache.disconnect();
  }
}

function ttlOf(options: KeepOptions | undefined): number | undefined {
  if (options?.tags !== undefined) throw new NotExpressible('no tags');
  if (options?.whileRevalidateMs !== undefined || options?.ifErrorMs !== undefined) {
    throw new NotExpressible('serves nothing stale');
  }
  return options?.ttlMs;
}

export const subject: Subject = {
  name: 'cache-manager',
  version: versionOf('cache-manager'),
  shapes: ['single'],
  takesHostAsked: false,
  start: async (settings) => new CacheManagerNode(await openCacheManager(settings)),
};
