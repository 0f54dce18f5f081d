import type { Redis } from 'ioredis';
import { createNotificationPair, Loader, RedisCache } from 'layered-loader';
import { openIoredis, openSingleIoredis } from '../ioredis.js';
import { CacheNode, type KeepOptions, type Load, type NodeSettings, type Subject, type Told } from '../subject.js';
import { NotExpressible } from '../verdict.js';
import { versionOf } from '../versions.js';

interface Asked {
  readonly key: string;
  readonly load: Load;
}

const nothing: Load = async () => undefined;

/** Memory, Redis, and notifications over Redis, as its README has it. A loader has one TTL for all its entries. */
class LayeredNode extends CacheNode {
  readonly #clients: readonly Redis[];
  readonly #loader: Loader<unknown, Asked, Asked>;
  readonly #redis: RedisCache<unknown>;
  readonly #ttlMs: number;

  constructor(settings: NodeSettings) {
    super();
    this.#ttlMs = settings.ttlMs;
    const publisherRedis = openSingleIoredis(settings.redis);
    const consumerRedis = openSingleIoredis(settings.redis);
    const client = openIoredis(settings) as Redis;
    this.#clients = [client, publisherRedis, consumerRedis];
    const { publisher, consumer } = createNotificationPair<unknown>({
      channel: `${settings.prefix}notifications`,
      publisherRedis,
      consumerRedis,
    });
    this.#redis = new RedisCache(client, { prefix: settings.prefix, json: true, ttlInMsecs: settings.ttlMs });
    this.#loader = new Loader<unknown, Asked, Asked>({
      inMemoryCache: { ttlInMsecs: settings.ttlMs, maxItems: 10_000 },
      asyncCache: this.#redis,
      notificationPublisher: publisher,
      notificationConsumer: consumer,
      dataSourceGetOneFn: ({ key, load }) => load(key),
      cacheKeyFromLoadParamsResolver: ({ key }) => key,
      throwIfLoadError: true,
    });
  }

  start(): Promise<void> {
    return this.#loader.init();
  }

  get(key: string): Promise<unknown> {
    return this.#loader.get({ key, load: nothing });
  }

  async getOrLoad(key: string, load: Load, options?: KeepOptions): Promise<unknown> {
    this.#check(options);
    return this.#loader.get({ key, load });
  }

  override async set(key: string, value: unknown, options?: KeepOptions): Promise<Told> {
    this.#check(options);
    await this.#loader.forceSetValue(key, value);
    return 'nothing';
  }

  override async delete(key: string): Promise<void> {
    await this.#loader.invalidateCacheFor(key);
  }

  /** The loader hands back values without their keys; its level of Redis is asked as the loader asks it. */
  override async getMany(keys: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
    const { resolvedValues } = await this.#redis.getMany([...keys]);
    return new Map(keys.map((key, i) => [key, resolvedValues[i]]));
  }

  override async setMany(entries: readonly (readonly [key: string, value: unknown])[]): Promise<Told> {
    await this.#redis.setMany(entries.map(([key, value]) => ({ key, value })));
    return 'nothing';
  }

  override async deleteMany(keys: readonly string[]): Promise<void> {
    await this.#loader.invalidateCacheForMany([...keys]);
  }

  override async clear(): Promise<void> {
    await this.#loader.invalidateCache();
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.disconnect();
  }

  #check(options: KeepOptions | undefined): void {
    if (options?.tags !== undefined) throw new NotExpressible('no tags');
    if (options?.ttlMs !== undefined && options.ttlMs !== this.#ttlMs) throw new NotExpressible('one TTL for all');
    if (options?.whileRevalidateMs !== undefined || options?.ifErrorMs !== undefined) {
      throw new NotExpressible('serves nothing stale');
    }
  }
}

export const subject: Subject = {
  name: 'layered-loader',
  version: versionOf('layered-loader'),
  shapes: ['single'],
  takesHostAsked: false,
  start: async (settings) => {
    const node = new LayeredNode(settings);
    await node.start();
    return node;
  },
};
