/** What a value is after it went through the levels. */
import { inspect, isDeepStrictEqual } from 'node:util';
import type { Scenario } from '../scenario.js';
import { Source } from '../source.js';
import { expectThat, timeUntil } from '../waiting.js';

const SOON_MS = 2_000;

const falsy: Scenario = {
  id: 'S5',
  title: "0, '', false, null from L2",
  quick: ['single'],
  limitMs: 30_000,
  run: async (stage) => {
    const given = [0, '', false, null].map((value) => ({ value, key: stage.key('falsy') }));
    const a = await stage.node();
    for (const { key, value } of given) await a.cache.set(key, value);
    const b = await stage.node();
    for (const { key, value } of given) {
      await stage.part(inspect(value), async () => {
        const source = new Source(() => 'from the source');
        const got = await b.cache.getOrLoad(key, source.load);
        expectThat(source.calls === 0, 'a miss');
        expectThat(got === value, `came back as ${inspect(got)}`);
        return 'the value';
      });
    }
  },
};

const mutation: Scenario = {
  id: 'S16',
  title: 'a caller mutates what it got',
  quick: ['single'],
  limitMs: 30_000,
  run: async (stage) => {
    const original = () => ({ name: 'one', list: [1, 2, 3], deep: { flag: true } });
    const [a, b] = await stage.nodes(2);
    const key = stage.key('shared');
    const isIntact = async (cache = a!.cache) => isDeepStrictEqual(await cache.get(key), original());
    await stage.part('what was set', async () => {
      const given = original();
      await a!.cache.set(key, given);
      spoil(given);
      expectThat(await isIntact(), 'changes the cache');
      return 'unchanged';
    });
    for (const [name, node] of [
      ['what get returned', a!],
      ['what came from L2', b!],
    ] as const) {
      await stage.part(name, async () => {
        spoil(await node.cache.get(key));
        expectThat(await isIntact(node.cache), 'changes the cache');
        return 'unchanged';
      });
    }
    await stage.part('what a load returned', async () => {
      const loadedKey = stage.key('loaded');
      const source = new Source(original);
      spoil(await a!.cache.getOrLoad(loadedKey, source.load));
      const again = await a!.cache.getOrLoad(loadedKey, source.load);
      expectThat(isDeepStrictEqual(again, original()), 'changes the cache');
      return 'unchanged';
    });
  },
};

/** A frozen object refuses, which is as good. */
function spoil(value: unknown): void {
  const target = value as { name: string; list: number[]; deep: { flag: boolean } };
  for (const change of [
    () => {
      target.name = 'spoilt';
    },
    () => {
      target.list.push(4);
    },
    () => {
      target.deep.flag = false;
    },
  ]) {
    try {
      change();
    } catch (thrown) {
      if (!(thrown instanceof TypeError)) throw thrown;
    }
  }
}

class Truck {
  readonly model = 'LPT 1613';
  readonly axles = 3;
}

/** What is stored, and what must come back where that is not the same. */
const samples: readonly (readonly [name: string, value: unknown, expected?: unknown])[] = [
  ['Date', new Date(1_700_000_000_123)],
  [
    'Map',
    new Map<unknown, unknown>([
      ['a', 1],
      [2, new Map([['b', null]])],
    ]),
  ],
  ['Set', new Set(['a', 2, null])],
  ['BigInt', 2n ** 64n - 1n],
  ['Uint8Array', new Uint8Array([0, 1, 254, 255])],
  ['NaN', Number.NaN],
  ['Infinity', Number.NEGATIVE_INFINITY],
  ['Error', new TypeError('no such vehicle')],
  [
    'nested',
    {
      at: new Date(5),
      list: [new Set([1n]), { bytes: new Uint8Array([7]) }],
      none: null,
      sub: new Map([['x', [Number.NaN]]]),
    },
  ],
  ['class instance', new Truck(), { model: 'LPT 1613', axles: 3 }],
];

const kinds: Scenario = {
  id: 'S17',
  title: 'types through every level',
  quick: ['single', 'peers'],
  limitMs: 60_000,
  run: async (stage) => {
    // With peers, all are there from the start, so that the copies lie where they stay.
    const [a, other, third] = await stage.nodes(stage.hasPeers ? 3 : 1);
    const keys = samples.map(([name]) => stage.key(name));
    const lost = async (cache = a!.cache) => {
      const wrong: string[] = [];
      for (const [i, [name, value, expected]] of samples.entries()) {
        const got = await cache.get(keys[i] as string).catch((thrown: unknown) => thrown);
        if (!isSame(got, expected ?? value)) wrong.push(name);
      }
      return wrong;
    };
    const level = (name: string, cache = a!.cache) =>
      stage.part(name, async () => {
        const wrong = await lost(cache);
        expectThat(wrong.length === 0, `${wrong.length} of ${samples.length} changed: ${wrong.join(', ')}`);
        return 'all equal';
      });
    for (const [i, [, value]] of samples.entries()) {
      // A codec that refuses a type has lost it; the reads below tell.
      await a!.cache.set(keys[i] as string, value).catch(() => {});
    }
    await level('L1');
    await level('L2', (other ?? (await stage.node())).cache);
    if (third === undefined) return;
    await stage.redis.kill('SIGKILL');
    await timeUntil(SOON_MS, async () => (await lost(third.cache)).length === 0);
    await level('L3', third.cache);
  },
};

/** Frozen or not, and whatever class is used to keep a collection from changing. */
function isSame(got: unknown, expected: unknown): boolean {
  if (isDeepStrictEqual(got, expected)) return true;
  if (expected instanceof Error && got instanceof Error)
    return got.name === expected.name && got.message === expected.message;
  return false;
}

export const values: readonly Scenario[] = [falsy, mutation, kinds];
