import { describe, expect, it } from 'vitest';
import { FEED_LEASE_MS, FeedLeases } from '../../src/core/feed-lease.js';
import { partitionOf } from '../../src/core/key.js';
import { LOAD_MS, sharedLevels, slowSource, startNode } from './cache-under-test.js';
import { hlc, NOW_MS, valueEntry, version } from './entries.js';

describe('what comes over the feed', () => {
  it('forgets a copy that is older than the change, and says so', async () => {
    const { cache, l2 } = startNode();
    const changed: unknown[] = [];
    await cache.set('k', 7, { eventTime: NOW_MS });
    cache.on('changed', (detail) => changed.push(detail));
    l2.announce({ kind: 'entry', key: 'k', version: version(NOW_MS + 1), deleted: false });
    expect(cache.peek('k')).toBeUndefined();
    expect(changed).toEqual([{ key: 'k', version: expect.stringMatching(/^[0-9a-f]{40}$/), by: 'elsewhere' }]);
  });

  it('leaves alone what is as new as the change: our own write coming back, or an old one', async () => {
    const { cache, l2 } = startNode();
    const deliver = l2.delayFeed();
    const changed: string[] = [];
    cache.on('changed', ({ by }) => changed.push(by));
    await cache.set('k', 7);
    deliver();
    l2.announce({ kind: 'entry', key: 'k', version: version(NOW_MS - 1), deleted: false });
    expect(cache.peek('k')).toBe(7);
    expect(changed).toEqual(['here']);
  });

  it('is told also when somebody has read it here before: those who go by the changes have not', async () => {
    const { cache, l2 } = startNode();
    const changed: string[] = [];
    cache.on('changed', ({ by }) => changed.push(by));
    const theirs = version(NOW_MS, 2);
    l2.entries.set('k', valueEntry(NOW_MS, { version: theirs }));
    expect(await cache.get('k')).toBeDefined();
    l2.announce({ kind: 'entry', key: 'k', version: theirs, deleted: false });
    expect(changed).toEqual(['elsewhere']);
    expect(cache.peek('k')).toBeDefined();
  });

  it('forgets what was deleted, and keeps the tombstone of our own delete', async () => {
    const { cache, l2, local } = startNode();
    await cache.set('k', 7);
    l2.announce({ kind: 'entry', key: 'k', version: version(0), deleted: true });
    expect(cache.peek('k')).toBeUndefined();
    await cache.delete('j');
    l2.announce({ kind: 'entry', key: 'j', version: version(0), deleted: true });
    expect(local.find('j')?.entry.kind).toBe('tombstone');
  });

  it('raises a floor once, however often it comes', async () => {
    const { cache, l2 } = startNode();
    const invalidated: unknown[] = [];
    cache.on('invalidated', (detail) => invalidated.push(detail));
    await cache.setMany([
      ['k', 7, { tags: ['a'] }],
      ['j', 8],
    ]);
    const floor = { scope: 'tag', subject: 'a', hlc: hlc(NOW_MS, 60_000) } as const;
    l2.announce({ kind: 'floor', floor });
    l2.announce({ kind: 'floor', floor });
    expect([cache.peek('k'), cache.peek('j')]).toEqual([undefined, 8]);
    expect(invalidated).toEqual([{ scope: 'tag', subject: 'a' }]);
  });

  it('distrusts a partition after a gap in it, and everything after a gap in all', async () => {
    const { cache, clock, l2 } = startNode();
    const missed: unknown[] = [];
    cache.on('changes-missed', (detail) => missed.push(detail));
    const keys = Array.from({ length: 64 }, (_, i) => `k${i}`);
    const lost = partitionOf('k0');
    await cache.setMany(keys.map((key) => [key, key] as const));
    const { calls, load } = slowSource<string>();
    const [inGap, outside] = [cache.getOrLoad(twin('k0'), load), cache.getOrLoad('k1 too', load)];
    await clock.advanceSettled(0);
    l2.announce({ kind: 'gap', partition: lost });
    for (const key of keys) expect(cache.peek(key)).toBe(partitionOf(key) === lost ? undefined : key);
    for (const { resolve } of calls) resolve('loaded');
    await Promise.all([inGap, outside]);
    expect([cache.peek(twin('k0')), cache.peek('k1 too')]).toEqual([undefined, 'loaded']);
    expect(await cache.get('k0')).toBe('k0');
    l2.announce({ kind: 'gap' });
    expect(keys.filter((key) => cache.peek(key) !== undefined)).toEqual([]);
    expect(missed).toEqual([{ partition: lost }, { partition: undefined }]);
  });

  it('is all that there is for who is alone, and for who has leases in every partition', () => {
    const alone = startNode(undefined, { tiers: [] }).cache;
    expect(alone.hearsAll).toBe(true);
    // Levels without a feed of entries, as peers are.
    expect(startNode().cache.hearsAll).toBe(false);
    const leases = new FeedLeases(true);
    const { cache, clock } = startNode(undefined, { feedLeases: leases });
    const renewAll = () => {
      for (const partition of leases.untilMs.keys()) leases.renew(partition, clock.monotonicMs());
    };
    expect(cache.hearsAll).toBe(false);
    renewAll();
    expect(cache.hearsAll).toBe(true);
    leases.untilMs[77] = clock.monotonicMs();
    expect(cache.hearsAll).toBe(false);
    renewAll();
    clock.advance(FEED_LEASE_MS);
    expect(cache.hearsAll).toBe(false);
  });
});

describe('events', () => {
  it('reach every listener, though another throws, until it stops listening', async () => {
    const { cache, thrown } = startNode();
    const heard: string[] = [];
    const failure = new Error('a listener');
    cache.on('changed', () => {
      throw failure;
    });
    const stop = cache.on('changed', ({ key, by }) => heard.push(`${key} ${by}`));
    await cache.set('k', 1);
    await cache.delete('k');
    stop();
    stop();
    await cache.set('k', 2);
    expect(heard).toEqual(['k here', 'k here']);
    expect(thrown).toEqual([failure, failure, failure]);
    expect(await cache.get('k')).toBe(2);
  });
});

describe('stats', () => {
  it('count reads by the level that answered', async () => {
    const { cache, local, l2 } = startNode();
    await cache.set('k', 1);
    await cache.get('k');
    cache.peek('k');
    local.drop('k');
    await cache.get('k');
    local.drop('k');
    l2.entries.delete('k');
    await cache.get('k');
    await cache.get('none');
    await cache.getOrLoad('loaded', () => 2);
    expect(cache.stats()).toMatchObject({
      nodeId: '000000000001',
      city: 'mumbai',
      reads: 6,
      hits: 4,
      misses: 2,
      l1HitRate: 2 / 6,
      l2HitRate: 1 / 6,
      l3HitRate: 1 / 6,
      overallHitRate: 4 / 6,
      loads: 1,
      levels: { local: { hits: 2, entries: 2 }, distributed: { hits: 1, misses: 3 }, peer: { hits: 1, misses: 2 } },
    });
    expect(startNode().cache.stats()).toMatchObject({ reads: 0, overallHitRate: 0, avgResponseTimeMs: 0 });
  });
});

describe('close', () => {
  it('waits for what goes on behind the callers, closes every level once, and refuses from then on', async () => {
    const node = startNode();
    const { cache, clock, l2, l3, released } = node;
    const hold = l2.hold('before write');
    expect(await cache.getOrLoad('k', () => 7)).toBe(7);
    await hold.arrived;
    const [first, second] = [cache.close(), cache.close()];
    await clock.advanceSettled(0);
    expect([l2.closed, released.count]).toEqual([false, 0]);
    hold.release();
    await Promise.all([first, second]);
    expect([l2.closed, l3.closed, released.count]).toEqual([true, true, 1]);
    expect(l2.entries.has('k')).toBe(true);
    const closed = expect.objectContaining({ code: 'closed' });
    const refusals = [
      cache.get('other'),
      cache.getMany(['other']),
      cache.getOrLoad('other', () => 1),
      cache.set('k', 1),
      cache.delete('k'),
      cache.clear(),
      cache.touch('k', 1),
      cache.has('other'),
    ].map((one) => one.catch((thrown: unknown) => thrown));
    expect(await Promise.all(refusals)).toEqual(refusals.map(() => closed));
    expect(clock.pending).toBe(0);
  });

  it('does not wait for a hung source beyond its deadline', async () => {
    const { cache, clock, released } = startNode();
    const loading = expect(cache.getOrLoad('k', () => new Promise(() => {}))).rejects.toThrow();
    await clock.advanceSettled(0);
    const closing = cache.close();
    await clock.advanceSettled(LOAD_MS);
    await Promise.all([loading, closing]);
    expect(released.count).toBe(1);
  });

  it('gives everything back even when a level cannot be closed', async () => {
    const { cache, l2, released } = startNode();
    l2.close = () => Promise.reject(new Error('stuck'));
    await expect(cache.close()).rejects.toThrow('stuck');
    expect(released.count).toBe(1);
  });
});

describe('a keyspace', () => {
  const define = (node: ReturnType<typeof startNode>, rows: Map<number, { id: number; at: number }>) =>
    node.cache.keyspace<number, { id: number; at: number }>({
      name: 'vehicle',
      key: (id) => `vehicle:${id}`,
      lifetime: ({ id }) => ({ ttl: id === 1 ? '10s' : '1h' }),
      tags: (id) => [`vehicle:${id}`],
      version: ({ at }) => at,
      load: async (ids) => new Map(ids.flatMap((id) => (rows.has(id) ? [[id, rows.get(id)!] as const] : []))),
      absentTtl: '1s',
    });

  it('loads what is missing in one call, and keeps each value as it says', async () => {
    const node = startNode();
    const rows = new Map([1, 2, 3].map((id) => [id, { id, at: NOW_MS - id }]));
    const vehicles = define(node, rows);
    expect(await vehicles.warm([1, 2])).toBe(2);
    expect(await vehicles.warm([1, 2, 3, 4])).toBe(1);
    expect([...(await vehicles.getMany([3, 4, 1, 3])).keys()].sort()).toEqual([1, 3]);
    expect([await vehicles.get(2), await vehicles.get(4)]).toEqual([rows.get(2), undefined]);
    const info = await node.cache.getEntry('vehicle:1');
    expect(info).toMatchObject({ ttlMs: 10_000, tags: ['vehicle:1'] });
    expect(info?.version.slice(0, 12)).toBe((NOW_MS - 1).toString(16).padStart(12, '0'));
    expect(await vehicles.refresh([1, 4])).toBe(1);
    await vehicles.set(4, { id: 4, at: NOW_MS + 1 });
    expect(await vehicles.get(4)).toEqual({ id: 4, at: NOW_MS + 1 });
    await vehicles.delete(4);
    await node.clock.advanceSettled(1);
    expect(await vehicles.get(4)).toBeUndefined();
  });

  it('rejects when its key, version or lifetime throws, and refuses to be made without a name', async () => {
    const node = startNode(sharedLevels());
    const bad = node.cache.keyspace<number, number>({
      name: 'bad',
      key: (id) => {
        throw new RangeError(`${id} is no id`);
      },
    });
    for (const ask of [
      () => bad.get(1),
      () => bad.getMany([1]),
      () => bad.set(1, 1),
      () => bad.delete(1),
      () => bad.warm([1]),
    ]) {
      let given: Promise<unknown> | undefined;
      expect(() => {
        given = ask();
      }).not.toThrow();
      await expect(given).rejects.toThrow(RangeError);
    }
    const wanted = expect.objectContaining({ code: 'invalid-options', field: 'name' });
    expect(() => node.cache.keyspace({ name: '', key: String })).toThrow(wanted);
  });
});

/** Another key of the partition of `key`. */
function twin(key: string): string {
  for (let i = 0; ; i++) if (partitionOf(`${key} ${i}`) === partitionOf(key)) return `${key} ${i}`;
}
