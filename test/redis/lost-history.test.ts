import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectTo } from '../../src/cli/servers/redis-node.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Cache } from '../../src/core/cache.js';
import { partitionOf } from '../../src/core/key.js';
import { createCache } from '../../src/node/compose.js';
import { type OwnRedisCluster, startOwnRedisCluster, useOwnRedis } from '../servers.js';

const soon = (what: string, check: () => boolean | Promise<boolean>) => waitUntil({ what, boundMs: 30_000 }, check);
const PREFIX = 'lost:';
const stored = (key: string) => `${PREFIX}{${partitionOf(key)}}:${key}`;
const TOMBSTONE = 2;
const KIND_AT = 73;

/** A replica that hears of nothing any more takes over: what was acknowledged since is lost. */
describe('a fail-over that lost what was acknowledged', () => {
  let own: OwnRedisCluster;
  let a: Cache;
  let b: Cache;
  let reader: Cache;

  beforeAll(async () => {
    own = await startOwnRedisCluster({ nodeTimeoutMs: 1_000 });
    const redis = { nodes: own.cluster.addresses, prefix: PREFIX };
    [a, b, reader] = [await createCache({ redis }), await createCache({ redis }), await createCache({ redis })];
  });
  afterAll(async () => {
    await Promise.all([a.close(), b.close(), reader.close()]);
    await own.stop();
  });

  it('does not bring back what was deleted, nor take back what was set, nor is the older vouched for meanwhile', async () => {
    const keys = Array.from({ length: 300 }, (_, i) => `k${i}`);
    const [deleted, changed, kept] = [keys.slice(0, 100), keys.slice(100, 200), keys.slice(200)];
    await a.setMany(keys.map((key) => [key, 'old']));
    const [primary] = await own.cluster.primaries();
    const port = primary!.port;
    const replica = await replicaOf(own, port);
    const server = await connectTo(replica, 5_000);
    await soon('the replica to be in step', async () => (await offset(replica)) >= (await offset(port)));
    await server.sendCommand(['CONFIG', 'SET', 'cluster-replica-validity-factor', '0']);
    await server.sendCommand(['CONFIG', 'SET', 'masteruser', 'nobody']);
    await server.sendCommand(['CONFIG', 'SET', 'masterauth', 'nothing']);
    const old = await connectTo(port, 5_000);
    await old.sendCommand(['CLIENT', 'KILL', 'TYPE', 'replica']);
    await soon('the replica to be alone', async () =>
      /master_link_status:down/.test(String(await server.sendCommand(['INFO', 'replication']))),
    );

    await b.deleteMany(deleted);
    await b.setMany(changed.map((key) => [key, 'new']));
    expect((await a.getMany(keys)).size).toBe(200);
    await own.cluster.kill(port, 'SIGKILL');
    await soon('the successor', async () =>
      /role:master/.test(String(await server.sendCommand(['INFO', 'replication']))),
    );
    const isOld = async (key: string) => {
      const bytes = (await server.sendCommand(['GETRANGE', stored(key), '0', '200']).catch(() => null)) as
        | string
        | null;
      return bytes === null ? false : String(bytes).endsWith('old');
    };
    const vouchedFor = new Set<unknown>();
    await soon('what was written to be there again', async () => {
      for (const key of [...deleted, ...changed]) {
        const entry = await reader.getEntry(key);
        if (entry !== undefined && !entry.stale) vouchedFor.add(entry.value);
      }
      const [fromA, fromB] = [await a.getMany(keys), await b.getMany(keys)];
      const isRight = [fromA, fromB].every(
        (found) =>
          deleted.every((key) => !found.has(key)) &&
          changed.every((key) => found.get(key) === 'new') &&
          kept.every((key) => found.get(key) === 'old'),
      );
      return isRight && !(await Promise.all([...deleted, ...changed].map(isOld))).includes(true);
    });
    server.destroy();
    old.destroy();
    expect([...vouchedFor]).not.toContain('old');
  });

  const offset = async (port: number): Promise<number> => {
    const server = await connectTo(port, 5_000);
    const info = String(await server.sendCommand(['INFO', 'replication']));
    server.destroy();
    return Number(/(?:slave_repl_offset|master_repl_offset):(\d+)/.exec(info)?.[1]);
  };
});

async function replicaOf(own: OwnRedisCluster, primaryPort: number): Promise<number> {
  for (const { port } of own.cluster.nodes) {
    const server = await connectTo(port, 5_000);
    const info = String(await server.sendCommand(['INFO', 'replication']));
    server.destroy();
    if (new RegExp(`role:slave[\\s\\S]*master_port:${primaryPort}\\D`).test(info)) return port;
  }
  throw new Error('it has no replica');
}

describe('a Redis that was flushed', () => {
  const own = useOwnRedis();

  it('is told again what was deleted and set of late', async () => {
    const cache = await createCache({ redis: { nodes: [own.node.address], prefix: PREFIX } });
    const server = await connectTo(own.node.port, 5_000);
    await cache.set('gone', 1);
    await cache.delete('gone');
    await cache.set('there', 2);
    await server.sendCommand(['FLUSHALL']);
    const kindOf = async (key: string) => {
      const kind = String(await server.sendCommand(['GETRANGE', stored(key), String(KIND_AT), String(KIND_AT)]));
      return kind === '' ? undefined : kind.charCodeAt(0);
    };
    await soon('the delete', async () => (await kindOf('gone')) === TOMBSTONE);
    await soon('the set', async () => (await kindOf('there')) === 0);
    expect([await cache.get('gone'), await cache.get('there')]).toEqual([undefined, 2]);
    server.destroy();
    await cache.close();
  });

  it('is not vouched for before all who know what was lost may have told it', async () => {
    const redis = { nodes: [own.node.address], prefix: PREFIX };
    const [writer, reader] = [await createCache({ redis }), await createCache({ redis })];
    const server = await connectTo(own.node.port, 5_000);
    await writer.set('said again', 1);
    await server.sendCommand(['FLUSHALL']);
    await soon('the doubt', async () => (await reader.getEntry('said again'))?.stale === true);
    await soon('the trust', async () => (await reader.getEntry('said again'))?.stale === false);
    expect(await reader.get('said again')).toBe(1);
    server.destroy();
    await Promise.all([writer.close(), reader.close()]);
  });
});
