import { describe, expect, it } from 'vitest';
import { CacheError } from '../../src/core/errors.js';
import { type CacheUnderTest, sharedLevels, startNode } from './cache-under-test.js';
import { NOW_MS } from './entries.js';

describe('set', () => {
  it('says what each level did, and rejects for none of them', async () => {
    const { cache, l2, l3 } = startNode();
    const result = await cache.set('k', 7);
    expect(result).toMatchObject({ local: 'stored', distributed: 'stored', peer: 'stored', errors: {} });
    expect(result.version).toMatch(/^[0-9a-f]{40}$/);
    expect(result.token).toBe(`mumbai.${result.version}`);
    l2.failing = new Error('out');
    l3.skipping = 'breaker-open';
    expect(await cache.set('k', 8)).toMatchObject({
      local: 'stored',
      distributed: 'failed',
      peer: 'skipped',
      errors: { distributed: l2.failing, peer: expect.objectContaining({ code: 'level-failed' }) },
    });
    expect(await cache.get('k')).toBe(8);
    expect(await startNode(sharedLevels(), { tiers: [] }).cache.set('k', 1)).toMatchObject({
      local: 'stored',
      distributed: 'none',
      peer: 'none',
    });
  });

  it('does not wait for a hung level beyond its slice', async () => {
    const { cache, clock, l2 } = startNode();
    l2.hold('before write');
    const setting = cache.set('k', 7, { deadline: 50 });
    await clock.advanceSettled(50);
    expect(await setting).toMatchObject({ local: 'stored', distributed: 'failed', peer: 'stored' });
  });

  it('keeps the newer data whatever order they come in, in every level, and drops the copy here when another was newer', async () => {
    const shared = sharedLevels();
    const [a, b] = [startNode(shared), startNode(shared, { origin: 2 })];
    const newer = { eventTime: new Date(NOW_MS - 1_000) };
    await a.cache.set('k', 'newer', newer);
    b.local.drop('k');
    const result = await b.cache.set('k', 'older', { eventTime: NOW_MS - 2_000 });
    expect(result).toMatchObject({ local: 'stored', distributed: 'superseded', peer: 'superseded' });
    expect([await a.cache.get('k'), await b.cache.get('k')]).toEqual(['newer', 'newer']);
    expect(await a.cache.set('k', 'older', { eventTime: NOW_MS - 2_000 })).toMatchObject({ local: 'superseded' });
  });

  it('takes no time from the future at its word (P7, S28)', async () => {
    const { cache, clock } = startNode();
    await cache.set('k', 'from 2080', { eventTime: Date.UTC(2080, 0) });
    expect(cache.stats().clampedEventTimes).toBe(1);
    await clock.advanceSettled(5_001);
    expect(await cache.set('k', 'live')).toMatchObject({ local: 'stored', distributed: 'stored' });
    expect(await cache.get('k')).toBe('live');
  });
});

describe('setIfNewer', () => {
  it('takes a time, or the text of a version', async () => {
    const { cache } = startNode();
    const first = await cache.setIfNewer('k', 1, NOW_MS - 10);
    expect(await cache.setIfNewer('k', 2, NOW_MS - 11)).toMatchObject({
      local: 'superseded',
      distributed: 'superseded',
    });
    expect(await cache.setIfNewer('k', 3, NOW_MS - 9)).toMatchObject({ local: 'stored', distributed: 'stored' });
    expect(await cache.setIfNewer('k', 4, first.version)).toMatchObject({ local: 'superseded' });
    const later = `${(NOW_MS - 5).toString(16).padStart(12, '0')}${first.version.slice(12)}`;
    expect(await cache.setIfNewer('k', 5, later)).toMatchObject({ local: 'stored', version: later });
    expect(await cache.get('k')).toBe(5);
    const clamped = await cache.setIfNewer('k', 6, 'f'.repeat(12) + first.version.slice(12));
    expect(Number.parseInt(clamped.version.slice(0, 12), 16)).toBe(NOW_MS + 5_000);
  });

  it('of one version ends alike whichever of two nodes comes last', async () => {
    const shared = sharedLevels();
    const [a, b] = [startNode(shared), startNode(shared, { origin: 2 })];
    const { version } = await a.cache.set('k', 'row');
    await shared.clock.advanceSettled(5);
    await a.cache.delete('k');
    await shared.clock.advanceSettled(5);
    expect(await b.cache.setIfNewer('k', 'row', version)).toMatchObject({ distributed: 'stored' });
    expect([await a.cache.get('k'), await b.cache.get('k')]).toEqual(['row', 'row']);
  });
});

describe('setMany and deleteMany', () => {
  it('write every level once, in order, and answer for each', async () => {
    const { cache, l2 } = startNode();
    const results = await cache.setMany([
      ['a', 1],
      ['b', 2, { ttl: '1s' }],
      ['a', 3],
    ]);
    expect(results.map(({ distributed }) => distributed)).toEqual(['stored', 'stored', 'stored']);
    expect(l2.asked).toEqual(['write a,b,a']);
    expect(await cache.getMany(['a', 'b'])).toEqual(
      new Map([
        ['a', 3],
        ['b', 2],
      ]),
    );
    expect(await cache.deleteMany(['a', 'b', 'none'])).toHaveLength(3);
    expect((await cache.getMany(['a', 'b', 'none'])).size).toBe(0);
    expect([await cache.setMany([]), await cache.deleteMany([])]).toEqual([[], []]);
  });
});

describe('an invalidation', () => {
  it.each([
    ['tag', (node: CacheUnderTest) => node.cache.deleteByTag('a'), [undefined, 2, 3]],
    ['pattern', (node: CacheUnderTest) => node.cache.deleteByPattern('route:*'), [1, undefined, 3]],
    ['clear', (node: CacheUnderTest) => node.cache.clear(), [undefined, undefined, undefined]],
  ])('by %s covers what was filled before, on every node, and not what comes after', async (_, invalidate, left) => {
    const shared = sharedLevels();
    const nodes = [startNode(shared), startNode(shared, { origin: 2 })];
    const fill = () =>
      nodes[0]!.cache.setMany([
        ['x', 1, { tags: ['a', 'b'] }],
        ['route:1', 2, { tags: ['b'] }],
        ['y', 3],
      ]);
    const read = async ({ cache }: CacheUnderTest) => {
      const found = await cache.getMany(['x', 'route:1', 'y']);
      return ['x', 'route:1', 'y'].map((key) => found.get(key));
    };
    await fill();
    await Promise.all(nodes.map(read));
    expect(await invalidate(nodes[0]!)).toMatchObject({ local: 'stored', distributed: 'stored', peer: 'none' });
    for (const node of nodes) expect(await read(node)).toEqual(left);
    await fill();
    for (const node of nodes) expect(await read(node)).toEqual([1, 2, 3]);
  });

  it('holds here, and says so, when no feed takes it', async () => {
    const { cache, l2 } = startNode();
    await cache.set('k', 1);
    l2.failing = new Error('out');
    expect(await cache.clear()).toMatchObject({
      local: 'stored',
      distributed: 'failed',
      errors: { distributed: l2.failing },
    });
    l2.failing = undefined;
    expect(await cache.get('k')).toBeUndefined();
  });
});

const long = 'k'.repeat(1_025);

describe('bad arguments reject before anything changes, and name what is wrong', () => {
  const bad: [string, (node: CacheUnderTest) => Promise<unknown>, string, string | undefined][] = [
    ['get, empty key', ({ cache }) => cache.get(''), 'invalid-key', 'key'],
    ['get, number', ({ cache }) => cache.get(7 as unknown as string), 'invalid-key', 'key'],
    ['get, deadline', ({ cache }) => cache.get('no', { deadline: 0 }), 'invalid-ttl', 'deadline'],
    ['getEntry', ({ cache }) => cache.getEntry(long), 'invalid-key', 'key'],
    ['getMany', ({ cache }) => cache.getMany(['k', long]), 'invalid-key', 'key'],
    ['getOrLoad', ({ cache }) => cache.getOrLoad(long, () => 1), 'invalid-key', 'key'],
    ['getOrLoad, ttl', ({ cache }) => cache.getOrLoad('no', () => 1, { ttl: 0 }), 'invalid-ttl', 'ttl'],
    [
      'getOrLoad, absentTtl',
      ({ cache }) => cache.getOrLoad('no', () => 1, { absentTtl: -1 }),
      'invalid-ttl',
      'absentTtl',
    ],
    ['getOrLoadMany', ({ cache }) => cache.getOrLoadMany(['\ud83d'], () => new Map()), 'invalid-key', 'key'],
    ['set, key', ({ cache }) => cache.set(long, 1), 'invalid-key', 'key'],
    ['set, ttl', ({ cache }) => cache.set('k', 1, { ttl: '5 min' as '5m' }), 'invalid-ttl', 'ttl'],
    ['set, swr', ({ cache }) => cache.set('k', 1, { staleWhileRevalidate: -1 }), 'invalid-ttl', 'staleWhileRevalidate'],
    ['set, sie', ({ cache }) => cache.set('k', 1, { staleIfError: Number.NaN }), 'invalid-ttl', 'staleIfError'],
    ['set, tags', ({ cache }) => cache.set('k', 1, { tags: [''] }), 'invalid-tag', 'tag'],
    [
      'set, event time',
      ({ cache }) => cache.set('k', 1, { eventTime: new Date('no') }),
      'invalid-options',
      'eventTime',
    ],
    ['set, value', ({ cache }) => cache.set('k', undefined), 'invalid-value', 'value'],
    [
      'setMany, one of them',
      ({ cache }) =>
        cache.setMany([
          ['k', 1],
          ['j', 1, { ttl: -1 }],
        ]),
      'invalid-ttl',
      'ttl',
    ],
    ['setIfNewer, text', ({ cache }) => cache.setIfNewer('k', 1, 'v1'), 'invalid-options', 'version'],
    ['setIfNewer, number', ({ cache }) => cache.setIfNewer('k', 1, Number.NaN), 'invalid-options', 'version'],
    ['delete', ({ cache }) => cache.delete(''), 'invalid-key', 'key'],
    ['deleteMany', ({ cache }) => cache.deleteMany(['k', '']), 'invalid-key', 'key'],
    ['deleteByTag', ({ cache }) => cache.deleteByTag(''), 'invalid-tag', 'tag'],
    ['deleteByPattern', ({ cache }) => cache.deleteByPattern('k\\'), 'invalid-pattern', 'pattern'],
    ['has', ({ cache }) => cache.has(long), 'invalid-key', 'key'],
    ['touch, ttl', ({ cache }) => cache.touch('k', 0), 'invalid-ttl', 'ttl'],
    ['touch, key', ({ cache }) => cache.touch('', 1), 'invalid-key', 'key'],
  ];

  it.each(bad)('%s', async (_, ask, code, field) => {
    const node = startNode();
    await node.cache.set('k', 'kept');
    const asked = [...node.l2.asked];
    let given: Promise<unknown> | undefined;
    expect(() => {
      given = ask(node);
    }).not.toThrow();
    const thrown: unknown = await given?.catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(CacheError);
    expect(thrown).toMatchObject({ code, field, message: expect.stringContaining(field ?? '') });
    expect(node.l2.asked).toEqual(asked);
    expect(node.cache.peek('k')).toBe('kept');
  });
});
