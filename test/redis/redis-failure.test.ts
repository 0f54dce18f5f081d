import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectTo } from '../../src/cli/servers/redis-node.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import { PARTITIONS, partitionOf } from '../../src/core/key.js';
import { systemChance, systemClock } from '../../src/node/system-clock.js';
import { KeyLayout } from '../../src/redis/key-layout.js';
import { RedisLink } from '../../src/redis/redis-link.js';
import type { ShardGuard } from '../../src/redis/shard-guard.js';
import { type OwnRedisCluster, startOwnRedisCluster, useOwnRedis } from '../servers.js';
import { callWithin, RedisSubject, textOf, valueAt } from './subject.js';

/** One key of every partition. */
const KEYS = [...new Map(Array.from({ length: 10_000 }, (_, i) => [partitionOf(`k${i}`), `k${i}`] as const)).values()];
const DEADLINE_MS = 400;
/** A busy machine may run a timer late; a call that hangs is late by much more. */
const LATENESS_MS = 2_000;
/** Longer than a probe interval, shorter than the silence after which a connection is given up. */
const PAUSE_MS = 600;

const soon = (what: string, check: () => boolean | Promise<boolean>) => waitUntil({ what, boundMs: 30_000 }, check);

const processEvents: unknown[] = [];
const note = (thrown: unknown) => void processEvents.push(thrown);
beforeEach(() => {
  processEvents.length = 0;
  for (const event of ['warning', 'unhandledRejection', 'uncaughtExceptionMonitor']) process.on(event, note);
});
afterEach(() => {
  for (const event of ['warning', 'unhandledRejection', 'uncaughtExceptionMonitor']) process.off(event, note);
  expect(processEvents).toEqual([]);
});

describe('a Redis Cluster that is broken', () => {
  let own: OwnRedisCluster;
  let subject: RedisSubject;
  let versionMs = 1;

  beforeAll(async () => {
    own = await startOwnRedisCluster({ nodeTimeoutMs: 1_000 });
  });
  afterAll(() => own.stop());
  beforeEach(async () => {
    subject = await RedisSubject.open(own.cluster.addresses, { prefix: 'broken:' });
    await soon('a whole cluster', () => {
      const health = subject.redis.health();
      return health.length === 3 && health.every(({ ok }) => ok) && KEYS.every((key) => subject.gapsOf(key) > 0);
    });
  });
  afterEach(() => subject.redis.close());

  const writeAll = async (keys: readonly string[]) => {
    const atMs = ++versionMs;
    const writes = keys.map((key) => ({ key, entry: valueAt(atMs), mode: 'set' as const }));
    const outcomes = await subject.redis.tier.write(writes, callWithin(DEADLINE_MS));
    return outcomes.every(({ kind }) => kind === 'stored');
  };

  /** What is written from now on is heard of. */
  const soonHeard = async (keys: readonly string[]) => {
    const sinceMs = versionMs;
    await soon('the news', async () => {
      await writeAll(keys);
      const news = subject.changes.filter((one) => one.kind === 'entry' && one.version.eventTimeMs > sinceMs);
      return keys.every((key) => news.some((one) => one.kind === 'entry' && one.key === key));
    });
  };

  /** The keys that a primary serves, and the others. */
  const shareOf = async (port: number) => {
    const server = await connectTo(port, 5_000);
    const ranges = (await server.sendCommand(['CLUSTER', 'SLOTS'])) as unknown as [number, number, [string, number]][];
    server.destroy();
    const { partitions } = new KeyLayout('broken:');
    const portOf = (key: string) => {
      const { slot } = partitions[partitionOf(key)]!;
      return ranges.find(([first, last]) => first <= slot && slot <= last)?.[2][1];
    };
    return { its: KEYS.filter((key) => portOf(key) === port), others: KEYS.filter((key) => portOf(key) !== port) };
  };

  /** Asks for the keys one by one; each must be answered in time. */
  const readEach = async (keys: readonly string[]): Promise<string[]> => {
    const startedMs = performance.now();
    const outcomes = await Promise.all(keys.map((key) => subject.read(key, DEADLINE_MS)));
    expect(performance.now() - startedMs).toBeLessThan(DEADLINE_MS + LATENESS_MS);
    return outcomes.map(textOf);
  };

  it.each([
    ['killed', 'SIGKILL'],
    ['frozen', 'SIGSTOP'],
  ] as const)(
    'answers from the other shards while a primary is %s, and from its successor after that',
    async (_, signal) => {
      await soon('the first writes', () => writeAll(KEYS));
      const expected = `value ${versionMs}`;
      const [victim] = await own.cluster.primaries();
      const { its, others } = await shareOf(victim!.port);
      expect(its.length).toBeGreaterThan(50);
      const gapsBefore = its.map((key) => subject.gapsOf(key));
      // What its replica has not heard of is lost with it, which is not what this is about.
      const doomed = await connectTo(victim!.port, 5_000);
      await soon('the replica to be in step', async () => {
        const info = String(await doomed.sendCommand(['INFO', 'replication']));
        return info.includes(`offset=${/master_repl_offset:(\d+)/.exec(info)?.[1]},`);
      });
      doomed.destroy();

      await own.cluster.kill(victim!.port, signal);
      let rounds = 0;
      await soon('the successor', async () => {
        rounds += 1;
        const [share, rest, mixed] = await Promise.all([
          readEach(its),
          readEach(others),
          subject.redis.tier.read(KEYS, callWithin(DEADLINE_MS)),
        ]);
        expect(rest).toEqual(others.map(() => expected));
        const known = new Set(its);
        expect(mixed.filter((__, i) => !known.has(KEYS[i]!)).map(textOf)).toEqual(others.map(() => expected));
        return share.every((text) => text === expected);
      });
      expect(rounds).toBeGreaterThan(1);
      expect(subject.errors.some(({ shard }) => shard.endsWith(`:${victim!.port}`))).toBe(true);

      await soon('writes', () => writeAll(KEYS));
      await soon('the gaps', () => its.every((key, i) => subject.gapsOf(key) > gapsBefore[i]!));
      for (const key of others) expect(subject.gapsOf(key)).toBe(1);
      // What is written now is heard of again.
      await soon('the news', async () => {
        await writeAll(its);
        return its.every((key) =>
          subject.of(key).some((one) => one.kind === 'entry' && one.version.eventTimeMs === versionMs),
        );
      });
      await soon('three healthy primaries', () => subject.redis.health().filter(({ ok }) => ok).length === 3);

      if (signal === 'SIGSTOP') await own.cluster.kill(victim!.port, 'SIGCONT');
      else await own.cluster.restart(victim!.port);
      const server = await connectTo(victim!.port, 5_000);
      await soon('the old primary to follow the new one', async () =>
        /role:slave.*master_link_status:up/s.test(String(await server.sendCommand(['INFO', 'replication']))),
      );
      server.destroy();
      expect(await readEach(KEYS)).toHaveLength(KEYS.length);
      expect(await writeAll(KEYS)).toBe(true);
    },
  );

  it('has a gap for the partitions whose subscriber was disconnected, and for no others', async () => {
    const [primary] = await own.cluster.primaries();
    const { its, others } = await shareOf(primary!.port);
    const server = await connectTo(primary!.port, 5_000);
    expect(Number(await server.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']))).toBeGreaterThan(0);
    server.destroy();
    await soon('the gaps', () => its.every((key) => subject.gapsOf(key) === 2));
    for (const key of its) expect(subject.lossesOf(key)).toBe(1);
    await writeAll(KEYS);
    await soon('the news', () => KEYS.every((key) => subject.of(key).length > 0));
    for (const key of others) expect(subject.gapsOf(key)).toBe(1);
  });

  it('has the data connection back after it was cut, without a gap', async () => {
    const [primary] = await own.cluster.primaries();
    const { its } = await shareOf(primary!.port);
    const server = await connectTo(primary!.port, 5_000);
    await server.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal']);
    server.destroy();
    await soon('writes', () => writeAll(its));
    for (const key of KEYS) expect(subject.gapsOf(key)).toBe(1);
  });

  it('follows a slot to another node and back, asks both while it is on its way, and never says miss for a hit', async () => {
    const [from, to] = await own.cluster.primaries();
    const { its } = await shareOf(from!.port);
    const partition = partitionOf(its[0]!);
    const { slot, entryPrefix, sequenceKey } = new KeyLayout('broken:').partitions[partition]!;
    const keys = Array.from({ length: 5_000 }, (_, i) => `moving ${i}`).filter((key) => partitionOf(key) === partition);
    expect(keys.length).toBeGreaterThan(3);
    await writeAll(keys);
    const expected = keys.map(() => `value ${versionMs}`);
    const readAll = async () => (await subject.redis.tier.read(keys, callWithin(5_000))).map(textOf);

    for (const [source, target] of [
      [from!, to!],
      [to!, from!],
    ] as const) {
      const gapsBefore = subject.gapsOf(keys[0]!);
      const [a, b] = await Promise.all([connectTo(source.port, 5_000), connectTo(target.port, 5_000)]);
      const [idOfA, idOfB] = [
        String(await a.sendCommand(['CLUSTER', 'MYID'])),
        String(await b.sendCommand(['CLUSTER', 'MYID'])),
      ];
      await b.sendCommand(['CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', idOfA]);
      await a.sendCommand(['CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', idOfB]);
      const migrate = (...redisKeys: string[]) =>
        a.sendCommand(['MIGRATE', '127.0.0.1', String(target.port), '', '0', '5000', 'KEYS', ...redisKeys]);
      await migrate(entryPrefix + keys[0]!, entryPrefix + keys[1]!);

      expect(textOf(await subject.read(keys[0]!))).toBe(expected[0]);
      expect(textOf(await subject.read(keys[2]!))).toBe(expected[2]);
      expect((await subject.write(keys[2]!, valueAt(++versionMs))).kind).toBe('stored');
      expected[2] = `value ${versionMs}`;
      expect(await readAll()).toEqual(expected);
      expect((await subject.read('moving nowhere')).kind).toBe('miss');

      const rest = (await a.sendCommand(['CLUSTER', 'GETKEYSINSLOT', String(slot), '1000'])) as unknown as string[];
      expect(rest).toContain(sequenceKey);
      await migrate(...rest);
      expect(await readAll()).toEqual(expected);
      await b.sendCommand(['CLUSTER', 'SETSLOT', String(slot), 'NODE', idOfB]);
      await a.sendCommand(['CLUSTER', 'SETSLOT', String(slot), 'NODE', idOfB]);
      a.destroy();
      b.destroy();

      expect(await readAll()).toEqual(expected);
      await soon('the gap', () => subject.gapsOf(keys[0]!) > gapsBefore);
      await soonHeard([keys[0]!]);
      expected[0] = `value ${versionMs}`;
    }
  });
});

describe('a single Redis that is broken', () => {
  const own = useOwnRedis();

  it('does not keep a cache from starting, and is used when it is there', async () => {
    await own.node.kill('SIGKILL');
    const startedMs = performance.now();
    const subject = await RedisSubject.open([own.node.address]);
    expect(performance.now() - startedMs).toBeLessThan(2_000 + LATENESS_MS);
    expect(subject.redis.health()).toEqual([]);
    expect(await subject.read('k')).toEqual({ kind: 'skipped', why: 'not-ready' });
    expect(await subject.write('k', valueAt(5))).toEqual({ kind: 'skipped', why: 'not-ready' });
    expect(await subject.redis.tier.read(['k', 'l'], callWithin(1_000))).toHaveLength(2);
    const floor = { scope: 'tag', subject: 'raised in the dark', hlc: { ms: 5, counter: 0 } } as const;
    expect(await subject.redis.feed.raise(floor, callWithin(1_000))).toEqual({ kind: 'skipped', why: 'not-ready' });

    await own.node.restart();
    await soon('Redis', async () => (await subject.write('k', valueAt(5))).kind === 'stored');
    await soon('the floors', async () => textOf(await subject.read('k')) === 'value 5');
    expect(subject.redis.health()).toEqual([{ shard: own.node.address, ok: true }]);
    for (const key of KEYS) expect(subject.gapsOf(key)).toBe(1);
    // The floor that could not be raised has been by now, and a node that starts hears of it.
    await soon('the floor', async () => {
      const later = await RedisSubject.open([own.node.address], { prefix: subject.prefix });
      await later.redis.close();
      return later.changes.some((change) => change.kind === 'floor' && change.floor.subject === floor.subject);
    });
    await subject.redis.close();
  });

  it('fails calls at once when it has died, and has one gap for every partition when it is back, empty', async () => {
    const subject = await RedisSubject.open([own.node.address]);
    await subject.write('k', valueAt(5));
    await own.node.kill('SIGKILL');
    await soon('the loss', async () => (await subject.read('k', 10_000)).kind === 'failed');
    const startedMs = performance.now();
    expect((await subject.read('k', 60_000)).kind).toBe('failed');
    expect((await subject.write('k', valueAt(6), 'set', 60_000)).kind).toBe('failed');
    expect(performance.now() - startedMs).toBeLessThan(LATENESS_MS);
    await own.node.restart();
    await soon('the gaps', () => KEYS.every((key) => subject.gapsOf(key) === 2));
    await soon('Redis', async () => (await subject.read('k')).kind === 'miss');
    expect(subject.changes.filter(({ kind }) => kind === 'gap')).toHaveLength(2 * PARTITIONS);
    await subject.redis.close();
  });

  it('is asked as soon as it is back, however many calls came before: they are no matter for the guard', async () => {
    let calls = 0;
    const guard: ShardGuard = {
      run: (_shard, _call, work) => {
        calls += 1;
        return work();
      },
    };
    const subject = await RedisSubject.open([own.node.address], { guard });
    await subject.write('k', valueAt(5));
    await own.node.kill('SIGKILL');
    await soon('the loss', () => subject.redis.health().every(({ ok }) => !ok));
    const callsBefore = calls;
    for (let i = 0; i < 100; i++) expect((await subject.read('k')).kind).toBe('failed');
    expect((await subject.redis.tier.read(KEYS, callWithin(DEADLINE_MS))).every(({ kind }) => kind === 'failed')).toBe(
      true,
    );
    expect(calls).toBe(callsBefore);
    await own.node.restart();
    await soon('Redis', async () => (await subject.read('k')).kind === 'miss');
    await subject.redis.close();
  });

  it('is noticed when it is frozen, however much is written to it meanwhile', async () => {
    const subject = await RedisSubject.open([own.node.address]);
    await own.node.kill('SIGSTOP');
    const outcomes: Promise<{ kind: string }>[] = [];
    await soon('the loss', async () => {
      outcomes.push(subject.write('k', valueAt(5), 'set', 100));
      return subject.redis.health().every(({ ok }) => !ok);
    });
    expect(new Set((await Promise.all(outcomes)).map(({ kind }) => kind))).toEqual(new Set(['failed']));
    await own.node.kill('SIGCONT');
    await soon('Redis', async () => (await subject.write('k', valueAt(6))).kind === 'stored');
    // The connection of the feed may have outlived a short freeze; then it tells the write, else that some were missed.
    await soon('word of the write', () => subject.of('k').length > 0 || subject.gapsOf('k') >= 2);
    await subject.redis.close();
  });

  it('is not given up as long as it answers, however slowly: it would have to do everything again', async () => {
    let losses = 0;
    const link = new RedisLink({
      address: own.node.address,
      access: {},
      clock: systemClock,
      chance: systemChance,
      heartbeat: { everyMs: 50, ask: (one) => one.send(['PING']) },
      onReady() {},
      onLost() {
        losses += 1;
      },
    });
    await link.opened;
    // Each is answered some time after the one before; no heartbeat is before all of them are.
    const slow = Array.from({ length: 8 }, () => link.send(['BLPOP', 'nobody pushes', '0.4']));
    expect(await Promise.all(slow)).toEqual(slow.map(() => null));
    expect(losses).toBe(0);
    await link.close();
  });

  it('that answers late is vouched for from when it was asked, not from when it answered', async () => {
    const subject = await RedisSubject.open([own.node.address]);
    const server = await connectTo(own.node.port, 5_000);
    const sinces: number[] = [];
    subject.redis.feed.listen((change) => {
      if (change.kind === 'known') sinces.push(change.sinceMs);
    });
    const what = 'an answer to a probe that was sent while nobody answered';
    await waitUntil({ what, boundMs: 10_000 }, async () => {
      const askedAtMs = systemClock.monotonicMs();
      await server.sendCommand(['CLIENT', 'PAUSE', String(PAUSE_MS), 'ALL']);
      // Answers that were under way then are in; the pause does not end before the last instant.
      const [fromMs, untilMs] = [systemClock.monotonicMs() + 50, askedAtMs + PAUSE_MS];
      await server.sendCommand(['PING']);
      await waitUntil({ what: 'a probe after the pause', boundMs: 10_000 }, () => sinces.some((ms) => ms > untilMs));
      return sinces.some((ms) => ms > fromMs && ms < untilMs);
    });
    server.destroy();
    await subject.redis.close();
  });

  it('is not mistaken for a cluster', async () => {
    const subject = await RedisSubject.open([own.node.address, own.node.address.replace('127.0.0.1', 'localhost')]);
    expect((await subject.write('k', valueAt(5))).kind).toBe('skipped');
    const told = subject.errors.map(({ error }) => error);
    expect(told).toContainEqual(expect.objectContaining({ code: 'invalid-config', field: 'redis.nodes' }));
    await subject.redis.close();
  });

  it('lets only in who knows the password', async () => {
    const server = await connectTo(own.node.port, 5_000);
    await server.sendCommand(['ACL', 'SETUSER', 'cache', 'on', '>s3cret', '~*', '&*', '+@all']);
    await server.sendCommand(['ACL', 'SETUSER', 'default', 'off']);
    const stranger = await RedisSubject.open([own.node.address]);
    const member = await RedisSubject.open([own.node.address], { username: 'cache', password: 's3cret' });
    expect((await stranger.write('k', valueAt(5))).kind).toBe('skipped');
    expect(stranger.errors.map(({ error }) => error.message).join()).toMatch(/NOAUTH/);
    expect((await member.write('k', valueAt(5))).kind).toBe('stored');
    await server.sendCommand(['ACL', 'SETUSER', 'default', 'on']);
    server.destroy();
    await Promise.all([stranger.redis.close(), member.redis.close()]);
  });
});
