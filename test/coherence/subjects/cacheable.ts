import KeyvRedis from '@keyv/redis';
import { RedisMessageProvider } from '@qified/redis';
import { Cacheable } from 'cacheable';
import { openNodeRedis } from '../node-redis.js';
import { CacheNode, type KeepOptions, type Load, type NodeSettings, type Subject, type Told } from '../subject.js';
import { NotExpressible } from '../verdict.js';
import { versionOf } from '../versions.js';

interface Parts {
  readonly cache: Cacheable;
  readonly provider: RedisMessageProvider;
}

/** Redis as the secondary store, tags, and sync over Redis, as its README has it. */
async function openCacheable(settings: NodeSettings): Promise<Parts> {
  const provider = new RedisMessageProvider({ uri: `redis://${settings.redis[0]}` });
  const cache = new Cacheable({
    secondary: new KeyvRedis(await openNodeRedis(settings)),
    namespace: settings.prefix,
    ttl: settings.ttlMs,
    tags: true,
    sync: { qified: provider },
  });
  cache.on('error', () => {});
  return { cache, provider };
}

class CacheableNode extends CacheNode {
  readonly #cache: Cacheable;
  readonly #provider: RedisMessageProvider;

  constructor({ cache, provider }: Parts) {
    super();
    this.#cache = cache;
    this.#provider = provider;
  }

  get(key: string): Promise<unknown> {
    return this.#cache.get(key);
  }

  /** `getOrSet` takes no tags: what has some is read and set by the application itself. */
  async getOrLoad(key: string, load: Load, options?: KeepOptions): Promise<unknown> {
    const ttl = ttlOf(options);
    if (options?.tags === undefined) return this.#cache.getOrSet(key, () => load(key), ttl);
    const known = await this.#cache.get(key);
    if (known !== undefined) return known;
    const loaded = await load(key);
    await this.#cache.set(key, loaded, { ...ttl, tags: [...options.tags] });
    return loaded;
  }

  override async set(key: string, value: unknown, options?: KeepOptions): Promise<Told> {
    const tags = options?.tags === undefined ? {} : { tags: [...options.tags] };
    await this.#cache.set(key, value, { ...ttlOf(options), ...tags });
    return 'nothing';
  }

  override async delete(key: string): Promise<void> {
    await this.#cache.delete(key);
  }

  override async getMany(keys: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
    const values = await this.#cache.getMany([...keys]);
    return new Map(keys.map((key, i) => [key, values[i]]));
  }

  override async setMany(entries: readonly (readonly [key: string, value: unknown])[]): Promise<Told> {
    await this.#cache.setMany(entries.map(([key, value]) => ({ key, value })));
    return 'nothing';
  }

  override async deleteMany(keys: readonly string[]): Promise<void> {
    await this.#cache.deleteMany([...keys]);
  }

  override async deleteByTag(tag: string): Promise<void> {
    await this.#cache.tags.invalidateTag(tag);
  }

  override async clear(): Promise<void> {
    await this.#cache.clear();
  }

  async stop(): Promise<void> {
    await Promise.allSettled([this.#cache.disconnect(), this.#provider.disconnect()]);
  }
}

function ttlOf(options: KeepOptions | undefined): { ttl?: number } {
  if (options?.whileRevalidateMs !== undefined || options?.ifErrorMs !== undefined) {
    throw new NotExpressible('serves nothing stale');
  }
  return options?.ttlMs === undefined ? {} : { ttl: options.ttlMs };
}

export const subject: Subject = {
  name: 'cacheable',
  version: versionOf('cacheable'),
  shapes: ['single'],
  takesHostAsked: false,
  start: async (settings) => new CacheableNode(await openCacheable(settings)),
};
