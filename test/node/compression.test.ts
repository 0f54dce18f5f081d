import { afterEach, describe, expect, inject, it } from 'vitest';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Cache } from '../../src/core/cache.js';
import { compose, createCache } from '../../src/node/compose.js';
import { type CacheConfig, resolveConfig } from '../../src/node/config.js';
import { makeOwnPrefix } from '../servers.js';

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

async function open(config: CacheConfig): Promise<Cache> {
  const cache = await createCache(config);
  opened.push(cache);
  return cache;
}

/** A Map is kept as bytes in memory too. */
const trips = new Map(Array.from({ length: 100 }, (_, n) => [`trip ${n}`, { from: 'Mumbai', at: new Date(n) }]));

describe('compression in the configuration', () => {
  it.each([
    [undefined, undefined],
    [false, undefined],
    [true, { minBytes: 2_048 }],
    [{}, { minBytes: 2_048 }],
    [{ minBytes: 500 }, { minBytes: 500 }],
  ])('%j means %j', (given, meant) => {
    expect(resolveConfig(given === undefined ? {} : { compression: given }).compression).toEqual(meant);
  });

  it.each([
    ['gzip', 'compression', /must be true, false or \{ minBytes/],
    [{ minBytes: '2k' }, 'compression', /must be true, false or \{ minBytes/],
    [{ minBytes: 0 }, 'compression.minBytes', />0/],
    [{ minBytes: 262_145 }, 'compression.minBytes', /at most 262144: larger values are not compressed/],
    [{ level: 9 }, 'compression.level', /not a field that exists/],
  ])('is no %j', (given, field, message) => {
    const config = { compression: given } as CacheConfig;
    expect(() => resolveConfig(config)).toThrow(expect.objectContaining({ code: 'invalid-config', field }));
    expect(() => resolveConfig(config)).toThrow(message);
  });
});

describe('with compression', () => {
  it('memory counts the bytes that it keeps', async () => {
    const [plain, compressing] = [await open({}), await open({ compression: true })];
    for (const cache of [plain, compressing]) await cache.set('trips', trips);
    const sizeOf = (cache: Cache) => cache.stats().levels.local?.sizeBytes as number;
    expect(sizeOf(plain)).toBeGreaterThan(2_800);
    expect(sizeOf(compressing)).toBeLessThan(sizeOf(plain) / 2);
    for (let read = 0; read < 3; read++) expect(await compressing.get('trips')).toEqual(trips);
  });

  it('nodes with it and nodes without it read each other through Redis and through peers', async () => {
    const redis = { nodes: inject('redisClusterNodes'), prefix: makeOwnPrefix(), timeout: 5_000 };
    const secret = 'a-secret-of-this-city';
    const deadlines = { read: 20_000, write: 20_000 };
    for (const levels of [{ redis }, { peers: { listen: '127.0.0.1:0', secret, timeout: 5_000 } }]) {
      const first = await compose({ ...levels, deadlines, compression: { minBytes: 100 }, nearCache: false });
      opened.push(first.cache);
      const seeds = first.peerAddress === undefined ? [] : [first.peerAddress];
      const others = 'peers' in levels ? { peers: { ...levels.peers, seeds } } : levels;
      const second = await open({ ...others, deadlines, nearCache: false });
      for (const [writer, reader] of [
        [first.cache, second],
        [second, first.cache],
      ] as const) {
        await waitUntil({ what: 'the other to read it', boundMs: 20_000 }, async () => {
          await writer.set('trips', trips);
          return (await reader.get('trips')) !== undefined;
        });
        expect(await reader.get('trips')).toEqual(trips);
        expect((await reader.getMany(['trips'])).get('trips')).toEqual(trips);
      }
    }
  });
});
