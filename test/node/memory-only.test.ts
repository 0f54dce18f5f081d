import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cache, CacheEvents } from '../../src/core/cache.js';
import { createCache } from '../../src/node/compose.js';

let cache: Cache;
beforeEach(async () => {
  cache = await createCache({});
});
afterEach(() => cache.close());

/** A source that answers when it is told to. */
function heldSource() {
  let answer: (value: unknown) => void = () => {};
  const answered = new Promise<unknown>((resolve) => {
    answer = resolve;
  });
  return { load: () => answered, answer };
}

describe('a cache of this process alone', () => {
  it('says of a write what its one level did, and to whom it was told', async () => {
    const changes: CacheEvents['changed'][] = [];
    cache.on('changed', (change) => changes.push(change));
    const result = await cache.set('k', { n: 1 });
    expect(result).toEqual({
      version: expect.stringMatching(/^[0-9a-f]{40}$/),
      token: `${result.token.split('.')[0]}.${result.version}`,
      local: 'stored',
      distributed: 'none',
      peer: 'none',
      errors: {},
    });
    expect(await cache.setIfNewer('k', { n: 0 }, 1)).toMatchObject({ local: 'superseded' });
    expect(await cache.delete('k')).toMatchObject({ local: 'stored' });
    expect(await cache.get('k')).toBeUndefined();
    expect(changes.map(({ key, by }) => [key, by])).toEqual([
      ['k', 'here'],
      ['k', 'here'],
      ['k', 'here'],
    ]);
    expect(changes[0]?.version).toBe(result.version);
  });

  it('gives later writes later versions, also within a millisecond', async () => {
    const results = await cache.setMany(Array.from({ length: 100 }, (_, n) => [`k${n}`, n] as const));
    const versions = results.map(({ version }) => version);
    expect([...versions].sort()).toEqual(versions);
    expect(new Set(versions).size).toBe(100);
  });

  it('keeps a value as it was given, whoever changes what', async () => {
    const value = { at: new Date(5), list: [1], bytes: new Uint8Array([1]) };
    await cache.set('k', value);
    value.at.setTime(6);
    value.list.push(2);
    value.bytes[0] = 2;
    const got = (await cache.get('k')) as typeof value;
    expect(got).toEqual({ at: new Date(5), list: [1], bytes: new Uint8Array([1]) });
    expect(() => got.list.push(3)).toThrow(TypeError);
    got.bytes[0] = 3;
    expect(await cache.get('k')).toEqual({ at: new Date(5), list: [1], bytes: new Uint8Array([1]) });
  });

  it('writes nothing of many when one of them is refused', async () => {
    await expect(
      cache.setMany([
        ['a', 1],
        ['b', () => 1],
      ]),
    ).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(cache.deleteMany(['a', ''])).rejects.toMatchObject({ code: 'invalid-key' });
    expect(cache.peek('a')).toBeUndefined();
  });

  it('counts what it does not have, and refuses what is no question', async () => {
    expect(await cache.get('none')).toBeUndefined();
    expect(await cache.getMany(['none', 'nor this', 'none'])).toEqual(new Map());
    expect(cache.stats()).toMatchObject({ reads: 3, misses: 3, hits: 0 });
    await expect(cache.get('')).rejects.toMatchObject({ code: 'invalid-key' });
    await expect(cache.getMany(['k', ''])).rejects.toMatchObject({ code: 'invalid-key' });
    await expect(cache.get('k', { deadline: 0 })).rejects.toMatchObject({ code: 'invalid-ttl' });
    await expect(cache.set('k', 1, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
    await cache.close();
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'closed' });
    await expect(cache.set('k', 1)).rejects.toMatchObject({ code: 'closed' });
  });

  it('lets a read wait for a load under way', async () => {
    const source = heldSource();
    const loading = cache.getOrLoad('k', source.load);
    const reading = cache.get('k');
    const many = cache.getMany(['k', 'none']);
    source.answer(7);
    expect([await loading, await reading, await many]).toEqual([7, 7, new Map([['k', 7]])]);
  });

  it.each([
    ['set', () => cache.set('k', 'set'), 'set'],
    ['setMany', () => cache.setMany([['k', 'set']]), 'set'],
    ['delete', () => cache.delete('k'), undefined],
    ['deleteMany', () => cache.deleteMany(['k']), undefined],
    ['deleteByTag', () => cache.deleteByTag('t'), undefined],
  ])('keeps nothing of a load that a %s overtook (P2, P3)', async (_, write, left) => {
    const source = heldSource();
    const loading = cache.getOrLoad('k', source.load, { tags: ['t'] });
    await write();
    source.answer('loaded');
    await loading;
    expect(await cache.get('k')).toBe(left);
  });
});
