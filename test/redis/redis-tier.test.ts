import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connectTo, type RedisConnection } from '../../src/cli/servers/redis-node.js';
import { CacheError } from '../../src/core/errors.js';
import { partitionOf } from '../../src/core/key.js';
import { systemClock } from '../../src/node/system-clock.js';
import type { ShardGuard } from '../../src/redis/shard-guard.js';
import { tierContract } from '../contract/tier-contract.js';
import { callWithin, deletedAt, RedisSubject, textOf, valueAt } from './subject.js';

const clusterNodes = () => inject('redisClusterNodes');
const singleNode = () => inject('redisSingle');

for (const [name, nodes] of [
  ['a Redis Cluster', clusterNodes],
  ['a single Redis', () => [singleNode()]],
] as const) {
  tierContract(`the tier of ${name}`, async () => {
    const { redis } = await RedisSubject.open(nodes());
    return { tier: redis.tier, clock: systemClock, passMs: (ms) => sleep(ms) };
  });
}

describe('what the tier keeps in Redis', () => {
  let subject: RedisSubject;
  let server: RedisConnection;
  const stored = (key: string) => `${subject.prefix}{${partitionOf(key)}}:${key}`;

  beforeAll(async () => {
    subject = await RedisSubject.open([singleNode()]);
    server = await connectTo(Number(singleNode().split(':')[1]), 5_000);
  });
  afterAll(async () => {
    await subject.redis.close();
    server.destroy();
  });

  it('ends with the life of the entry, its stale windows included', async () => {
    const now = systemClock.wallMs();
    const entry = { ...valueAt(5), freshUntilMs: now + 60_000, staleWhileRevalidateMs: 1_000, staleIfErrorMs: 40_000 };
    await subject.write('life', entry);
    const leftMs = Number(await server.sendCommand(['PTTL', stored('life')]));
    expect(leftMs).toBeGreaterThan(90_000);
    expect(leftMs).toBeLessThanOrEqual(100_001);
  });

  it('keeps the time that was left when a late delete only adds to what is known', async () => {
    await subject.write('fenced', { ...valueAt(5), freshUntilMs: systemClock.wallMs() + 30_000 });
    expect((await subject.write('fenced', deletedAt(3, 4))).kind).toBe('superseded');
    const outcome = await subject.read('fenced');
    expect(outcome.kind === 'found' && outcome.entry.fence).toEqual({ ms: 3, counter: 0 });
    expect(textOf(outcome)).toBe('value 5');
    const leftMs = Number(await server.sendCommand(['PTTL', stored('fenced')]));
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(30_001);
  });

  it('never lets a sequence or the floors expire', async () => {
    await subject.write('sequenced', valueAt(5));
    const floor = { scope: 'tag', subject: 'x', hlc: { ms: 5, counter: 0 } } as const;
    expect(await subject.redis.feed.raise(floor, callWithin(5_000))).toEqual({ kind: 'stored' });
    const partition = partitionOf('sequenced');
    for (const key of [`{${partition}}!seq`, '{floors}!seq', '{floors}!floors']) {
      expect(await server.sendCommand(['TTL', subject.prefix + key])).toBe(-1);
    }
  });

  it.each([
    ['nothing', ''],
    ['text', 'somebody else wrote this, and it is long enough to be mistaken for an entry by its length alone......'],
    ['an entry of a later format', `${'0'.repeat(72)}\x02\x00${'\0'.repeat(40)}`],
    ['half an entry', `${'0'.repeat(72)}\x01\x00`],
  ])('fails for a key under which it finds %s, and a set repairs it', async (what, bytes) => {
    const key = `corrupt ${what}`;
    await subject.write('whole', valueAt(5));
    await server.sendCommand(['SET', stored(key), bytes]);
    const [corrupt, whole] = await subject.redis.tier.read([key, 'whole'], callWithin(5_000));
    expect(corrupt?.kind === 'failed' && corrupt.error).toMatchObject({ name: 'CacheError', code: 'corrupt-entry' });
    expect(whole?.kind).toBe('found');
    expect(await subject.write(key, valueAt(1))).toEqual({ kind: 'stored' });
    expect(textOf(await subject.read(key))).toBe('value 1');
  });

  it('fails one write, and says which server refused it, when a key holds another type', async () => {
    await server.sendCommand(['LPUSH', stored('list'), 'x']);
    const outcome = await subject.write('list', valueAt(5));
    expect(outcome.kind === 'failed' && outcome.error.message).toMatch(/^redis 127\.0\.0\.1:\d+: .*WRONGTYPE/s);
  });

  it('gives back values that do not keep what came out of the socket alive', async () => {
    await subject.write('own memory', valueAt(5, 'x'.repeat(300)));
    const outcome = await subject.read('own memory');
    if (outcome.kind !== 'found') throw new Error(`it is ${outcome.kind}`);
    expect(outcome.entry.payload.buffer.byteLength).toBeLessThanOrEqual(Buffer.poolSize);
  });

  it('writes after the server has forgotten every script', async () => {
    await subject.write('script', valueAt(5));
    await server.sendCommand(['SCRIPT', 'FLUSH']);
    expect(await subject.write('script', valueAt(6))).toEqual({ kind: 'stored' });
  });
});

describe('the guard of a shard', () => {
  it('stands around every call, learns of failures, and can refuse', async () => {
    const calls: string[] = [];
    let refusal: CacheError | undefined;
    const guard: ShardGuard = {
      run: async (shard, _call, work) => {
        calls.push(shard);
        if (refusal !== undefined) throw refusal;
        return work();
      },
    };
    const { redis } = await RedisSubject.open(clusterNodes(), { guard });
    calls.length = 0;
    const keys = Array.from({ length: 60 }, (_, i) => `guarded ${i}`);
    await redis.tier.read(keys, callWithin(5_000));
    // Once for each shard, however many partitions are asked for there.
    expect(calls.sort()).toEqual(
      redis
        .health()
        .map(({ shard }) => shard)
        .sort(),
    );

    const outcomesWhen = async (error: CacheError) => {
      refusal = error;
      const write = { key: 'guarded', entry: valueAt(5), mode: 'set' } as const;
      const outcomes = [
        ...(await redis.tier.read(['guarded'], callWithin(5_000))),
        ...(await redis.tier.read(keys, callWithin(5_000))),
        ...(await redis.tier.write([write], callWithin(5_000))),
        await redis.feed.raise({ scope: 'all', subject: '', hlc: { ms: 1, counter: 0 } }, callWithin(5_000)),
      ];
      return [...new Set(outcomes.map((outcome) => JSON.stringify(outcome)))];
    };
    expect(await outcomesWhen(new CacheError('breaker-open', 'open'))).toEqual([
      JSON.stringify({ kind: 'skipped', why: 'breaker-open' }),
    ]);
    expect(await outcomesWhen(new CacheError('overloaded', 'full'))).toEqual([
      JSON.stringify({ kind: 'skipped', why: 'overloaded' }),
    ]);
    await redis.close();
  });

  it('is told when a shard answers nothing but errors', async () => {
    const failures: Error[] = [];
    const guard: ShardGuard = {
      run: (_shard, _call, work) =>
        work().catch((error: Error) => {
          failures.push(error);
          throw error;
        }),
    };
    const subject = await RedisSubject.open([singleNode()], { guard });
    const server = await connectTo(Number(singleNode().split(':')[1]), 5_000);
    await server.sendCommand(['LPUSH', `${subject.prefix}{${partitionOf('a list')}}:a list`, 'x']);
    expect((await subject.read('a list')).kind).toBe('failed');
    expect((await subject.write('a list', valueAt(5))).kind).toBe('failed');
    expect(failures).toHaveLength(2);
    server.destroy();
    await subject.redis.close();
  });
});
