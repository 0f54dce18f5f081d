import { describe, expect, it } from 'vitest';
import { sharedLevels, startNode } from './cache-under-test.js';

/** A source for many keys that says what it was asked, and answers a call when it is told to. */
function heldSource() {
  const calls: { keys: readonly string[]; answer: () => void; fail: (error: Error) => void }[] = [];
  const load = (keys: readonly string[]) =>
    new Promise<ReadonlyMap<string, string>>((resolve, reject) => {
      calls.push({ keys, answer: () => resolve(new Map(keys.map((key) => [key, `${key}!`]))), fail: reject });
    });
  return { calls, load };
}

const shapes = [
  ['two levels below', () => startNode()],
  ['no level below', () => startNode(sharedLevels(), { tiers: [], withFeed: false })],
] as const;

describe.each(shapes)('overlapping batches with %s', (_, start) => {
  it('load each key once, whoever asked for it first', async () => {
    const { cache, clock } = start();
    const { calls, load } = heldSource();
    const first = cache.getOrLoadMany(['a', 'b'], load);
    await clock.advanceSettled(0);
    const second = cache.getOrLoadMany(['b', 'c'], load);
    const single = cache.getOrLoad('a', async () => 'of its own');
    const plain = cache.getMany(['a', 'b', 'none']);
    await clock.advanceSettled(0);
    expect(calls.map(({ keys }) => keys)).toEqual([['a', 'b'], ['c']]);
    for (const { answer } of calls) answer();
    expect([...(await first)]).toEqual([
      ['a', 'a!'],
      ['b', 'b!'],
    ]);
    expect([...(await second)]).toEqual([
      ['b', 'b!'],
      ['c', 'c!'],
    ]);
    expect([await single, [...(await plain)]]).toEqual([
      'a!',
      [
        ['a', 'a!'],
        ['b', 'b!'],
      ],
    ]);
    expect([...(await cache.getOrLoadMany(['a', 'b', 'c'], load)).values()]).toEqual(['a!', 'b!', 'c!']);
    expect(calls).toHaveLength(2);
  });

  it('share the failure of a key that both wait for, and nothing else', async () => {
    const { cache, clock } = start();
    const { calls, load } = heldSource();
    const refused = Promise.all(
      [
        ['a', 'b'],
        ['b', 'c'],
      ].map((keys) => expect(cache.getOrLoadMany(keys, load)).rejects.toMatchObject({ code: 'load-failed' })),
    );
    await clock.advanceSettled(0);
    expect(calls.map(({ keys }) => keys)).toEqual([['a', 'b'], ['c']]);
    calls[0]?.fail(new Error('no source'));
    calls[1]?.answer();
    await refused;
    await clock.advanceSettled(0);
    expect([cache.peek('a'), cache.peek('b'), cache.peek('c')]).toEqual([undefined, undefined, 'c!']);
  });

  it('lose of what they bring only the keys that were written meanwhile', async () => {
    const { cache, clock } = start();
    const { calls, load } = heldSource();
    const loading = cache.getOrLoadMany(['a', 'b', 'c'], load);
    await clock.advanceSettled(0);
    await cache.setMany([['a', 'set']]);
    await cache.deleteMany(['b']);
    calls[0]?.answer();
    await loading;
    await clock.advanceSettled(0);
    expect([...(await cache.getMany(['a', 'b', 'c']))]).toEqual([
      ['a', 'set'],
      ['c', 'c!'],
    ]);
  });
});

it('overlapping reads of many ask a level once for each key', async () => {
  const { cache, clock, l2 } = startNode();
  await cache.setMany(['a', 'b', 'c'].map((key) => [key, key] as const));
  const reader = startNode({ clock, l2, l3: sharedLevels(clock).l3 }, { origin: 2 });
  l2.asked.length = 0;
  const held = l2.hold('before read');
  const reads = [reader.cache.getMany(['a', 'b']), reader.cache.getMany(['b', 'c']), reader.cache.get('c')];
  await clock.advanceSettled(0);
  held.release();
  expect(await Promise.all(reads)).toEqual([
    new Map([
      ['a', 'a'],
      ['b', 'b'],
    ]),
    new Map([
      ['b', 'b'],
      ['c', 'c'],
    ]),
    'c',
  ]);
  expect(l2.asked).toEqual(['read a,b', 'read c']);
});
