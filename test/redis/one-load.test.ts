import { afterEach, describe, expect, inject, it } from 'vitest';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Cache } from '../../src/core/cache.js';
import { HLC_ZERO } from '../../src/core/hlc.js';
import { createCache } from '../../src/node/compose.js';
import { HeldSource } from '../held-source.js';
import { makeOwnPrefix } from '../servers.js';
import { callWithin, RedisSubject } from './subject.js';

const soon = (what: string, check: () => boolean | Promise<boolean>) => waitUntil({ what, boundMs: 15_000 }, check);

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

async function openCity(nodes: readonly string[], size: number, prefix = makeOwnPrefix()): Promise<Cache[]> {
  const redis = { nodes: [...nodes], prefix, timeout: 5_000 };
  // A machine that is busy with other tests is no fault of Redis: patience instead of a load without a lease.
  const deadlines = { read: 20_000, load: 20_000, write: 20_000 };
  const city = await Promise.all(Array.from({ length: size }, () => createCache({ redis, deadlines })));
  opened.push(...city);
  // Every shard: a node that does not reach one yet loads for itself.
  const probes = Array.from({ length: 50 }, (_, i) => `probe ${i}`);
  await soon('every node to be connected', async () => {
    const written = await Promise.all(city.flatMap((node) => probes.map((key) => node.set(key, key))));
    const read = await Promise.all(city.map((node) => node.getMany(probes)));
    return written.every(({ distributed }) => distributed === 'stored') && read.every(({ size }) => size === 50);
  });
  return city;
}

describe.each([
  ['a Redis Cluster', () => inject('redisClusterNodes')],
  ['a single Redis', () => [inject('redisSingle')]],
])('the nodes of a city that share %s', (_, nodes) => {
  it('load again what was deleted while one of them loaded it', async () => {
    const [a, b, c] = (await openCity(nodes(), 3)) as [Cache, Cache, Cache];
    const source = new HeldSource();
    source.hold();
    const before = a.getOrLoad('k', source.load('k'));
    await soon('the first load', () => source.loads.length === 1);
    await b.delete('k');
    const after = [b, c].map((node) => node.getOrLoad('k', source.load('k')));
    await soon('the second load', () => source.loads.length === 2);
    source.letGo();
    expect(await before).toBe('k, load 1');
    expect(await Promise.all(after)).not.toContain('k, load 1');
    // One of them may be spare: what is asked for just after a delete elsewhere may be dated before it, and is refused.
    expect(source.loads.length).toBeLessThanOrEqual(3);
    let kept: unknown[] = [];
    await soon('one value on every node', async () => {
      kept = await Promise.all([a, b, c].map((node) => node.getOrLoad('k', source.load('k'))));
      return new Set(kept).size === 1;
    });
    expect(kept).not.toContain('k, load 1');
  });

  it('load once more when the one who loads has died', async () => {
    const prefix = makeOwnPrefix();
    const city = await openCity(nodes(), 3, prefix);
    const dead = await RedisSubject.open(nodes(), { prefix });
    opened.push(dead.redis);
    const [answer] = await dead.redis.leases.acquire(['k'], 'dead', HLC_ZERO, callWithin(10_000));
    expect(answer?.kind).toBe('granted');
    const source = new HeldSource();
    const calls = city.map((node) => node.getOrLoad('k', source.load('k')));
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['k, load 1']));
    expect(source.loads).toEqual(['k']);
  });

  it('let the next one load when a load has failed', async () => {
    const [a, b] = (await openCity(nodes(), 2)) as [Cache, Cache];
    const source = new HeldSource();
    let fail: ((error: Error) => void) | undefined;
    const failing = a.getOrLoad('k', () => {
      return new Promise((__, reject) => {
        fail = reject;
      });
    });
    const failed = expect(failing).rejects.toThrow('the source is down');
    await soon('the load', () => fail !== undefined);
    const waiting = b.getOrLoad('k', source.load('k'));
    fail?.(new Error('the source is down'));
    await failed;
    expect(await waiting).toBe('k, load 1');
  });
});
