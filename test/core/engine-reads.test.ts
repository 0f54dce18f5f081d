import { describe, expect, it } from 'vitest';
import { startNode, TTL_MS } from './cache-under-test.js';
import { hlc, NOW_MS, valueEntry } from './entries.js';

const at = (ms: number) => NOW_MS + ms;

describe('get', () => {
  it('answers from the nearest level that has it, and gives it to the nearer ones that missed', async () => {
    const { cache, clock, l2, l3, local } = startNode();
    l3.entries.set('k', valueEntry(at(-5)));
    expect(cache.peek('k')).toBeUndefined();
    expect(await cache.get('k')).toBe(`value ${at(-5)}`);
    await clock.advanceSettled(0);
    expect(l2.entries.get('k')).toEqual(valueEntry(at(-5)));
    expect(local.find('k')?.entry.version).toEqual(valueEntry(at(-5)).version);
    expect(cache.peek('k')).toBe(`value ${at(-5)}`);
    expect([l2.asked, l3.asked]).toEqual([['read k', 'write k'], ['read k']]);
    await cache.get('k');
    expect([l2.asked.length, l3.asked.length]).toEqual([2, 1]);
  });

  it('fills neither the rungs that failed nor those that were skipped', async () => {
    const { cache, clock, l2, l3 } = startNode();
    l3.entries.set('k', valueEntry(at(-5)));
    l2.failing = new Error('out');
    expect(await cache.get('k')).toBe(`value ${at(-5)}`);
    l2.failing = undefined;
    l2.skipping = 'breaker-open';
    l3.entries.set('j', valueEntry(at(-5)));
    expect(await cache.get('j')).toBe(`value ${at(-5)}`);
    await clock.advanceSettled(0);
    expect(l2.asked).toEqual(['read k', 'read j']);
  });

  it('marks what a farther level says while a nearer one, that may know better, is out, and keeps nothing of it (S25)', async () => {
    for (const trouble of [{ failing: new Error('out') }, { skipping: 'breaker-open' as const }]) {
      const { cache, clock, l2, l3 } = startNode();
      l2.entries.set('k', valueEntry(at(-1)));
      l3.entries.set('k', valueEntry(at(-5)));
      Object.assign(l2, trouble);
      expect(await cache.getEntry('k')).toMatchObject({ value: `value ${at(-5)}`, level: 'peer', stale: true });
      await clock.advanceSettled(0);
      Object.assign(l2, { failing: undefined, skipping: undefined });
      expect(cache.peek('k')).toBeUndefined();
      expect(await cache.get('k')).toBe(`value ${at(-1)}`);
    }
  });

  it('keeps what remains of the TTL when it promotes (S6)', async () => {
    const { cache, clock, l3, l2 } = startNode();
    l3.entries.set('k', valueEntry(at(-5), { freshUntilMs: at(2_000) }));
    await cache.get('k');
    await clock.advanceSettled(1_999);
    expect(cache.peek('k')).toBe(`value ${at(-5)}`);
    expect(l2.entries.get('k')?.freshUntilMs).toBe(at(2_000));
    await clock.advanceSettled(1);
    expect(cache.peek('k')).toBeUndefined();
    expect(await cache.get('k')).toBeUndefined();
  });

  it('keeps every value that is not undefined, falsy ones too (S5)', async () => {
    const { cache, local } = startNode();
    for (const [key, value] of Object.entries({ zero: 0, empty: '', no: false, nothing: null })) {
      await cache.set(key, value);
      local.drop(key);
      expect(await cache.get(key)).toBe(value);
      expect(cache.peek(key)).toBe(value);
      expect(await cache.has(key)).toBe(true);
    }
  });

  it('is undefined, and no error, when every level is out', async () => {
    const { cache, l2, l3 } = startNode();
    l2.failing = new Error('out');
    l3.skipping = 'no-owner';
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.getMany(['k', 'j'])).toEqual(new Map());
    expect(await cache.has('k')).toBe(false);
    expect(cache.stats().levels).toMatchObject({ distributed: { errors: 4 }, peer: { skipped: 4 } });
  });

  it('is undefined at its deadline, and what comes later is kept all the same', async () => {
    const { cache, clock, l2 } = startNode();
    l2.entries.set('k', valueEntry(at(-5)));
    const hold = l2.hold('after read');
    const answer = cache.get('k', { deadline: 20 });
    await clock.advanceSettled(20);
    expect(await answer).toBeUndefined();
    hold.release();
    await clock.advanceSettled(0);
    expect(cache.peek('k')).toBe(`value ${at(-5)}`);
    expect(clock.pending).toBe(0);
  });

  it('of one who gives up rejects, and does not harm the others who wait for the same', async () => {
    const { cache, clock, l2 } = startNode();
    l2.entries.set('k', valueEntry(at(-5)));
    const hold = l2.hold('after read');
    const controller = new AbortController();
    const given = expect(cache.get('k', { signal: controller.signal })).rejects.toMatchObject({ code: 'aborted' });
    const short = cache.get('k', { deadline: 10 });
    const patient = cache.get('k');
    controller.abort();
    await given;
    await clock.advanceSettled(10);
    expect(await short).toBeUndefined();
    hold.release();
    expect(await patient).toBe(`value ${at(-5)}`);
    expect(l2.asked).toEqual(['read k']);
  });
});

describe('getMany', () => {
  it('asks each level once for what is open, each key once, and leaves out what is not there', async () => {
    const { cache, l2, l3 } = startNode();
    await cache.set('here', 1);
    l2.entries.set('near', valueEntry(at(-1)));
    l3.entries.set('far', valueEntry(at(-2)));
    l2.asked.length = 0;
    l3.asked.length = 0;
    const found = await cache.getMany(['far', 'here', 'near', 'nowhere', 'far', 'here']);
    expect(found).toEqual(
      new Map<string, unknown>([
        ['here', 1],
        ['far', `value ${at(-2)}`],
        ['near', `value ${at(-1)}`],
      ]),
    );
    expect(l2.asked[0]).toBe('read far,near,nowhere');
    expect(l3.asked).toEqual(['read far,nowhere']);
    expect(await cache.getMany([])).toEqual(new Map());
  });
});

describe('getEntry', () => {
  it('says where a value came from, how old it is and how it is kept', async () => {
    const { cache, clock, local } = startNode();
    const { version } = await cache.set('k', 7, { tags: ['a'], ttl: '30s' });
    await clock.advanceSettled(10_000);
    expect(await cache.getEntry('k')).toEqual({
      value: 7,
      level: 'local',
      ageMs: 10_000,
      boundMs: 10_000,
      stale: false,
      ttlMs: 20_000,
      version,
      tags: ['a'],
      createdAt: new Date(NOW_MS),
      lastAccessed: new Date(at(10_000)),
      accessCount: 1,
      nodeId: '000000000001',
    });
    local.drop('k');
    expect(await cache.getEntry('k')).toMatchObject({ level: 'distributed', boundMs: 0, ageMs: 10_000, version });
    expect(await cache.getEntry('other')).toBeUndefined();
  });
});

describe('touch', () => {
  it('gives an entry a new life in every level, and is false for what is not there', async () => {
    const { cache, clock, l2, l3 } = startNode();
    await cache.set('k', 7, { tags: ['a'] });
    await clock.advanceSettled(TTL_MS - 1);
    expect(await cache.touch('k', '2m')).toBe(true);
    for (const tier of [l2, l3]) {
      expect(tier.entries.get('k')).toMatchObject({ freshUntilMs: at(TTL_MS - 1 + 120_000), tags: ['a'] });
    }
    await clock.advanceSettled(119_999);
    expect(await cache.get('k')).toBe(7);
    await clock.advanceSettled(1);
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.touch('k', '2m')).toBe(false);
  });

  it('does not bring back what another level knows as deleted', async () => {
    const shared = startNode();
    const { cache, clock, l2, l3, local } = shared;
    await cache.set('k', 7);
    l2.failing = new Error('out');
    await clock.advanceSettled(10);
    await cache.delete('k');
    l2.failing = undefined;
    local.drop('k');
    await clock.advanceSettled(10);
    await cache.touch('k', '2m');
    expect(l3.entries.get('k')?.kind).toBe('tombstone');
  });

  it('passes no floor that what it touches has not passed', async () => {
    const { cache, clock, l2 } = startNode();
    await cache.set('k', 7, { tags: ['a'] });
    const hold = l2.hold('before write');
    await clock.advanceSettled(10);
    const touching = cache.touch('k', '2m');
    await hold.arrived;
    await cache.deleteByTag('a');
    hold.release();
    await touching;
    expect(await cache.get('k')).toBeUndefined();
    expect(l2.entries.get('k')?.fillStart).toEqual(hlc(NOW_MS - 1, 1));
  });
});
