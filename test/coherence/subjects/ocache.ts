import { composeStorage, createBlobStorage, createMemoryStorage, defineCachedFunction } from 'ocache';
import { openIoredis } from '../ioredis.js';
import { CacheNode, type KeepOptions, type Load, type NodeSettings, type Subject, type Told } from '../subject.js';
import { NotExpressible } from '../verdict.js';
import { versionOf } from '../versions.js';

interface Asked {
  readonly key: string;
  readonly load: Load;
  readonly isForced: boolean;
}

/** Memory composed with Redis, as its README has it. It has nothing by which nodes hear of each other. */
function openOcache(settings: NodeSettings) {
  const redis = openIoredis(settings);
  const remote = createBlobStorage({
    get: (key) => redis.getBuffer(key),
    set: async (key, value, options) => {
      if (value === null) await redis.del(key);
      else if (options?.ttl === undefined) await redis.set(key, Buffer.from(value as Uint8Array));
      else await redis.set(key, Buffer.from(value as Uint8Array), 'EX', Math.ceil(options.ttl));
    },
  });
  const storage = composeStorage([createMemoryStorage(), remote]);
  const ask = defineCachedFunction(({ key, load }: Asked) => load(key), {
    name: settings.prefix.replaceAll(':', ''),
    getKey: ({ key }) => key,
    maxAge: settings.ttlMs / 1000,
    swr: settings.whileRevalidateMs !== undefined,
    staleMaxAge: (settings.whileRevalidateMs ?? 0) / 1000,
    shouldInvalidateCache: ({ isForced }) => isForced,
    storage,
  });
  return { ask, storage, close: () => redis.disconnect() };
}

class OcacheNode extends CacheNode {
  readonly #parts: ReturnType<typeof openOcache>;
  readonly #ttlMs: number;
  readonly #staleMs: number;

  constructor(settings: NodeSettings) {
    super();
    this.#parts = openOcache(settings);
    this.#ttlMs = settings.ttlMs;
    this.#staleMs = settings.whileRevalidateMs ?? 0;
  }

  /** There is no reading without loading, so the entry is looked up where the function would. */
  async get(key: string): Promise<unknown> {
    const [stored = ''] = await this.#parts.ask.resolveKeys(this.#asked(key));
    const entry = await this.#parts.storage.get<{ readonly value?: unknown; readonly expires?: number }>(stored);
    return entry === null || (entry.expires ?? 0) < Date.now() ? undefined : entry.value;
  }

  async getOrLoad(key: string, load: Load, options?: KeepOptions): Promise<unknown> {
    this.#check(options);
    return this.#parts.ask({ key, load, isForced: false });
  }

  override async set(key: string, value: unknown, options?: KeepOptions): Promise<Told> {
    this.#check(options);
    await this.#parts.ask({ key, load: async () => value, isForced: true });
    return 'nothing';
  }

  override async delete(key: string): Promise<void> {
    await this.#parts.ask.invalidate(this.#asked(key));
  }

  async stop(): Promise<void> {
    this.#parts.close();
  }

  #asked(key: string): Asked {
    return { key, load: async () => undefined, isForced: false };
  }

  #check(options: KeepOptions | undefined): void {
    if (options?.tags !== undefined) throw new NotExpressible('no tags');
    if (options?.ttlMs !== undefined && options.ttlMs !== this.#ttlMs) throw new NotExpressible('one TTL for all');
    if ((options?.whileRevalidateMs ?? 0) !== this.#staleMs) throw new NotExpressible('one stale window for all');
    if (options?.ifErrorMs !== undefined) throw new NotExpressible('serves nothing stale for an error');
  }
}

export const subject: Subject = {
  name: 'ocache',
  version: versionOf('ocache'),
  shapes: ['single'],
  takesHostAsked: false,
  start: async (settings) => new OcacheNode(settings),
};
