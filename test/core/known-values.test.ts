import { describe, expect, it } from 'vitest';
import type { Known } from '../../src/core/cache.js';
import { sharedLevels, startNode, TTL_MS } from './cache-under-test.js';

interface Status {
  readonly fuelPercent: number;
  readonly at: number;
}
type Asked = { readonly id: string; readonly held: Status | undefined };

/** A node whose source answers with what is known where its row says the same; it can be made to wait before it does. */
function openStatuses(shared = sharedLevels(), origin = 1) {
  const node = startNode(shared, { origin });
  const rows = new Map<string, Status>([['42', { fuelPercent: 61, at: 1_000 }]]);
  const asked: Asked[] = [];
  const source = { wait: Promise.resolve() };
  const statuses = node.cache.keyspace<'vehicle:status:{vehicleId}', Status>({
    name: 'status',
    key: 'vehicle:status:{vehicleId}',
    lifetime: { ttl: TTL_MS, staleIfError: '1h' },
    tags: (id) => [`vehicle:${id}`],
    version: ({ at }) => at,
    load: async (ids, _call, known: Known<string, Status>) => {
      const found = new Map<string, Status>();
      for (const id of ids) {
        const held = known(id);
        asked.push({ id, held });
        const row = rows.get(id);
        if (row !== undefined) found.set(id, held?.at === row.at ? held : row);
      }
      await source.wait;
      return found;
    },
  });
  const key = statuses.key('42');
  return { ...node, rows, asked, source, statuses, key };
}

/** Loads a status and lets it expire. */
async function openExpired() {
  const node = openStatuses();
  await node.statuses.get('42');
  await node.clock.advanceSettled(TTL_MS + 1);
  node.asked.length = 0;
  return node;
}

/** Makes the source wait; `answer` lets it go on. */
function holdSource(source: { wait: Promise<void> }): () => void {
  let answer = () => {};
  source.wait = new Promise((resolve) => {
    answer = resolve;
  });
  return answer;
}

describe('a loader that answers with what is known', () => {
  it('is told of what has expired here, and its answer lives on as if it had been loaded', async () => {
    const { statuses, asked, cache, l2, l3, key, clock } = await openExpired();
    const before = await cache.getEntry(key);
    expect(before).toBeUndefined();
    expect(await statuses.get('42')).toEqual({ fuelPercent: 61, at: 1_000 });
    expect(asked).toEqual([{ id: '42', held: { fuelPercent: 61, at: 1_000 } }]);
    await clock.advanceSettled(0);
    const entry = await cache.getEntry(key);
    expect(entry).toMatchObject({ level: 'local', stale: false, ttlMs: TTL_MS, tags: ['vehicle:42'] });
    for (const tier of [l2, l3]) expect(tier.entries.get(key)?.freshUntilMs).toBe(clock.wallMs() + TTL_MS);
    await clock.advanceSettled(TTL_MS - 1);
    expect(cache.peek(key)).toEqual({ fuelPercent: 61, at: 1_000 });
    expect(asked).toHaveLength(1);
  });

  it('is told of what is still fresh when it is asked for a refresh', async () => {
    const { statuses, asked, cache, key, clock } = openStatuses();
    await statuses.get('42');
    await clock.advanceSettled(TTL_MS / 2);
    expect(await statuses.refresh(['42'])).toBe(1);
    expect(asked[1]?.held).toEqual({ fuelPercent: 61, at: 1_000 });
    expect((await cache.getEntry(key))?.ttlMs).toBe(TTL_MS);
  });

  it('brings what has changed, and nothing for what is gone', async () => {
    const { statuses, rows, cache, key, clock } = await openExpired();
    rows.set('42', { fuelPercent: 58, at: 2_000 });
    expect(await statuses.get('42')).toEqual({ fuelPercent: 58, at: 2_000 });
    await clock.advanceSettled(TTL_MS + 1);
    rows.delete('42');
    expect(await statuses.get('42')).toBeUndefined();
    expect(cache.peek(key)).toBeUndefined();
  });

  it('is told nothing of what was never here, was deleted or is below a floor', async () => {
    const { statuses, asked, cache, key, clock } = await openExpired();
    await statuses.get('7');
    await cache.deleteByTag('vehicle:42');
    await clock.advanceSettled(1);
    await statuses.get('42');
    await cache.delete(key);
    await clock.advanceSettled(1);
    await statuses.get('42');
    expect(asked.map(({ id, held }) => [id, held])).toEqual([
      ['7', undefined],
      ['42', undefined],
      ['42', undefined],
    ]);
  });
});

describe('what happens between the question and the answer "not modified"', () => {
  it('a write stays: what was known is not kept over it', async () => {
    const { statuses, source, cache, key, clock, l2 } = await openExpired();
    const answer = holdSource(source);
    const reading = statuses.get('42');
    await clock.advanceSettled(1);
    await statuses.set('42', { fuelPercent: 12, at: 3_000 });
    answer();
    await reading;
    await clock.advanceSettled(0);
    expect(cache.peek(key)).toEqual({ fuelPercent: 12, at: 3_000 });
    expect(new TextDecoder().decode(l2.entries.get(key)?.payload)).toContain('12');
  });

  it('a write of another node, unheard of here so far, stays too', async () => {
    const shared = sharedLevels();
    const [a, b] = [openStatuses(shared), openStatuses(shared, 2)];
    await a.statuses.get('42');
    await shared.clock.advanceSettled(TTL_MS + 1);
    const deliver = shared.l2.delayFeed();
    const answer = holdSource(a.source);
    const reading = a.statuses.get('42');
    await shared.clock.advanceSettled(1);
    await b.statuses.set('42', { fuelPercent: 12, at: 3_000 });
    answer();
    await reading;
    await shared.clock.advanceSettled(0);
    deliver();
    expect(await a.cache.get(a.key)).toEqual({ fuelPercent: 12, at: 3_000 });
    expect(await b.cache.get(b.key)).toEqual({ fuelPercent: 12, at: 3_000 });
  });

  it('a delete stays: what was known does not come back', async () => {
    const { statuses, source, cache, key, clock, l2, l3, rows } = await openExpired();
    const answer = holdSource(source);
    const reading = statuses.get('42');
    await clock.advanceSettled(1);
    rows.delete('42');
    await statuses.delete('42');
    answer();
    await reading;
    await clock.advanceSettled(0);
    expect(cache.peek(key)).toBeUndefined();
    for (const tier of [l2, l3]) expect(tier.entries.get(key)?.kind).toBe('tombstone');
    expect(await statuses.get('42')).toBeUndefined();
  });

  for (const [name, raise] of [
    ['a tag', 'deleteByTag'],
    ['a pattern', 'deleteByPattern'],
  ] as const) {
    it(`a floor of ${name} stays: what was known is kept nowhere above it`, async () => {
      const { statuses, source, asked, cache, key, clock, rows } = await openExpired();
      const answer = holdSource(source);
      const reading = statuses.get('42');
      await clock.advanceSettled(1);
      rows.set('42', { fuelPercent: 5, at: 4_000 });
      await cache[raise](raise === 'deleteByTag' ? 'vehicle:42' : 'vehicle:status:*');
      answer();
      await reading;
      await clock.advanceSettled(1);
      expect(cache.peek(key)).toBeUndefined();
      expect(await statuses.get('42')).toEqual({ fuelPercent: 5, at: 4_000 });
      expect(asked[1]?.held).toBeUndefined();
    });
  }

  it('a write does not change what the loader is told to be known', async () => {
    const { cache, clock } = startNode();
    const told: unknown[] = [];
    let answer = () => {};
    const wait = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const counts = cache.keyspace<'count:{id}', number>({
      name: 'count',
      key: 'count:{id}',
      load: async (ids, _call, known: Known<string, number>) => {
        told.push(known('1'));
        await wait;
        told.push(known('1'));
        return new Map(ids.map((id) => [id, known(id) ?? 0]));
      },
    });
    await counts.set('1', 10);
    const refreshing = counts.refresh(['1']);
    await clock.advanceSettled(1);
    await counts.set('1', 11);
    answer();
    await refreshing;
    expect(told).toEqual([10, 10]);
    expect(cache.peek('count:1')).toBe(11);
  });
});
