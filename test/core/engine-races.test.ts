import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/core/engine.js';
import { LOAD_MS, sharedLevels, slowSource, startNode } from './cache-under-test.js';
import { deletion, NOW_MS, valueEntry } from './entries.js';

const invalidations: [string, (cache: Engine) => Promise<unknown>][] = [
  ['delete', (cache) => cache.delete('vehicle:trips:42:1')],
  ['a tag', (cache) => cache.deleteByTag('vehicle:42')],
  ['a pattern', (cache) => cache.deleteByPattern('vehicle:trips:42:*')],
  ['clear', (cache) => cache.clear()],
];
const key = 'vehicle:trips:42:1';
const tags = ['vehicle:42'];

describe('a set while a slower level is read (S1)', () => {
  it('is what is read afterwards, and the older value is kept nowhere', async () => {
    const { cache, clock, l2, l3, local } = startNode();
    // 1. L2 has the old value, this process does not
    await cache.set(key, 'old');
    local.drop(key);
    // 2. a read asks L2; the answer is on its way
    const hold = l2.hold('after read');
    const reading = cache.get(key);
    await hold.arrived;
    // 3. a set here is stored and acknowledged
    await clock.advanceSettled(1);
    await cache.set(key, 'new');
    // 4. a read that begins now does not join the old one
    expect(await cache.get(key)).toBe('new');
    // 5. the answer arrives
    hold.release();
    expect(['old', 'new']).toContain(await reading);
    await clock.advanceSettled(0);
    expect(cache.peek(key)).toBe('new');
    for (const tier of [l2, l3]) expect(new TextDecoder().decode(tier.entries.get(key)?.payload)).toBe('"new"');
  });

  it('is not undone by the answer even when this process has no room for either', async () => {
    const { cache, clock, l2, local } = startNode(sharedLevels(), { withFeed: false });
    await cache.set(key, 'old');
    // 1. no room: the new value is not kept here
    local.hasRoom = false;
    await clock.advanceSettled(1);
    // 2. the set is on its way to L2; there is room again
    const writeHold = l2.hold('before write');
    const setting = cache.set(key, 'new');
    await writeHold.arrived;
    local.hasRoom = true;
    // 3. a read begins, and L2 answers with the old value, kept here
    expect(await cache.get(key)).toBe('old');
    expect(cache.peek(key)).toBe('old');
    // 4. another begins, and is still on its way when the set is acknowledged
    local.drop(key);
    const readHold = l2.hold('after read');
    const reading = cache.get(key);
    await readHold.arrived;
    // 5. the set is acknowledged
    writeHold.release();
    await setting;
    expect(cache.peek(key)).toBeUndefined();
    readHold.release();
    await reading;
    await clock.advanceSettled(0);
    expect(await cache.get(key)).toBe('new');
  });

  it('from another node drops what an older read keeps here, whichever comes first', async () => {
    const shared = sharedLevels();
    const [a, b] = [startNode(shared), startNode(shared, { origin: 2 })];
    await a.cache.set(key, 'old');
    for (const order of ['change first', 'answer first']) {
      b.local.drop(key);
      const deliver = shared.l2.delayFeed();
      const hold = shared.l2.hold('after read');
      const reading = b.cache.get(key);
      await hold.arrived;
      await shared.clock.advanceSettled(1);
      await a.cache.set(key, `new, ${order}`);
      if (order === 'change first') deliver();
      hold.release();
      await reading;
      if (order === 'answer first') deliver();
      expect(await b.cache.get(key)).toBe(`new, ${order}`);
    }
  });

  it('reaches a read that a load has taken the place of', async () => {
    const shared = sharedLevels();
    const [a, b] = [startNode(shared), startNode(shared, { origin: 2 })];
    await a.cache.set(key, 'old');
    b.local.drop(key);
    // 1. b reads: the old answer is on its way
    const hold = shared.l2.hold('after read');
    const reading = b.cache.get(key);
    await hold.arrived;
    // 2. b loads: a flight of its own, for the first one asks no source; it ends
    const loaded = await b.cache.getOrLoad(key, () => 'loaded');
    expect(loaded).toBe('old');
    // 3. a sets; b hears of it
    await shared.clock.advanceSettled(1);
    await a.cache.set(key, 'new');
    // 4. the old answer arrives
    hold.release();
    await reading;
    expect(await b.cache.get(key)).toBe('new');
  });
});

describe.each(invalidations)('%s while a load is on its way (S2, S2t)', (_, invalidate) => {
  it('keeps the loaded value out of every level; who asked before gets it, who asks after loads anew', async () => {
    const { cache, clock, l2, l3 } = startNode();
    const { calls, load } = slowSource<string>();
    const before = cache.getOrLoad(key, load, { tags });
    await clock.advanceSettled(5);
    await invalidate(cache);
    const after = cache.getOrLoad(key, load, { tags });
    await clock.advanceSettled(5);
    expect(calls).toHaveLength(2);
    calls[0]?.resolve('deleted');
    expect(await before).toBe('deleted');
    await clock.advanceSettled(0);
    expect(cache.peek(key)).toBeUndefined();
    calls[1]?.resolve('current');
    expect(await after).toBe('current');
    await clock.advanceSettled(0);
    expect(cache.peek(key)).toBe('current');
    for (const tier of [l2, l3]) expect(new TextDecoder().decode(tier.entries.get(key)?.payload)).toBe('"current"');
  });

  it('on another node keeps it out as well, once its change has come (S2x)', async () => {
    const shared = sharedLevels();
    const nodes = [1, 2, 3].map((origin) => startNode(shared, { origin }));
    const [a, b] = nodes;
    const { calls, load } = slowSource<string>();
    const before = a!.cache.getOrLoad(key, load, { tags });
    await shared.clock.advanceSettled(5);
    await invalidate(b!.cache);
    const after = a!.cache.getOrLoad(key, load, { tags });
    await shared.clock.advanceSettled(5);
    expect(calls).toHaveLength(2);
    calls[1]?.reject(new Error('out'));
    await expect(after).rejects.toMatchObject({ code: 'load-failed' });
    calls[0]?.resolve('deleted');
    expect(await before).toBe('deleted');
    await shared.clock.advanceSettled(0);
    for (const { cache } of nodes) expect(await cache.get(key)).toBeUndefined();
    for (const { cache } of nodes) {
      expect(await cache.getOrLoad(key, () => 'current', { tags })).toBe('current');
    }
  });
});

describe('a delete on another node while a load is on its way (S2x)', () => {
  it('is known by the shared level alone when its change is lost: the fill is refused and the copy here dropped', async () => {
    const shared = sharedLevels();
    const [a, b] = [startNode(shared), startNode(shared, { origin: 2 })];
    const { calls, load } = slowSource<string>();
    const before = a.cache.getOrLoad(key, load);
    await shared.clock.advanceSettled(5);
    shared.l2.delayFeed();
    await b.cache.delete(key);
    // However late the source answers: what counts is when it was asked.
    await shared.clock.advanceSettled(5);
    calls[0]?.resolve('deleted');
    expect(await before).toBe('deleted');
    await shared.clock.advanceSettled(0);
    expect(a.cache.peek(key)).toBeUndefined();
    expect([shared.l2, shared.l3].map((tier) => tier.entries.get(key)?.kind)).toEqual(['tombstone', 'tombstone']);
    for (const { cache } of [a, b]) expect(await cache.get(key)).toBeUndefined();
  });

  it('is heard of even where an earlier delete left a tombstone', async () => {
    const shared = sharedLevels();
    const [a, b] = [startNode(shared), startNode(shared, { origin: 2 })];
    // 1. a deletes, and keeps the tombstone; 2. a loads anew
    await a.cache.delete(key);
    const { calls, load } = slowSource<string>();
    const loading = a.cache.getOrLoad(key, load);
    await shared.clock.advanceSettled(5);
    // 3. b deletes; 4. the load ends while no level can refuse what it brought
    await b.cache.delete(key);
    [shared.l2.failing, shared.l3.failing] = [new Error('out'), new Error('out')];
    calls[0]?.resolve('deleted');
    expect(await loading).toBe('deleted');
    await shared.clock.advanceSettled(0);
    expect(a.cache.peek(key)).toBeUndefined();
  });

  it('wins over a load whose node has a slower clock, in the shared level', async () => {
    const shared = sharedLevels();
    const [a, b] = [startNode(shared), startNode(shared, { origin: 2 })];
    b.hlc.receive({ ms: shared.clock.wallMs() + 300, counter: 0 });
    await b.cache.delete(key);
    // The source is asked after the delete; b's clock makes it look as if it were before. The caller has its answer.
    expect(await a.cache.getOrLoad(key, () => 'current')).toBe('current');
    await shared.clock.advanceSettled(0);
    expect(shared.l2.entries.get(key)?.kind).toBe('tombstone');
    await shared.clock.advanceSettled(301);
    expect(await a.cache.getOrLoad(key, () => 'current')).toBe('current');
    await shared.clock.advanceSettled(0);
    expect(shared.l2.entries.get(key)?.kind).toBe('value');
  });
});

it('a load waits until the time has surely come past a delete here, so that a later one elsewhere refuses it', async () => {
  const shared = sharedLevels();
  shared.clock.uncertainMs = 10;
  const [a, b] = [startNode(shared), startNode(shared, { origin: 2 })];
  shared.l2.delayFeed();
  // 1. a deletes, and loads at once: its fill is dated after the fence, which lies ahead
  await a.cache.delete(key);
  const { calls, load } = slowSource<string>();
  const loading = a.cache.getOrLoad(key, load);
  await shared.clock.advanceSettled(15);
  expect(calls).toHaveLength(0);
  // 2. the time has come: the source is asked; 3. b deletes, and a does not hear of it
  await shared.clock.advanceSettled(10);
  expect(calls).toHaveLength(1);
  await b.cache.delete(key);
  // 4. the source answers
  calls[0]?.resolve('deleted');
  expect(await loading).toBe('deleted');
  await shared.clock.advanceSettled(0);
  expect(shared.l2.entries.get(key)?.kind).toBe('tombstone');
  expect(a.cache.peek(key)).toBeUndefined();
});

it('a set while a stale copy is refreshed wins over the refresh', async () => {
  const { cache, clock, l2 } = startNode();
  const { calls, load } = slowSource<string>();
  await cache.set(key, 'old', { ttl: '10s', staleWhileRevalidate: '1h' });
  await clock.advanceSettled(10_000);
  expect(await cache.getOrLoad(key, load)).toBe('old');
  await cache.set(key, 'new');
  calls[0]?.resolve('refreshed');
  await clock.advanceSettled(LOAD_MS);
  expect(cache.peek(key)).toBe('new');
  expect(new TextDecoder().decode(l2.entries.get(key)?.payload)).toBe('"new"');
});

it('a value that was filled at the very moment of a delete known here is not taken from a slower level', async () => {
  const { cache, l2, l3, local } = startNode();
  local.put(key, deletion(NOW_MS), 'set');
  for (const { entries } of [l2, l3]) entries.set(key, valueEntry(NOW_MS));
  expect(await cache.get(key)).toBeUndefined();
  for (const { entries } of [l2, l3]) entries.set(key, valueEntry(NOW_MS + 1));
  expect(await cache.get(key)).toBe(`value ${NOW_MS + 1}`);
});

it('a deleted value does not come back from a level that missed the delete', async () => {
  const { cache, clock, l2, l3, local } = startNode();
  await cache.set(key, 'old');
  l3.failing = new Error('out');
  await clock.advanceSettled(1);
  await cache.delete(key);
  l3.failing = undefined;
  local.drop(key);
  expect(await cache.get(key)).toBeUndefined();
  expect(await cache.getOrLoad(key, () => 'current')).toBe('current');
  await clock.advanceSettled(0);
  // L3 is asked alone now: what was loaded has replaced what it had.
  l2.failing = new Error('out');
  local.drop(key);
  expect(await cache.get(key)).toBe('current');
});

describe('a set just after a delete on another node', () => {
  it('is stored, though by the clocks it might have come before', async () => {
    const shared = sharedLevels();
    shared.clock.uncertainMs = 5;
    const [a, b] = [startNode(shared), startNode(shared, { origin: 2 })];
    await a.cache.set(key, 'old');
    await a.cache.delete(key);
    expect(await b.cache.set(key, 'new')).toMatchObject({ local: 'stored', distributed: 'stored', peer: 'stored' });
    expect(await a.cache.get(key)).toBe('new');
    expect(await b.cache.get(key)).toBe('new');
  });

  it('stays refused when it was issued for certain before the delete, and only came late', async () => {
    const shared = sharedLevels();
    const [a, b] = [startNode(shared), startNode(shared, { origin: 2 })];
    const hold = shared.l2.hold('before write');
    const late = b.cache.set(key, 'late', { deadline: 1_000 });
    await shared.clock.advanceSettled(500);
    await a.cache.delete(key);
    hold.release();
    expect(await late).toMatchObject({ distributed: 'superseded' });
    expect(await a.cache.get(key)).toBeUndefined();
    expect(await b.cache.get(key)).toBeUndefined();
  });
});
