import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis';
import { openIoredis } from '../ioredis.js';
import { CacheNode, type KeepOptions, type Load, type NodeSettings, type Subject, type Told } from '../subject.js';
import { versionOf } from '../versions.js';

/** Two levels and a bus, as bentocache.dev/docs/quick-setup has it. */
function openBento(settings: NodeSettings) {
  const connection = openIoredis(settings);
  const [host = '', port = ''] = settings.redis[0]?.split(':') ?? [];
  const bus = settings.isCluster ? connection : { host, port: Number(port) };
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxItems: 10_000 }))
    .useL2Layer(redisDriver({ connection }))
    .useBus(redisBusDriver({ connection: bus }));
  return new BentoCache({ default: 'main', prefix: settings.prefix, ttl: settings.ttlMs, stores: { main: store } });
}

class BentoNode extends CacheNode {
  readonly #bento: ReturnType<typeof openBento>;

  constructor(bento: ReturnType<typeof openBento>) {
    super();
    this.#bento = bento;
  }

  get(key: string): Promise<unknown> {
    return this.#bento.get({ key });
  }

  getOrLoad(key: string, load: Load, options?: KeepOptions): Promise<unknown> {
    return this.#bento.getOrSet({ key, factory: () => load(key), ...entryOptions(options) });
  }

  override async set(key: string, value: unknown, options?: KeepOptions): Promise<Told> {
    await this.#bento.set({ key, value, ...entryOptions(options) });
    return 'nothing';
  }

  override async delete(key: string): Promise<void> {
    await this.#bento.delete({ key });
  }

  override async deleteMany(keys: readonly string[]): Promise<void> {
    await this.#bento.deleteMany({ keys: [...keys] });
  }

  override async deleteByTag(tag: string): Promise<void> {
    await this.#bento.deleteByTag({ tags: [tag] });
  }

  override async clear(): Promise<void> {
    await this.#bento.clear();
  }

  stop(): Promise<void> {
    return this.#bento.disconnectAll();
  }
}

/** One window for both kinds of staleness; with the default timeout of 0 the stale value is served at once. */
function entryOptions(options: KeepOptions | undefined) {
  const graceMs = Math.max(options?.whileRevalidateMs ?? 0, options?.ifErrorMs ?? 0);
  return {
    ...(options?.ttlMs !== undefined && { ttl: options.ttlMs }),
    ...(options?.tags !== undefined && { tags: [...options.tags] }),
    ...(graceMs > 0 && { grace: graceMs }),
  };
}

export const subject: Subject = {
  name: 'bentocache',
  version: versionOf('bentocache'),
  shapes: ['single'],
  takesHostAsked: false,
  start: async (settings) => new BentoNode(openBento(settings)),
};
