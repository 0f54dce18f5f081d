import { type Cache, cachified } from '@epic-web/cachified';
import { createClient, createCluster } from '@redis/client';
import { redisCacheAdapter } from 'cachified-redis-adapter';
import { CacheNode, type KeepOptions, type Load, type NodeSettings, type Subject, type Told } from '../subject.js';
import { NotExpressible } from '../verdict.js';
import { versionOf } from '../versions.js';

/** One level, Redis, by its adapter: it has no way to put one cache before another. */
class CachifiedNode extends CacheNode {
  readonly #cache: Cache;
  readonly #close: () => void;
  readonly #prefix: string;
  readonly #ttlMs: number;

  constructor(cache: Cache, close: () => void, settings: NodeSettings) {
    super();
    this.#cache = cache;
    this.#close = close;
    this.#prefix = settings.prefix;
    this.#ttlMs = settings.ttlMs;
  }

  async get(key: string): Promise<unknown> {
    const entry = await this.#cache.get(this.#prefix + key);
    return entry?.value;
  }

  async getOrLoad(key: string, load: Load, options?: KeepOptions): Promise<unknown> {
    return cachified({ ...this.#options(key, options), getFreshValue: () => load(key) });
  }

  override async set(key: string, value: unknown, options?: KeepOptions): Promise<Told> {
    await cachified({ ...this.#options(key, options), forceFresh: true, getFreshValue: () => value });
    return 'nothing';
  }

  override async delete(key: string): Promise<void> {
    await this.#cache.delete(this.#prefix + key);
  }

  async stop(): Promise<void> {
    this.#close();
  }

  #options(key: string, options: KeepOptions | undefined) {
    if (options?.tags !== undefined) throw new NotExpressible('no tags');
    // A failure is answered with what is cached by default, but only while its stale window is open.
    const swr = Math.max(options?.whileRevalidateMs ?? 0, options?.ifErrorMs ?? 0);
    return { cache: this.#cache, key: this.#prefix + key, ttl: options?.ttlMs ?? this.#ttlMs, swr };
  }
}

async function openCachified(settings: NodeSettings): Promise<CachifiedNode> {
  const urls = settings.redis.map((address) => ({ url: `redis://${address}` }));
  const client = settings.isCluster
    ? createCluster({ rootNodes: urls, nodeAddressMap: settings.addressMap })
    : createClient({ url: urls[0]?.url ?? '' });
  client.on('error', () => {});
  await client.connect();
  const cache = redisCacheAdapter(client as unknown as Parameters<typeof redisCacheAdapter>[0]);
  return new CachifiedNode(cache, () => client.destroy(), settings);
}

export const subject: Subject = {
  name: 'cachified',
  version: versionOf('@epic-web/cachified'),
  shapes: ['single'],
  takesHostAsked: false,
  start: openCachified,
};
