import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectTo, type RedisConnection } from '../../src/cli/servers/redis-node.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Entry } from '../../src/core/entry.js';
import type { Floor } from '../../src/core/floors.js';
import { partitionOf } from '../../src/core/key.js';
import type { WriteOutcome } from '../../src/core/outcome.js';
import { systemChance, systemClock } from '../../src/node/system-clock.js';
import { RedisConnections } from '../../src/redis/connections.js';
import { KeyLayout } from '../../src/redis/key-layout.js';
import { FIRST_CURSOR, ReclaimWalk } from '../../src/redis/reclaim-walk.js';
import { RedisTier } from '../../src/redis/redis-tier.js';
import { ShardCalls } from '../../src/redis/shard-calls.js';
import { deadlinesOnly } from '../../src/redis/shard-guard.js';
import { makeOwnPrefix, type OwnRedisCluster, startOwnRedisCluster, useOwnRedis } from '../servers.js';
import { callWithin, deletedAt, RedisSubject, textOf, valueAt } from './subject.js';

/** A walk is paced by how long answers take, which is long while other tests run. */
const WALK_BOUND_MS = 150_000;
/** After which a connection that is not used is closed. */
const IDLE_BOUND_MS = 120_000;
const FLOOR_MS = 100;
const floorOver = (tag: string, ms = FLOOR_MS): Floor => ({ scope: 'tag', subject: tag, hlc: { ms, counter: 0 } });
const tagged = (tags: readonly string[], atMs = 5): Entry => ({ ...valueAt(atMs), tags });
const names = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}:${i}`);

async function writeAll(subject: RedisSubject, keys: readonly string[], entry: Entry): Promise<void> {
  for (let from = 0; from < keys.length; from += 2_000) {
    const writes = keys.slice(from, from + 2_000).map((key) => ({ key, entry, mode: 'set' as const }));
    const outcomes = await subject.redis.tier.write(writes, callWithin(30_000));
    expect(outcomes.filter(({ kind }) => kind !== 'stored')).toEqual([]);
  }
}

describe('what lies below a floor in a Redis Cluster', () => {
  let own: OwnRedisCluster;
  let primaries: RedisConnection[];

  beforeAll(async () => {
    own = await startOwnRedisCluster();
    const nodes = own.cluster.nodes.filter(({ roleAtStart }) => roleAtStart === 'primary');
    primaries = await Promise.all(nodes.map(({ port }) => connectTo(port, IDLE_BOUND_MS)));
  });
  afterAll(async () => {
    for (const one of primaries) one.destroy();
    await own.stop();
  });

  const keysKept = async () => {
    const sizes = await Promise.all(primaries.map((one) => one.sendCommand(['DBSIZE'])));
    return sizes.reduce<number>((sum, size) => sum + Number(size), 0);
  };

  it('is given back, and nothing else, and nobody is told', { timeout: 200_000 }, async () => {
    const subject = await RedisSubject.open(own.cluster.addresses);
    try {
      const below = names('below', 20_000);
      const others = names('other', 1_000);
      const later = names('later', 100);
      await writeAll(subject, others, tagged(['kept', 'another']));
      await writeAll(subject, later, tagged(['gone'], FLOOR_MS + 1));
      await writeAll(subject, ['deleted'], tagged(['gone']));
      expect((await subject.write('deleted', deletedAt(7, 5))).kind).toBe('stored');
      const before = await keysKept();
      await writeAll(subject, below, tagged(['any', 'gone']));
      const longTags = names('t'.repeat(250), 31);
      await writeAll(subject, ['many tags'], tagged([...longTags, 'gone']));
      const told = () => subject.changes.filter(({ kind }) => kind === 'entry').length;
      const written = below.length + others.length + later.length + 3;
      await waitUntil({ what: 'the writes to be told', boundMs: 20_000 }, () => told() === written);

      expect(await subject.redis.feed.raise(floorOver('gone'), callWithin(5_000))).toEqual({ kind: 'stored' });
      const isWalked = async () => {
        const at = `${subject.prefix}{floors}!`;
        const owner = primaries.map(async (one) =>
          one.sendCommand(['MGET', `${at}seq`, `${at}walked`]).catch(() => []),
        );
        return (await Promise.all(owner)).some((reply) => {
          const [position, walked] = Array.isArray(reply) ? reply.map(String) : [];
          return position !== undefined && position === walked;
        });
      };
      await waitUntil({ what: 'the walk to end', boundMs: WALK_BOUND_MS }, isWalked);
      // Besides what was there: the floors, their sequence, the lock, and how far the walk went.
      expect((await keysKept()) - before).toBeLessThanOrEqual(4 + 256);
      expect(await keysKept()).toBeLessThan(before + below.length / 10);
      for (const key of ['below:0', 'below:19999', 'many tags']) expect((await subject.read(key)).kind).toBe('miss');
      const read = await subject.redis.tier.read([...others, ...later, 'deleted'], callWithin(20_000));
      expect(read.filter(({ kind }) => kind !== 'found')).toEqual([]);
      expect(told()).toBe(written);
      expect(subject.errors).toEqual([]);
    } finally {
      await subject.redis.close();
    }
  });
});

describe('the walk through a single Redis', () => {
  const own = useOwnRedis();
  let server: RedisConnection;
  let prefix: string;
  const opened: { close(): unknown }[] = [];

  beforeAll(async () => {
    server = await connectTo(own.node.port, IDLE_BOUND_MS);
    prefix = makeOwnPrefix();
  });
  afterAll(() => server.destroy());
  const closeAll = () => Promise.all(opened.splice(0).map((one) => one.close()));

  const open = async (asked: { count: number } = { count: 0 }): Promise<RedisSubject> => {
    const guard = deadlinesOnly(systemClock);
    const subject = await RedisSubject.open([own.node.address], {
      prefix,
      guard: {
        run: (shard, call, work, keys) => {
          if (call.reason === 'refresh') asked.count += 1;
          return guard.run(shard, call, work, keys);
        },
      },
    });
    opened.push(subject.redis);
    return subject;
  };
  const pages = async () => {
    const stats = String(await server.sendCommand(['INFO', 'commandstats']));
    return Number(/cmdstat_scan:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  };
  const at = (rest: string) => `${prefix}{floors}!${rest}`;
  const walked = async () => {
    const [position, done] = (await server.sendCommand(['MGET', at('seq'), at('walked')])) as unknown[];
    return position !== null && String(position) === String(done);
  };
  const soon = (what: string, check: () => boolean | Promise<boolean>) =>
    waitUntil({ what, boundMs: WALK_BOUND_MS }, check);

  it('is made by one node at a time, and not again before another floor is raised', { timeout: 400_000 }, async () => {
    const first = await open();
    await writeAll(first, names('k', 3_000), tagged(['a']));
    await first.redis.feed.raise(floorOver('nothing has it', 10), callWithin(5_000));
    await soon('the first walk', walked);
    const pagesOfOne = await pages();
    expect(pagesOfOne).toBeGreaterThan(1);
    await closeAll();

    await server.sendCommand(['DEL', at('walk-lock')]);
    const asked = { count: 0 };
    await open(asked);
    await soon('the second node to ask', () => asked.count > 0);
    await closeAll();
    expect(await pages()).toBe(pagesOfOne);

    const each = [{ count: 0 }, { count: 0 }] as const;
    const [second] = await Promise.all(each.map((one) => open(one)));
    await soon('both to have asked', () => each.every(({ count }) => count > 0));
    await second?.redis.feed.raise(floorOver('nor that', 11), callWithin(5_000));
    await soon('the second walk', walked);
    await soon('the other to ask', () => each.every(({ count }) => count > 1));
    expect(await pages()).toBe(2 * pagesOfOne);
    expect(Number(await server.sendCommand(['PTTL', at('walk-lock')]))).toBeGreaterThan(200_000);
    await closeAll();
  });

  it('is begun by another node when the lock of the one that died runs out', async () => {
    const subject = await open();
    await writeAll(subject, ['below'], tagged(['b']));
    await server.sendCommand(['SET', at('walk-lock'), 'somebody', 'PX', '2500']);
    await subject.redis.feed.raise(floorOver('b'), callWithin(5_000));
    await soon('the entry to go', async () => (await subject.read('below')).kind === 'miss');
    await closeAll();
  });

  it('leaves alone what is written between the look and the removal', async () => {
    const { connections, tier, layout } = await connect();
    const keys = names('raced', 50);
    const untouched = names('quiet', 50);
    const all = [...keys, ...untouched];
    const put = (some: readonly string[], atMs: number) =>
      tier.write(
        some.map((key) => ({ key, entry: tagged(['c'], atMs), mode: 'set' as const })),
        callWithin(10_000),
      );
    await put(all, 5);
    const writing: Promise<readonly WriteOutcome[]>[] = [];
    const passes = (key: string): boolean => {
      // It leaves on the connection of the walk, before the removal does.
      if (key.startsWith('raced')) writing.push(put([key], 6));
      return !all.includes(key);
    };
    const walk = new ReclaimWalk({ connections, layout, clock: systemClock, floors: { passes } });
    const slot = layout.partitions[partitionOf('k')]?.slot ?? 0;
    let cursor = FIRST_CURSOR;
    do cursor = await walk.page(slot, cursor, callWithin(10_000));
    while (cursor !== FIRST_CURSOR);
    const outcomes = (await Promise.all(writing)).flat();
    expect(outcomes).toHaveLength(keys.length);
    expect(outcomes.filter(({ kind }) => kind !== 'stored')).toEqual([]);
    const read = await tier.read(all, callWithin(10_000));
    expect(read.map(textOf)).toEqual([...keys.map(() => 'value 6'), ...untouched.map(() => 'miss')]);
    await closeAll();
  });

  it('leaves alone what is not of this cache, and what cannot be read', async () => {
    const { connections, layout } = await connect();
    const place = (key: string) => `${prefix}{${partitionOf(key)}}:${key}`;
    const [text, hash, elsewhere] = [place('text'), place('hash'), `${prefix}{${partitionOf('x') ^ 1}}:x`];
    await server.sendCommand(['SET', text, 'x'.repeat(600)]);
    await server.sendCommand(['HSET', hash, 'a', 'b']);
    await server.sendCommand(['SET', elsewhere, 'x']);
    const walk = new ReclaimWalk({ connections, layout, clock: systemClock, floors: { passes: () => false } });
    const slot = layout.partitions[0]?.slot ?? 0;
    let cursor = FIRST_CURSOR;
    do cursor = await walk.page(slot, cursor, callWithin(10_000));
    while (cursor !== FIRST_CURSOR);
    expect(await server.sendCommand(['EXISTS', text, hash, elsewhere])).toBe(3);
    await closeAll();
  });

  /** A level and a walk that share their connection. */
  const connect = async () => {
    const connections = new RedisConnections({
      nodes: [own.node.address],
      access: {},
      clock: systemClock,
      chance: systemChance,
      onError() {},
      onGone() {},
      onConnected() {},
    });
    opened.push(connections);
    await waitUntil({ what: 'the connection', boundMs: 10_000 }, () => connections.whole);
    const layout = new KeyLayout(prefix);
    const calls = new ShardCalls(connections, systemClock, deadlinesOnly(systemClock));
    const tier = new RedisTier({
      connections,
      calls,
      layout,
      clock: systemClock,
      chance: systemChance,
      mayRead: () => true,
      mayLack: () => false,
      gravesMax: () => 2_048,
      close: async () => {},
    });
    return { connections, layout, tier };
  };
});
