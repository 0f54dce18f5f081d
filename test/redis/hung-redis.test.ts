import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Cache } from '../../src/core/cache.js';
import { createCache } from '../../src/node/compose.js';
import { makeOwnPrefix, type OwnRedisCluster, startOwnRedisCluster, useOwnRedis } from '../servers.js';

/** In all partitions, and so on all shards. */
const KEYS = Array.from({ length: 600 }, (_, i) => `k${i}`);
const DEADLINES = { read: 20_000, load: 20_000, write: 20_000 };

const soon = (what: string, check: () => boolean | Promise<boolean>) => waitUntil({ what, boundMs: 30_000 }, check);

/**
 * A connection on which nobody answers is given up after a second, and then nothing waits any more. What is promised here is
 * promised for the time before that: so whatever is asked must have ended while no connection has been lost.
 */
async function open(nodes: readonly string[]) {
  const cache: Cache = await createCache({
    redis: { nodes: [...nodes], prefix: makeOwnPrefix() },
    nearCache: false,
    deadlines: DEADLINES,
  });
  const lost: string[] = [];
  await soon('every shard to answer well', async () => {
    const written = await cache.setMany(KEYS.map((key) => [key, key]));
    for (let i = 0; i < 30; i++) await cache.get(KEYS[i] as string);
    return (
      written.every(({ distributed }) => distributed === 'stored') && (await cache.getMany(KEYS)).size === KEYS.length
    );
  });
  cache.on('level-error', ({ error }) => lost.push(error.message));
  return { cache, lost };
}

describe('a single Redis that hangs', () => {
  const own = useOwnRedis();
  let cache: Cache;
  let lost: string[];
  beforeEach(async () => {
    ({ cache, lost } = await open([own.node.address]));
    await own.node.kill('SIGSTOP');
  });
  afterEach(async () => {
    await own.node.kill('SIGCONT');
    await cache.close();
  });

  it('costs loads one wait among them: neither the lease nor the next load waits again', async () => {
    for (let i = 0; i < 3; i++) expect(await cache.getOrLoad(`cold ${i}`, async () => 'loaded')).toBe('loaded');
    expect(lost).toEqual([]);
  });

  it('does not hold up a read of what it may have', async () => {
    expect(await cache.get('k1')).toBeUndefined();
    expect(await cache.get('k2')).toBeUndefined();
    expect(lost).toEqual([]);
  });

  it('queues a write, which is there when it goes on', async () => {
    expect((await cache.set('k1', 'new')).distributed).toBe('queued');
    expect(lost).toEqual([]);
    await own.node.kill('SIGCONT');
    await soon('the write', async () => (await cache.get('k1')) === 'new');
  });

  it('is asked again when it goes on, by its answer to what nobody waits for any more', async () => {
    expect(await cache.get('k1')).toBeUndefined();
    await own.node.kill('SIGCONT');
    await soon('an answer', async () => (await cache.get('k1')) === 'k1');
  });
});

describe('a shard that hangs', () => {
  let own: OwnRedisCluster;
  beforeAll(async () => {
    own = await startOwnRedisCluster({ nodeTimeoutMs: 15_000 });
  });
  afterAll(() => own.stop());

  it('holds up the answers of the others no longer than its own wait', async () => {
    const { cache, lost } = await open(own.cluster.addresses);
    const [victim] = await own.cluster.primaries();
    await own.cluster.kill(victim!.port, 'SIGSTOP');
    const found = await cache.getMany(KEYS);
    expect(lost).toEqual([]);
    expect(found.size).toBeGreaterThan(KEYS.length / 3);
    expect(found.size).toBeLessThan(KEYS.length);
    await own.cluster.kill(victim!.port, 'SIGCONT');
    await soon('all answers', async () => (await cache.getMany(KEYS)).size === KEYS.length);
    await cache.close();
  });
});
