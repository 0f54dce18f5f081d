import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectTo } from '../../src/cli/servers/redis-node.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import { createCache } from '../../src/index.js';
import { startOwnRedis, startOwnRedisCluster } from '../servers.js';

interface OwnServers {
  readonly ports: readonly number[];
  stop(): Promise<void>;
}

async function startSingle(): Promise<OwnServers> {
  const { node, stop } = await startOwnRedis();
  return { ports: [node.port], stop };
}

async function startCluster(): Promise<OwnServers> {
  const { cluster, stop } = await startOwnRedisCluster();
  return { ports: cluster.nodes.map(({ port }) => port), stop };
}

const soon = (what: string, check: () => boolean | Promise<boolean>) => waitUntil({ what, boundMs: 20_000 }, check);

describe.each([
  ['a single Redis', startSingle],
  ['a Redis Cluster', startCluster],
])('when the connections that deliver the feed of %s are killed', (_, start) => {
  let redis: OwnServers;
  beforeAll(async () => {
    redis = await start();
  });
  afterAll(() => redis.stop());

  const ask = async (...command: string[]): Promise<string[]> =>
    Promise.all(
      redis.ports.map(async (port) => {
        const server = await connectTo(port, 5_000);
        const answer = String(await server.sendCommand(command));
        server.destroy();
        return answer;
      }),
    );
  const sentBytes = async () => {
    const infos = await ask('INFO', 'stats');
    return infos.reduce((sum, info) => sum + Number(/total_net_output_bytes:(\d+)/.exec(info)?.[1]), 0);
  };

  it('what memory holds is confirmed, not sent, decoded or loaded again; what was changed meanwhile is read', async () => {
    const nodes = redis.ports.map((port) => `127.0.0.1:${port}`);
    await using cache = await createCache({ city: 'mumbai', redis: { nodes } });
    await using elsewhere = await createCache({ city: 'mumbai', redis: { nodes } });
    const text = 'x'.repeat(100_000);
    const keys = Array.from({ length: 60 }, (__, i) => `route:${i}`);
    await cache.setMany(keys.map((key) => [key, { key, text }] as const));
    await cache.set('changed', 'old');
    const before = new Map<string, unknown>();
    await soon('everything in memory', async () => {
      await cache.getMany(keys);
      for (const key of keys) before.set(key, cache.peek(key));
      return keys.every((key) => before.get(key) !== undefined && cache.peek(key) === before.get(key));
    });

    let loads = 0;
    const load = () => {
      loads += 1;
      return undefined;
    };
    const sentBefore = await sentBytes();
    await ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await elsewhere.set('changed', 'new');
    await soon('the doubt', () => keys.every((key) => cache.peek(key) === undefined));
    await soon('the copies to be trusted again', async () => {
      for (const key of keys) expect(await cache.getOrLoad(key, load)).toBe(before.get(key));
      return keys.every((key) => cache.peek(key) === before.get(key));
    });
    expect(loads).toBe(0);
    expect(await cache.get('changed')).toBe('new');
    expect((await sentBytes()) - sentBefore).toBeLessThan((keys.length * text.length) / 10);
  });
});
