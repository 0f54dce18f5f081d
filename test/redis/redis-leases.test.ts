import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { connectTo, type RedisNode, startRedis } from '../../src/cli/servers/redis-node.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import { createWorkspace } from '../../src/cli/servers/workspace.js';
import type { Clock } from '../../src/core/clock.js';
import { HLC_ZERO, type Hlc } from '../../src/core/hlc.js';
import { PARTITIONS, partitionOf } from '../../src/core/key.js';
import { LEASE_MS, type LeaseAnswer } from '../../src/core/lease.js';
import { systemClock } from '../../src/node/system-clock.js';
import { makeOwnPrefix, requireRedis } from '../servers.js';
import { callWithin, deletedAt, RedisSubject, valueAt } from './subject.js';

const opened: RedisSubject[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ redis }) => redis.close()));
});

const soon = (what: string, check: () => boolean | Promise<boolean>) => waitUntil({ what, boundMs: 15_000 }, check);
const at = (ms: number): Hlc => ({ ms, counter: 0 });

/** Its long timers never fire: what ends a wait then is that somebody told of the end. */
const deafClock: Clock = {
  ...systemClock,
  schedule: (delayMs, run) => (delayMs > LEASE_MS / 2 ? () => {} : systemClock.schedule(delayMs, run)),
};

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

const granted = { kind: 'granted' };
const filled = { kind: 'filled' };

describe.each([
  ['a Redis Cluster', () => inject('redisClusterNodes')],
  ['a single Redis', () => [inject('redisSingle')]],
])('the leases of %s', (_, nodes) => {
  /** Two nodes of a city; the second hears of ends, or never. */
  const openTwo = async () => {
    const one = await open(nodes());
    const other = await open(nodes(), one.prefix, deafClock);
    await soon('the feed', () => other.gapsOf('k') > 0 && other.known.size === PARTITIONS);
    return { one, other };
  };

  it('are granted to one at a time, who may ask again', async () => {
    const { one, other } = await openTwo();
    expect(await acquire(one, 'k', 'a')).toEqual(granted);
    expect((await acquire(other, 'k', 'b')).kind).toBe('busy');
    expect(await acquire(one, 'k', 'a')).toEqual(granted);
    expect(await acquire(other, 'l', 'b')).toEqual(granted);
  });

  it('are answered key by key, over all partitions', async () => {
    const { one, other } = await openTwo();
    const keys = Array.from({ length: 1_000 }, (__, i) => `many ${i} {🚚}`);
    const half = keys.filter((__, i) => i % 2 === 0);
    const kinds = async (subject: RedisSubject, some: readonly string[], token: string) =>
      (await subject.redis.leases.acquire(some, token, HLC_ZERO, callWithin(30_000))).map(({ kind }) => kind);
    expect(await kinds(one, half, 'a')).toEqual(half.map(() => 'granted'));
    expect(await kinds(other, keys, 'b')).toEqual(keys.map((__, i) => (i % 2 === 0 ? 'busy' : 'granted')));
    await one.redis.leases.release(keys, 'a', callWithin(10_000));
    expect(await kinds(other, keys, 'b')).toEqual(keys.map(() => 'granted'));
  });

  it('are not granted on what was filled since', async () => {
    const { one, other } = await openTwo();
    await one.write('k', valueAt(10), 'fill');
    expect(await acquire(other, 'k', 'b', at(9))).toEqual(filled);
    expect(await acquire(other, 'k', 'b', at(10))).toEqual({ ...granted, occupied: true });
    await one.write('deleted', valueAt(10));
    await one.write('deleted', deletedAt(12, 10));
    expect(await acquire(other, 'deleted', 'b', at(9))).toEqual(granted);
    await one.write('stale', { ...valueAt(10), freshUntilMs: systemClock.wallMs() - 1, staleIfErrorMs: 600_000 });
    expect(await acquire(other, 'stale', 'b', at(9))).toEqual(granted);
    await one.write('absent', { ...valueAt(10), kind: 'absent', payload: Buffer.alloc(0) }, 'fill');
    expect(await acquire(other, 'absent', 'b', at(9))).toEqual(filled);
  });

  it.each([
    ['a fill', valueAt(10), 'fill'],
    ['a fill of what is there', valueAt(5, 'the same, asked for later', 10), 'fill'],
    ['a set', valueAt(10), 'set'],
    ['a set of what is dead already', { ...valueAt(10), freshUntilMs: 1 }, 'set'],
    ['a delete', deletedAt(10, 5), 'set'],
  ] as const)('end with %s, and whoever waits is told', async (what, entry, mode) => {
    const { one, other } = await openTwo();
    if (what === 'a fill of what is there') await one.write('k', valueAt(5));
    await acquire(one, 'k', 'a', at(6));
    const wait = await waitFor(other, 'k');
    expect((await one.write('k', entry, mode)).kind).toBe('stored');
    await soon('the end', () => wait.over);
    expect(await acquire(other, 'k', 'b', at(11))).toMatchObject(granted);
  });

  it('end with every entry of a batch', async () => {
    const { one, other } = await openTwo();
    const keys = Array.from({ length: 300 }, (__, i) => `batch ${i}`);
    await one.redis.leases.acquire(keys, 'a', at(6), callWithin(10_000));
    const waits = await Promise.all(keys.map((key) => waitFor(other, key)));
    const writes = keys.map((key) => ({ key, entry: valueAt(10), mode: 'fill' as const }));
    await one.redis.tier.write(writes, callWithin(10_000));
    await soon('the ends', () => waits.every(({ over }) => over));
    expect(other.gapsOf(keys[0]!)).toBe(1);
    expect(other.of(keys[0]!)).toEqual([]);
  });

  it('are not announced when nobody waits', async () => {
    const { one, other } = await openTwo();
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

  it('outlast a refused fill that was asked for before they began', async () => {
    const { one, other } = await openTwo();
    await acquire(one, 'k', 'late', at(5));
    await other.write('k', deletedAt(10, 5));
    expect(await acquire(other, 'k', 'b', at(11))).toEqual(granted);
    expect((await one.write('k', valueAt(6), 'fill')).kind).toBe('superseded');
    expect((await acquire(one, 'k', 'c', at(12))).kind).toBe('busy');
    // The holder's own, though refused: nobody is to wait for him any longer.
    await other.write('k', deletedAt(20, 5));
    expect(await acquire(other, 'k', 'b', at(11))).toEqual(granted);
    expect((await other.write('k', valueAt(13), 'fill')).kind).toBe('superseded');
    expect(await acquire(one, 'k', 'c', at(12))).toEqual(granted);
  });

  it('end when they are given back, by nobody but their holder', async () => {
    const { one, other } = await openTwo();
    await acquire(one, 'k', 'a');
    const wait = await waitFor(other, 'k');
    await one.redis.leases.release(['k'], 'an older one', callWithin(10_000));
    expect((await acquire(other, 'k', 'b')).kind).toBe('busy');
    expect(wait.over).toBe(false);
    await one.redis.leases.release(['k'], 'a', callWithin(10_000));
    await soon('the end', () => wait.over);
    expect(await acquire(other, 'k', 'b')).toEqual(granted);
    // A release that comes late does not free what somebody else has got since.
    await one.redis.leases.release(['k'], 'a', callWithin(10_000));
    expect((await acquire(one, 'k', 'a')).kind).toBe('busy');
  });

  it('run out when their holder is gone, and so do the waits', async () => {
    const one = await open(nodes());
    const other = await open(nodes(), one.prefix);
    await acquire(one, 'k', 'gone');
    const answer = await acquire(other, 'k', 'b');
    if (answer.kind !== 'busy') throw new Error(answer.kind);
    await answer.ended;
    expect(await acquire(other, 'k', 'b')).toEqual(granted);
  });

  it('last while they are renewed by their holder', async () => {
    const one = await open(nodes());
    const other = await open(nodes(), one.prefix);
    await acquire(one, 'renewed', 'a');
    await acquire(one, 'left alone', 'a');
    await soon('what is left alone to run out', async () => {
      await one.redis.leases.renew(['renewed', 'left alone'], 'another', callWithin(1_000));
      await one.redis.leases.renew(['renewed'], 'a', callWithin(1_000));
      return (await acquire(other, 'left alone', 'b')).kind === 'granted';
    });
    expect((await acquire(other, 'renewed', 'b')).kind).toBe('busy');
  });

  it('are waited for no longer than the call lasts', async () => {
    const one = await open(nodes());
    await acquire(one, 'k', 'a');
    const [answer] = await one.redis.leases.acquire(['k'], 'b', HLC_ZERO, callWithin(300));
    if (answer?.kind !== 'busy') throw new Error(answer?.kind);
    await answer.ended;
    expect((await acquire(one, 'k', 'b')).kind).toBe('busy');
  });

  it('are unavailable when there is no time to ask, and after the end', async () => {
    const one = await open(nodes());
    const unavailable = [{ kind: 'unavailable' }, { kind: 'unavailable' }];
    expect(await one.redis.leases.acquire(['k', 'l'], 'a', HLC_ZERO, callWithin(0))).toEqual(unavailable);
    await one.redis.close();
    expect(await one.redis.leases.acquire(['k', 'l'], 'a', HLC_ZERO, callWithin(1_000))).toEqual(unavailable);
    await one.redis.leases.renew(['k'], 'a', callWithin(1_000));
    await one.redis.leases.release(['k'], 'a', callWithin(1_000));
  });
});

describe('a single Redis that is broken', () => {
  let node: RedisNode;
  let removeFolder: () => Promise<void>;

  beforeAll(async () => {
    const [program, workspace] = [await requireRedis(), await createWorkspace()];
    removeFolder = () => workspace.remove();
    node = await startRedis({ program, dir: workspace.path });
  });
  afterAll(async () => {
    await node.stop();
    await removeFolder();
  });

  it('lets nobody wait for an end that may have gone by unheard', async () => {
    const one = await open([node.address]);
    const other = await open([node.address], one.prefix, deafClock);
    await acquire(one, 'k', 'a');
    const wait = await waitFor(other, 'k');
    const server = await connectTo(node.port, 5_000);
    await server.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
    server.destroy();
    await soon('the wait to be over', () => wait.over);
    expect((await acquire(other, 'k', 'b')).kind).toBe('busy');
  });

  it('grants nothing, and lets nobody wait for an answer, while it is frozen or dead', async () => {
    const one = await open([node.address]);
    await node.kill('SIGSTOP');
    expect(await acquire(one, 'k', 'a')).toEqual({ kind: 'unavailable' });
    await node.kill('SIGKILL');
    expect(await acquire(one, 'k', 'a')).toEqual({ kind: 'unavailable' });
    await node.restart();
    await soon('a lease', async () => (await acquire(one, 'k', 'a')).kind === 'granted');
  });
});
