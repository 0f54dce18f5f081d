import { describe, expect, it } from 'vitest';
import { NO_LOCAL } from '../../src/core/no-local.js';
import type { Tier } from '../../src/core/tier.js';
import { type CacheUnderTest, sharedLevels, slowSource, startNode } from './cache-under-test.js';

const key = 'vehicle:1:location';
const out = new Error('out');

/** L3 as it is when everybody asks for everything. */
function crowded(tier: Tier, { lent = true } = {}): Tier {
  return {
    level: tier.level,
    read: async (keys, call) =>
      (await tier.read(keys, call)).map((outcome) =>
        outcome.kind === 'found' ? { ...outcome, hot: true, lent } : outcome,
      ),
    write: (writes, call) => tier.write(writes, call),
    close: () => tier.close(),
  };
}

/** Two nodes whose Redis is out, the second of which has a key that everybody asks for from an owner. */
async function startReader(change: Parameters<typeof startNode>[1] = {}, said = {}) {
  const shared = sharedLevels();
  const writer = startNode(shared);
  const tiers = [shared.l2, crowded(shared.l3, said)];
  const reader = startNode(shared, { origin: 2, withFeed: false, tiers, ...change });
  shared.l2.failing = out;
  await writer.cache.set(key, 'first');
  return { ...shared, writer, reader };
}

function reads({ asked }: { readonly asked: readonly string[] }): number {
  return asked.filter((one) => one.startsWith('read')).length;
}

async function readEntry({ cache }: CacheUnderTest) {
  const found = await cache.getEntry(key);
  return found && { value: found.value, stale: found.stale };
}

describe('while Redis is out, a key that everybody asks for', () => {
  it('is asked of its owner once in 0.8 s, whoever asks for it and how, and is marked stale', async () => {
    const { reader, l3, clock } = await startReader();
    expect(await readEntry(reader)).toEqual({ value: 'first', stale: true });
    for (let i = 0; i < 7; i++) {
      await clock.advanceSettled(100);
      expect(await readEntry(reader)).toEqual({ value: 'first', stale: true });
      expect(await reader.cache.getOrLoad(key, () => expect.unreachable())).toBe('first');
      expect(await reader.cache.getMany([key])).toEqual(new Map([[key, 'first']]));
    }
    expect([reads(l3), reader.cache.stats().hotAnswers]).toEqual([1, 1]);
    await clock.advanceSettled(100);
    expect(await reader.cache.get(key)).toBe('first');
    expect(reads(l3)).toBe(2);
  });

  it('is never older than what had been acknowledged 0.8 s before, however long the owner took to answer', async () => {
    const { writer, reader, l3, clock } = await startReader();
    const hold = l3.hold('after read');
    const reading = reader.cache.get(key);
    await hold.arrived;
    await clock.advanceSettled(500);
    await writer.cache.set(key, 'second');
    hold.release();
    expect(await reading).toBe('first');
    await clock.advanceSettled(299);
    expect(await reader.cache.get(key)).toBe('first');
    await clock.advanceSettled(1);
    expect(await reader.cache.get(key)).toBe('second');
  });

  it('is asked for again once this node itself has written or deleted it', async () => {
    const { reader, clock } = await startReader();
    expect(await reader.cache.get(key)).toBe('first');
    await clock.advanceSettled(1);
    await reader.cache.set(key, 'own');
    expect(await reader.cache.get(key)).toBe('own');
    await clock.advanceSettled(1);
    await reader.cache.delete(key);
    expect(await reader.cache.get(key)).toBeUndefined();
  });

  it('is asked for again once this node knows of an invalidation', async () => {
    const { reader, l3, clock } = await startReader();
    expect(await reader.cache.get(key)).toBe('first');
    await clock.advanceSettled(1);
    await reader.cache.deleteByPattern('vehicle:*:location');
    expect(await reader.cache.get(key)).toBeUndefined();
    expect(reads(l3)).toBe(2);
  });

  it('is asked for again once a floor was raised of which no flight was told', async () => {
    const { reader, clock } = await startReader();
    expect(await reader.cache.get(key)).toBe('first');
    await clock.advanceSettled(1);
    reader.floors.raise({ scope: 'all', subject: '', hlc: reader.hlc.late() });
    expect(await reader.cache.get(key)).toBeUndefined();
  });

  it('goes back to nothing older once a refresh has brought something newer', async () => {
    const { reader, l3, clock } = await startReader();
    expect(await reader.cache.get(key)).toBe('first');
    await clock.advanceSettled(1);
    expect(await reader.cache.getOrLoad(key, () => 'second', { refresh: true })).toBe('second');
    await clock.advanceSettled(1);
    reader.local.drop(key);
    expect(await reader.cache.get(key)).toBe('second');
    expect(reads(l3)).toBe(2);
  });

  it('is asked for each time when a write came by while the owner answered', async () => {
    const { reader, l3 } = await startReader();
    const hold = l3.hold('after read');
    const reading = reader.cache.get(key);
    await hold.arrived;
    await reader.cache.set(key, 'own');
    hold.release();
    expect(await reading).toBe('first');
    expect(await reader.cache.get(key)).toBe('own');
  });

  it('ends with its time to live', async () => {
    const { writer, reader, clock } = await startReader();
    await writer.cache.set(key, 'short', { ttl: 300 });
    expect(await reader.cache.get(key)).toBe('short');
    await clock.advanceSettled(300);
    expect(await reader.cache.get(key)).toBeUndefined();
  });

  it('is asked for each time where its owners are changing, and where nothing is kept in memory', async () => {
    const changing = await startReader({}, { lent: false });
    const without = await startReader({ local: NO_LOCAL });
    for (const { reader, l3 } of [changing, without]) {
      for (let i = 0; i < 3; i++) expect(await readEntry(reader)).toEqual({ value: 'first', stale: true });
      expect(reads(l3)).toBe(3);
    }
  });

  it('is not lent while Redis answers: memory has it, vouched for by the feed', async () => {
    const { reader, l2, l3, clock } = await startReader();
    l2.failing = undefined;
    expect(await readEntry(reader)).toEqual({ value: 'first', stale: false });
    await clock.advanceSettled(10_000);
    expect(await readEntry(reader)).toEqual({ value: 'first', stale: false });
    expect(reads(l3)).toBe(1);
    reader.local.drop(key);
    l2.failing = out;
    expect(await readEntry(reader)).toEqual({ value: 'first', stale: true });
  });
});

describe('where nobody tells a node what others write', () => {
  /** Nodes of a city that never had a Redis. */
  function startPair() {
    const shared = sharedLevels();
    const tiers = [shared.l3];
    const parts = { tiers, withFeed: false, untold: true };
    return { ...shared, a: startNode(shared, parts), b: startNode(shared, { ...parts, origin: 2 }) };
  }

  it('what it has loaded is in its memory once the owners have it', async () => {
    const { a, l3, clock } = startPair();
    const hold = l3.hold('before write');
    expect(await a.cache.getOrLoad(key, () => 'loaded')).toBe('loaded');
    await hold.arrived;
    expect(a.cache.peek(key)).toBeUndefined();
    hold.release();
    await clock.advanceSettled(0);
    expect(a.cache.peek(key)).toBe('loaded');
  });

  it('what was deleted elsewhere while it was loaded never is', async () => {
    const { a, b, l3, clock } = startPair();
    const source = slowSource<string>();
    const loading = a.cache.getOrLoad(key, source.load);
    await clock.advanceSettled(10);
    await b.cache.delete(key);
    const hold = l3.hold('before write');
    source.calls[0]?.resolve('deleted');
    expect(await loading).toBe('deleted');
    expect(await a.cache.get(key)).toBeUndefined();
    hold.release();
    await clock.advanceSettled(10);
    expect([a.cache.peek(key), await a.cache.get(key)]).toEqual([undefined, undefined]);
  });

  it('what took long to come is not kept, for writes may have passed it', async () => {
    const { a, b, l3, clock } = startPair();
    await b.cache.set(key, 'first');
    for (const [tookMs, kept] of [
      [101, undefined],
      [100, 'first'],
    ] as const) {
      const hold = l3.hold('after read');
      const reading = a.cache.get(key);
      await hold.arrived;
      await clock.advanceSettled(tookMs);
      hold.release();
      expect(await reading).toBe('first');
      expect(a.cache.peek(key)).toBe(kept);
    }
  });

  it('what the owners took long to take is not kept either', async () => {
    const { a, l3, clock } = startPair();
    const hold = l3.hold('after write');
    await a.cache.getOrLoad(key, () => 'loaded');
    await hold.arrived;
    await clock.advanceSettled(101);
    hold.release();
    await clock.advanceSettled(0);
    expect(a.cache.peek(key)).toBeUndefined();
    expect(await a.cache.get(key)).toBe('loaded');
  });
});

describe('what was loaded while Redis does not answer', () => {
  it('is not served again when another node has deleted it meanwhile, though the feed still vouches for this one', async () => {
    const shared = sharedLevels();
    const [a, b] = [startNode(shared), startNode(shared, { origin: 2, withFeed: false })];
    shared.l2.failing = out;
    const source = slowSource<string>();
    const loading = a.cache.getOrLoad(key, source.load);
    await shared.clock.advanceSettled(10);
    await b.cache.delete(key);
    const hold = shared.l3.hold('before write');
    source.calls[0]?.resolve('deleted');
    expect(await loading).toBe('deleted');
    expect(a.cache.peek(key)).toBeUndefined();
    hold.release();
    await shared.clock.advanceSettled(10);
    expect(await a.cache.get(key)).toBeUndefined();
  });

  it('is kept in memory when the peers do not answer either', async () => {
    const { cache, l2, l3, clock } = startNode();
    [l2.failing, l3.failing] = [out, out];
    expect(await cache.getOrLoad(key, () => 'loaded')).toBe('loaded');
    await clock.advanceSettled(1);
    expect(cache.peek(key)).toBe('loaded');
  });
});
