import { describe, expect, it } from 'vitest';
import { partitionOf } from '../../src/core/key.js';
import { sharedLevels, startNode, TTL_MS } from './cache-under-test.js';

const key = 'vehicle:1:location';
const gap = { kind: 'gap', partition: partitionOf(key) } as const;
const position = { lat: 19.07, lon: 72.87 };
const out = new Error('out');

describe('a copy from before a gap', () => {
  it('is the very value again when L2 has the same version, without being stored or loaded', async () => {
    const { cache, l2, l3 } = startNode();
    await cache.set(key, position);
    const before = cache.peek(key);
    l2.announce(gap);
    l2.asked.length = 0;
    l3.asked.length = 0;
    expect(cache.peek(key)).toBeUndefined();
    expect(await cache.getOrLoad(key, () => expect.unreachable())).toBe(before);
    expect([cache.peek(key), await cache.get(key)]).toEqual([position, position]);
    expect(cache.peek(key)).toBe(before);
    expect([l2.asked, l3.asked]).toEqual([[`read ${key}`], []]);
  });

  it('is the very value again when L2 says that it has the same, and sends none', async () => {
    const { cache, l2 } = startNode();
    l2.saysSame = true;
    await cache.set(key, position);
    const before = cache.peek(key);
    l2.announce(gap);
    expect(await cache.get(key)).toBe(before);
    expect(cache.peek(key)).toBe(before);
    expect(cache.stats().levels.distributed?.hits).toBe(1);
  });

  it('is the answer even when memory has let go of it by the time that L2 confirms it, and is not kept', async () => {
    const { cache, clock, l2, l3, local } = startNode();
    l2.saysSame = true;
    await cache.set(key, position);
    local.doubt();
    const hold = l2.hold('after read');
    const reading = cache.getOrLoad(key, () => expect.unreachable());
    await hold.arrived;
    local.drop(key);
    hold.release();
    expect(await reading).toEqual(position);
    await clock.advanceSettled(0);
    expect([local.find(key), l3.asked.length]).toEqual([undefined, 1]);
    expect(await cache.get(key)).toEqual(position);
  });

  it('is sent anew where L2 has another fill of it', async () => {
    const { cache, clock, l2, local } = startNode();
    l2.saysSame = true;
    await cache.set(key, position);
    await clock.advanceSettled(1);
    local.doubt();
    const entry = l2.entries.get(key);
    if (entry !== undefined) l2.entries.set(key, { ...entry, fillStart: { ms: clock.wallMs(), counter: 0 } });
    expect(await cache.get(key)).toEqual(position);
    expect(local.find(key)).toMatchObject({ trusted: true, entry: { fillStart: { ms: clock.wallMs() } } });
  });

  it('is confirmed in one batch with the others that are asked for together', async () => {
    const { cache, l2 } = startNode();
    const keys = Array.from({ length: 50 }, (_, i) => `vehicle:${i}`);
    await cache.setMany(keys.map((one) => [one, { id: one }] as const));
    const before = keys.map((one) => cache.peek(one));
    l2.announce({ kind: 'gap' });
    l2.asked.length = 0;
    const found = await cache.getMany<object>(keys);
    keys.forEach((one, i) => {
      expect(found.get(one)).toBe(before[i]);
      expect(cache.peek(one)).toBe(before[i]);
    });
    expect(l2.asked).toEqual([`read ${keys.join()}`]);
  });

  it('is replaced by a set of which the gap has swallowed the news', async () => {
    const shared = sharedLevels();
    const [a, b] = [startNode(shared), startNode(shared, { origin: 2, withFeed: false })];
    await a.cache.set(key, 'old');
    expect(await b.cache.get(key)).toBe('old');
    await shared.clock.advanceSettled(1);
    await a.cache.set(key, 'new');
    expect(b.cache.peek(key)).toBe('old');
    b.local.doubt(gap.partition);
    expect(b.cache.peek(key)).toBeUndefined();
    expect(await b.cache.getEntry(key)).toMatchObject({ value: 'new', stale: false });
    expect(b.cache.peek(key)).toBe('new');
  });

  it('is gone after a delete of which the gap has swallowed the news, and does not come back', async () => {
    const shared = sharedLevels();
    const [a, b] = [startNode(shared), startNode(shared, { origin: 2, withFeed: false })];
    await a.cache.set(key, 'deleted');
    expect(await b.cache.get(key)).toBe('deleted');
    await shared.clock.advanceSettled(1);
    await a.cache.delete(key);
    b.local.doubt();
    expect(await b.cache.get(key)).toBeUndefined();
    shared.l2.failing = out;
    shared.l3.failing = out;
    expect(await b.cache.getEntry(key)).toBeUndefined();
    [shared.l2.failing, shared.l3.failing] = [undefined, undefined];
    await shared.clock.advanceSettled(1);
    expect(await b.cache.getOrLoad(key, () => 'current')).toBe('current');
    await shared.clock.advanceSettled(1);
    expect([await a.cache.get(key), await b.cache.get(key)]).toEqual(['current', 'current']);
  });

  it('is not confirmed by an answer that was on its way when the gap came', async () => {
    const { cache, l2, local } = startNode();
    await cache.set(key, position);
    local.doubt();
    const hold = l2.hold('after read');
    const reading = cache.get(key);
    await hold.arrived;
    l2.announce(gap);
    hold.release();
    expect(await reading).toEqual(position);
    expect([cache.peek(key), local.find(key)?.trusted]).toEqual([undefined, false]);
  });
});

describe('a copy from before a gap, while L2 does not answer', () => {
  const cutOff = async (options: object = {}) => {
    const node = startNode();
    await node.cache.set(key, 'held', options);
    node.l2.announce(gap);
    node.l2.failing = out;
    node.l3.failing = out;
    return node;
  };

  it('stands in within its TTL, marked stale, and spares the source', async () => {
    const { cache, l2, l3 } = await cutOff();
    expect(await cache.getOrLoad(key, () => expect.unreachable())).toBe('held');
    expect(await cache.getEntry(key)).toMatchObject({ value: 'held', level: 'local', stale: true });
    expect(cache.stats().staleServed).toBe(2);
    expect(cache.peek(key)).toBeUndefined();
    [l2.failing, l3.failing] = [undefined, undefined];
    expect(await cache.getEntry(key)).toMatchObject({ value: 'held', stale: false });
    expect(cache.peek(key)).toBe('held');
  });

  it('stands in past its TTL only for a source that fails, and only as long as it may', async () => {
    const { cache, clock } = await cutOff({ staleIfError: 2 * TTL_MS });
    await clock.advanceSettled(TTL_MS);
    let loads = 0;
    const load = () => {
      loads += 1;
      throw new Error('the source is out');
    };
    expect(await cache.getOrLoad(key, load)).toBe('held');
    expect([loads, cache.stats().staleServed]).toEqual([1, 1]);
    expect(await cache.getEntry(key)).toMatchObject({ value: 'held', stale: true });
    await clock.advanceSettled(2 * TTL_MS);
    await expect(cache.getOrLoad(key, load)).rejects.toMatchObject({ code: 'load-failed' });
  });

  it('is loaded once past its TTL when the source works', async () => {
    const { cache, clock } = await cutOff({ staleIfError: 2 * TTL_MS });
    await clock.advanceSettled(TTL_MS);
    let loads = 0;
    const load = async () => {
      loads += 1;
      return 'loaded';
    };
    const given = await Promise.all([1, 2, 3].map(() => cache.getOrLoad(key, load)));
    expect([given, loads, cache.stats().staleServed]).toEqual([['loaded', 'loaded', 'loaded'], 1, 0]);
    expect(cache.peek(key)).toBe('loaded');
  });

  it('is not made to last longer by a touch, nor trusted again', async () => {
    const { cache, local } = await cutOff();
    expect(await cache.touch(key, '1h')).toBe(false);
    expect([cache.peek(key), local.find(key)?.trusted]).toEqual([undefined, false]);
  });
});

describe('a copy from before a gap that L2 has lost', () => {
  it('is loaded again; it stands in, marked stale, when the source fails', async () => {
    const { cache, l2, l3 } = startNode();
    await cache.set(key, 'held');
    l2.announce(gap);
    l2.entries.clear();
    l3.entries.clear();
    const failing = () => Promise.reject(out);
    expect(await cache.getOrLoad(key, failing)).toBe('held');
    expect(cache.stats().staleServed).toBe(1);
    expect(await cache.get(key)).toBeUndefined();
  });

  it('stands in, marked stale, for something older', async () => {
    const shared = sharedLevels();
    const { cache, clock, l2, l3 } = startNode(shared);
    await cache.set(key, 'older');
    const older = l2.entries.get(key);
    await clock.advanceSettled(1);
    await cache.set(key, 'held');
    for (const tier of [l2, l3]) if (older !== undefined) tier.entries.set(key, older);
    l2.announce(gap);
    expect(await cache.getEntry(key)).toMatchObject({ value: 'held', stale: true });
  });
});
