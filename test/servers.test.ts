import { createClient, createCluster } from '@redis/client';
import pg from 'pg';
import { describe, expect, inject, it } from 'vitest';
import { createOwnDatabase, makeOwnPrefix, startOwnRedisCluster } from './servers.js';

describe('the servers that tests share', () => {
  it('have a Redis Cluster of six nodes', async () => {
    const nodes = inject('redisClusterNodes');
    expect(nodes).toHaveLength(6);
    const client = createCluster({ rootNodes: nodes.map((node) => ({ url: `redis://${node}` })) });
    await client.connect();
    const key = `${makeOwnPrefix()}key`;
    await client.set(key, 'value');
    expect(await client.get(key)).toBe('value');
    client.destroy();
  });

  it('have a single Redis', async () => {
    const client = createClient({ url: `redis://${inject('redisSingle')}` });
    await client.connect();
    expect(await client.ping()).toBe('PONG');
    client.destroy();
  });

  it('have a PostgreSQL that gives each test an empty database', async () => {
    const [one, other] = [await createOwnDatabase(), await createOwnDatabase()];
    const client = new pg.Client({ connectionString: one.url });
    await client.connect();
    expect((await client.query('SELECT current_database() AS name')).rows).toEqual([
      { name: new URL(one.url).pathname.slice(1) },
    ]);
    await client.end();
    expect(one.url).not.toBe(other.url);
    await one.drop();
    await other.drop();
    await expect(new pg.Client({ connectionString: one.url }).connect()).rejects.toThrow('does not exist');
  });
});

describe('a Redis Cluster of a test of its own', () => {
  it('can be as small as three primaries, and is none of the shared one', async () => {
    const { cluster, stop } = await startOwnRedisCluster({ replicasPerPrimary: 0 });
    expect(cluster.nodes).toHaveLength(3);
    expect(await cluster.primaries()).toHaveLength(3);
    expect(cluster.addresses.filter((address) => inject('redisClusterNodes').includes(address))).toEqual([]);
    await stop();
  });
});
