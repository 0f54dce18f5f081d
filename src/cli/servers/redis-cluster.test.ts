import { readdir } from 'node:fs/promises';
import { createCluster } from '@redis/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseClusterNodes } from './cluster-nodes.js';
import { type RedisCluster, startRedisCluster } from './redis-cluster.js';
import { connectTo, startRedis } from './redis-node.js';
import { findRedis, type RedisProgram } from './redis-program.js';
import { waitUntil } from './wait.js';
import { createWorkspace, type Workspace } from './workspace.js';

const ANSWER_BOUND_MS = 2_000;
const FAILOVER_BOUND_MS = 30_000;

let program: RedisProgram;
let workspace: Workspace;

beforeAll(async () => {
  const search = await findRedis();
  if (!search.program) throw new Error(search.reason);
  program = search.program;
  workspace = await createWorkspace();
}, 400_000);

afterAll(async () => {
  await workspace.remove();
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function ask(port: number, ...command: string[]): Promise<string> {
  const connection = await connectTo(port, ANSWER_BOUND_MS);
  try {
    return String(await connection.sendCommand(command));
  } finally {
    connection.destroy();
  }
}

async function readSetting(port: number, name: string): Promise<string | undefined> {
  const connection = await connectTo(port, ANSWER_BOUND_MS);
  try {
    return (await connection.configGet(name))[name];
  } finally {
    connection.destroy();
  }
}

describe('a single Redis', () => {
  it('stores, survives a kill and a restart as a server, and leaves nothing behind', async () => {
    const redis = await startRedis({ program, dir: workspace.path, maxMemoryMiB: 64 });
    expect(await ask(redis.port, 'SET', 'key', 'value')).toBe('OK');
    expect(await ask(redis.port, 'GET', 'key')).toBe('value');
    expect(await readSetting(redis.port, 'maxmemory')).toBe(String(64 * 1024 * 1024));
    expect(await ask(redis.port, 'INFO', 'cluster')).toContain('cluster_enabled:0');

    const firstPid = redis.pid;
    await redis.kill('SIGKILL');
    expect(redis.alive).toBe(false);
    expect(isRunning(firstPid)).toBe(false);
    await expect(ask(redis.port, 'PING')).rejects.toThrow('ECONNREFUSED');
    await expect(redis.kill('SIGKILL')).rejects.toThrow(`redis-server on port ${redis.port} does not run`);

    await redis.restart();
    expect(redis.pid).not.toBe(firstPid);
    expect(await ask(redis.port, 'PING')).toBe('PONG');

    await redis.stop();
    expect(isRunning(redis.pid)).toBe(false);
    expect(await readdir(workspace.path)).toEqual([]);
  });

  it('listens on the loopback address only, and expects nothing to be saved', async () => {
    const redis = await startRedis({ program, dir: workspace.path });
    for (const [name, value] of [
      ['bind', '127.0.0.1'],
      ['save', ''],
      ['appendonly', 'no'],
      ['protected-mode', 'yes'],
      ['maxmemory-policy', 'volatile-lfu'],
    ] as const) {
      expect(await readSetting(redis.port, name)).toBe(value);
    }
    await redis.stop();
  });
});

describe('a Redis Cluster', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await startRedisCluster({ program, dir: workspace.path });
  });

  afterAll(async () => {
    await cluster.stop();
  });

  it('has three primaries, each with a replica in step, and serves every slot', async () => {
    expect(cluster.nodes.map((node) => node.roleAtStart)).toEqual([
      ...Array.from({ length: 3 }, () => 'primary'),
      ...Array.from({ length: 3 }, () => 'replica'),
    ]);
    expect(new Set(cluster.nodes.map((node) => node.pid)).size).toBe(6);
    const primaryPorts = cluster.nodes.slice(0, 3).map((node) => node.port);
    expect((await cluster.primaries()).map((node) => node.port).sort()).toEqual([...primaryPorts].sort());
    for (const node of cluster.nodes) {
      const info = await ask(node.port, 'CLUSTER', 'INFO');
      expect(info).toContain('cluster_state:ok');
      expect(info).toContain('cluster_slots_ok:16384');
      const views = parseClusterNodes(await ask(node.port, 'CLUSTER', 'NODES'));
      const followed = views.filter((view) => view.role === 'replica').map((view) => view.primaryId);
      expect(new Set(followed).size).toBe(3);
    }
  });

  it('stores and returns through a cluster client', async () => {
    const client = createCluster({ rootNodes: cluster.addresses.map((address) => ({ url: `redis://${address}` })) });
    await client.connect();
    const keys = Array.from({ length: 100 }, (_, index) => `key:${index}`);
    await Promise.all(keys.map((key) => client.set(key, `value of ${key}`)));
    const values = await Promise.all(keys.map((key) => client.get(key)));
    expect(values).toEqual(keys.map((key) => `value of ${key}`));
    client.destroy();
  });

  it('promotes a replica when a primary is killed, and takes the killed one back as a replica', {
    timeout: 90_000,
  }, async () => {
    const [victim] = await cluster.primaries();
    if (!victim) throw new Error('The cluster has no primary.');
    await cluster.kill(victim.port, 'SIGKILL');
    expect(isRunning(victim.pid)).toBe(false);
    expect(cluster.nodes.find((node) => node.port === victim.port)?.alive).toBe(false);

    await waitUntil({ what: 'a new primary', boundMs: FAILOVER_BOUND_MS }, async () => {
      const ports = (await cluster.primaries()).map((node) => node.port);
      return ports.length === 3 && !ports.includes(victim.port);
    });

    await cluster.restart(victim.port);
    await waitUntil({ what: 'the old primary to follow the new one', boundMs: FAILOVER_BOUND_MS }, async () => {
      const replication = await ask(victim.port, 'INFO', 'replication');
      return replication.includes('role:slave') && replication.includes('master_link_status:up');
    });
    expect((await cluster.primaries()).map((node) => node.port)).not.toContain(victim.port);
    expect(cluster.nodes.every((node) => node.alive)).toBe(true);
  });

  it('tells its primaries while a node is frozen', async () => {
    const frozen = cluster.nodes[5];
    if (!frozen) throw new Error('The cluster has no sixth node.');
    await cluster.kill(frozen.port, 'SIGSTOP');
    expect((await cluster.primaries()).length).toBeGreaterThanOrEqual(2);
    await cluster.kill(frozen.port, 'SIGCONT');
    await waitUntil(
      { what: 'the node to answer', boundMs: 10_000 },
      async () => (await ask(frozen.port, 'PING')) === 'PONG',
    );
  });

  it('knows only its own ports', async () => {
    await expect(cluster.kill(1, 'SIGKILL')).rejects.toThrow('No node of this Redis Cluster has port 1.');
  });

  it('leaves no process and no folder when it stops, even with a node dead and one frozen', async () => {
    const [one, other] = cluster.nodes;
    if (!one || !other) throw new Error('The cluster has no nodes.');
    await cluster.kill(one.port, 'SIGKILL');
    await cluster.kill(other.port, 'SIGSTOP');
    await cluster.stop();
    expect(cluster.nodes.filter((node) => isRunning(node.pid))).toEqual([]);
    expect(await readdir(workspace.path)).toEqual([]);
    await expect(cluster.primaries()).rejects.toThrow('No node of the Redis Cluster answers.');
  });
});

describe('a Redis Cluster that cannot start', () => {
  it('says why, and leaves no process and no folder', async () => {
    const broken = { ...program, path: '/bin/false' };
    await expect(startRedisCluster({ program: broken, dir: workspace.path })).rejects.toThrow(
      /could not be started: redis-server on port \d+ ended \(exit code 1\) before it was ready/,
    );
    expect(await readdir(workspace.path)).toEqual([]);
  });
});
