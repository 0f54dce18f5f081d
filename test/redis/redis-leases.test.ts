import { afterEach, describe, expect, inject, it } from 'vitest';
import { connectTo } from '../../src/cli/servers/redis-node.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Clock } from '../../src/core/clock.js';
import { HLC_ZERO, type Hlc } from '../../src/core/hlc.js';
import { PARTITIONS, partitionOf } from '../../src/core/key.js';
import type { LeaseAnswer } from '../../src/core/lease.js';
import { systemClock } from '../../src/node/system-clock.js';
import { deafClock, type LeaseNode, leaseContract } from '../contract/lease-contract.js';
import { makeOwnPrefix, useOwnRedis } from '../servers.js';
import { callWithin, RedisSubject, valueAt } from './subject.js';

const opened: RedisSubject[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ redis }) => redis.close()));
});

const soon = (what: string, check: () => boolean | Promise<boolean>) => waitUntil({ what, boundMs: 15_000 }, check);
const at = (ms: number): Hlc => ({ ms, counter: 0 });

async function open(nodes: readonly string[], prefix = makeOwnPrefix(), clock = systemClock): Promise<RedisSubject> {
  const subject = await RedisSubject.open(nodes, { prefix, clock });
  opened.push(subject);
  return subject;
}

async function acquire({ redis }: RedisSubject, key: string, token: string, since = HLC_ZERO): Promise<LeaseAnswer> {
  return (await redis.leases.acquire([key], token, since, callWithin(30_000)))[0]!;
}

/** Waits for a lease that must be another's; says when the wait is over. */
async function waitFor(subject: RedisSubject, key: string): Promise<{ over: boolean }> {
  const answer = await acquire(subject, key, 'waiter', at(6));
  if (answer.kind !== 'busy') throw new Error(`the lease on ${key} is ${answer.kind}`);
  const wait = { over: false };
  void answer.ended.then(() => {
    wait.over = true;
  });
  return wait;
}

function nodeOf({ redis }: RedisSubject): LeaseNode {
  return { leases: redis.leases, tier: redis.tier, close: () => redis.close() };
}

describe.each([
  ['a Redis Cluster', () => inject('redisClusterNodes')],
  ['a single Redis', () => [inject('redisSingle')]],
])('in %s', (_, nodes) => {
  /** Two nodes of a city; the second hears of ends, or never. */
  const openTwo = async (clock: Clock) => {
    const one = await open(nodes());
    const other = await open(nodes(), one.prefix, clock);
    await soon('the feed', () => other.gapsOf('k') > 0 && other.known.size === PARTITIONS);
    return { one, other };
  };

  leaseContract('its leases', async (clockOfOther) => {
    const { one, other } = await openTwo(clockOfOther);
    return [nodeOf(one), nodeOf(other)];
  });

  it('the end of a lease is told, and is no news of its entry', async () => {
    const { one, other } = await openTwo(deafClock);
    await acquire(one, 'k', 'a', at(6));
    const wait = await waitFor(other, 'k');
    await one.write('k', valueAt(10), 'fill');
    await soon('the end', () => wait.over);
    expect(other.gapsOf('k')).toBe(1);
    expect(other.of('k')).toEqual([]);
  });

  it('the end of a lease is not announced when nobody waits', async () => {
    const { one, other } = await openTwo(deafClock);
    await acquire(one, 'k', 'a');
    await one.write('k', valueAt(10), 'fill');
    await acquire(one, 'k', 'a', at(11));
    await one.redis.leases.release(['k'], 'a', callWithin(10_000));
    const server = await connectTo(Number(inject('redisSingle').split(':')[1]), 5_000);
    const position = await server.sendCommand(['GET', `${one.prefix}{${partitionOf('k')}}!seq`]);
    server.destroy();
    expect(position).toBeNull();
    expect(other.of('k')).toEqual([]);
  });
});

describe('a single Redis that is broken', () => {
  const own = useOwnRedis();

  it('lets nobody wait for an end that may have gone by unheard', async () => {
    const one = await open([own.node.address]);
    const other = await open([own.node.address], one.prefix, deafClock);
    await acquire(one, 'k', 'a');
    const wait = await waitFor(other, 'k');
    const server = await connectTo(own.node.port, 5_000);
    await server.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
    server.destroy();
    await soon('the wait to be over', () => wait.over);
    expect((await acquire(other, 'k', 'b')).kind).toBe('busy');
  });

  it('grants nothing, and lets nobody wait for an answer, while it is frozen or dead', async () => {
    const one = await open([own.node.address]);
    await own.node.kill('SIGSTOP');
    expect(await acquire(one, 'k', 'a')).toEqual({ kind: 'unavailable' });
    await own.node.kill('SIGKILL');
    expect(await acquire(one, 'k', 'a')).toEqual({ kind: 'unavailable' });
    await own.node.restart();
    await soon('a lease', async () => (await acquire(one, 'k', 'a')).kind === 'granted');
  });
});
