import { afterEach, describe, expect, inject, it } from 'vitest';
import { waitUntil } from '../../src/cli/servers/wait.js';
import { type Composition, compose } from '../../src/node/compose.js';
import { resolveConfig } from '../../src/node/config.js';
import { systemNames } from '../../src/node/name-lookup.js';
import { dnsDiscovery } from '../../src/peer/discovery.js';
import { startNode, stopNodes, untilAllUp } from '../peer/peer-nodes.js';
import { makeOwnPrefix } from '../servers.js';
import { callWithin, RedisSubject } from './subject.js';

const SECRET = 'a-secret-of-this-city';
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

describe.each([
  ['a Redis Cluster', () => inject('redisClusterNodes')],
  ['a single Redis', () => [inject('redisSingle')]],
] as const)('the nodes that are there, in %s', (_, nodes) => {
  it('are those that said so, until they go or their time is over', async () => {
    const { redis } = await RedisSubject.open(nodes());
    opened.push(redis);
    const { registry } = redis;
    const call = () => callWithin(20_000);
    expect(await registry.announce('a:1', 60_000, call())).toEqual(['a:1']);
    expect(await registry.announce('b:1', 1, call())).toEqual(expect.arrayContaining(['a:1']));
    await waitUntil({ what: 'b to be over', boundMs: 10_000 }, async () => {
      const there = await registry.announce('c:1', 60_000, call());
      return there.join() === 'a:1,c:1';
    });
    await registry.withdraw('a:1', call());
    expect(await registry.announce('c:1', 60_000, call())).toEqual(['c:1']);
  });

  it('find each other without any seeds', async () => {
    const prefix = makeOwnPrefix();
    const caches: Composition[] = [];
    for (let i = 0; i < 3; i++) {
      const node = await compose({
        redis: { nodes: nodes(), prefix },
        peers: { listen: '127.0.0.1:0', secret: SECRET, discovery: { redis: true } },
      });
      opened.push(node.cache);
      caches.push(node);
    }
    const parts = ({ health }: Composition) => health().levels.find(({ level }) => level === 'peer')?.parts;
    await waitUntil({ what: 'all to know all', boundMs: 20_000 }, () => caches.every((node) => parts(node) === 3));
  });
});

describe('discovery in the configuration', () => {
  const peers = { listen: '127.0.0.1:0', secret: SECRET };

  it.each([
    ['needs the Redis that it asks', { redis: true }, 'peers.discovery.redis', /add redis\.nodes/],
    ['names something', {}, 'peers.discovery', /must name dns or redis/],
    ['has a port that is one', { dns: { name: 'x', port: 0 } }, 'peers.discovery.dns.port', /./],
    ['has no other fields', { consul: true }, 'peers.discovery.consul', /not a field that exists/],
  ])('%s', (_what, discovery, field, message) => {
    const config = { peers: { ...peers, discovery } } as Parameters<typeof resolveConfig>[0];
    expect(() => resolveConfig(config)).toThrow(expect.objectContaining({ field }));
    expect(() => resolveConfig(config)).toThrow(message);
  });
});

describe('nodes behind a name', () => {
  it('find each other by the addresses that it has', async () => {
    const first = await startNode();
    const port = Number(first.peers.address.split(':').at(-1));
    const names = { ...systemNames, addresses: async () => ['127.0.0.1'] };
    const second = await startNode({ discoveries: [dnsDiscovery(names, 'peers.city', port)] });
    await untilAllUp([first, second]);
    await stopNodes([first, second]);
  });
});
