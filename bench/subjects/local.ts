import type { BenchLocation } from '../data/locations.js';

/** A cache in this process's memory, as a subject of the L1 measures. */
export interface LocalSubject {
  /** Without a promise; undefined where there is no such way. */
  readonly peek?: (key: string) => unknown;
  /** With one; undefined where there is no such way. */
  readonly get?: (key: string) => Promise<unknown>;
  /** What it returns is awaited when it is a promise. */
  readonly set: (key: string, value: BenchLocation) => unknown;
  readonly close?: () => Promise<void>;
}

export interface LocalSettings {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

type Opening = (settings: LocalSettings) => Promise<LocalSubject>;

/** Of all: long enough for a run. */
const TTL_MS = 600_000;
/** What a caller of lru-cache would say of a location. */
const LOCATION_BYTES = 200;

const fleetflow =
  (metrics: boolean): Opening =>
  async ({ maxEntries, maxBytes }) => {
    const { createCache } = await import('../../src/index.js');
    const cache = await createCache({ local: { maxEntries, maxBytes, ttl: TTL_MS }, metrics });
    return {
      peek: (key) => cache.peek(key),
      get: (key) => cache.get(key),
      set: (key, value) => cache.set(key, value),
      close: () => cache.close(),
    };
  };

/** The README: `max` alone is the fastest; a TTL is checked against a clock read once per `ttlResolution`, 1 ms by default. */
const lru =
  (kind: 'max' | 'ttl' | 'ttl-coarse' | 'ttl-size'): Opening =>
  async ({ maxEntries, maxBytes }) => {
    const { LRUCache } = await import('lru-cache');
    const cache = new LRUCache<string, BenchLocation>({
      max: maxEntries,
      ...(kind !== 'max' && { ttl: TTL_MS }),
      ...(kind === 'ttl-coarse' && { ttlResolution: 100 }),
      ...(kind === 'ttl-size' && { maxSize: maxBytes, sizeCalculation: () => LOCATION_BYTES }),
    });
    return { peek: (key) => cache.get(key), set: (key, value) => cache.set(key, value) };
  };

/** docs/cache-drivers: without serialisation, objects are kept as they are, which is faster. */
const bentocache: Opening = async ({ maxEntries }) => {
  const { BentoCache, bentostore } = await import('bentocache');
  const { memoryDriver } = await import('bentocache/drivers/memory');
  const store = bentostore().useL1Layer(memoryDriver({ maxItems: maxEntries, serialize: false }));
  const cache = new BentoCache({ default: 'main', ttl: TTL_MS, stores: { main: store } });
  return {
    get: (key) => cache.get({ key }),
    set: (key, value) => cache.set({ key, value }),
    close: () => cache.disconnectAll(),
  };
};

/** `createKeyv` leaves serialisation out; `useClone: false` hands out what is kept. */
async function openKeyv(maxEntries: number) {
  const { createKeyv } = await import('cacheable');
  return createKeyv({ ttl: TTL_MS, lruSize: maxEntries, useClone: false });
}

const cacheManager: Opening = async ({ maxEntries }) => {
  const { createCache } = await import('cache-manager');
  const cache = createCache({ stores: [await openKeyv(maxEntries)], ttl: TTL_MS });
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    close: async () => void (await cache.disconnect()),
  };
};

const cacheable: Opening = async ({ maxEntries }) => {
  const { Cacheable } = await import('cacheable');
  const cache = new Cacheable({ primary: await openKeyv(maxEntries), ttl: TTL_MS, stats: false });
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    close: async () => void (await cache.disconnect()),
  };
};

/** README, "in-memory cache types": `lru-object` is the faster of the two for LRU. */
const layeredLoader: Opening = async ({ maxEntries }) => {
  const { Loader } = await import('layered-loader');
  const loader = new Loader<BenchLocation, string>({
    inMemoryCache: { cacheType: 'lru-object', ttlInMsecs: TTL_MS, maxItems: maxEntries },
    dataSourceGetOneFn: async () => undefined,
  });
  return {
    peek: (key) => loader.getInMemoryOnly(key),
    get: async (key) => loader.get(key),
    set: (key, value) => loader.forceSetValue(key, value),
  };
};

/** By the names of the subjects; a variant has the name of its library first. */
export const localSubjects = {
  'fleetflow-cache': fleetflow(true),
  'fleetflow-cache, metrics off': fleetflow(false),
  'lru-cache max': lru('max'),
  'lru-cache ttl': lru('ttl'),
  'lru-cache ttl, resolution 100': lru('ttl-coarse'),
  'lru-cache ttl maxSize': lru('ttl-size'),
  bentocache,
  'cache-manager': cacheManager,
  cacheable,
  'layered-loader': layeredLoader,
} as const satisfies Record<string, Opening>;

export type LocalSubjectName = keyof typeof localSubjects;
