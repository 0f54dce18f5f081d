/** Interleavings of a read or a load with a write or an invalidation: forced by gates, not by luck. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scenario } from '../scenario.js';
import { GatedSource, Source } from '../source.js';
import type { Stage } from '../stage.js';
import type { CacheNode, KeepOptions } from '../subject.js';
import type { Held } from '../verdict.js';
import { expectThat, reached, said, timeUntil } from '../waiting.js';

const READ_BOUND_MS = 10_000;
const WATCHED_MS = 5_000;
const DELAYS_MS = [0, 300];
const LOAD_MS = 200;

const promotion: Scenario = {
  id: 'S1',
  title: 'promotion of an old L2 value while another node overwrites it',
  quick: ['single'],
  limitMs: 40_000,
  run: async (stage) => {
    for (const delayMs of DELAYS_MS) await stage.part(said(delayMs), () => promoteLate(stage, delayMs));
  },
};

/** @param delayMs how long after the write the old value arrives; who does not wait so long asks the source */
async function promoteLate(stage: Stage, delayMs: number): Promise<Held> {
  const a = await stage.node();
  const key = stage.key('promoted');
  let truth = 'the-old-value';
  await a.cache.set(key, truth);
  // Some tell the others the value itself; one that was not there then has to ask.
  const b = await stage.node();
  // Some connect when they are first asked.
  await b.cache.get(stage.key('other'));
  const hold = b.link.hold('commands');
  // Where reading and promoting are two things, it is this one that does both.
  const reading = b.cache.getOrLoad(key, async () => truth);
  reading.catch(() => {});
  const caught = await timeUntil(READ_BOUND_MS, () => hold.kept().includes('the-old-value'));
  expectThat(caught !== undefined, 'the read of the other node did not ask Redis for the value');
  truth = 'the-new-value';
  await a.cache.set(key, truth);
  await sleep(delayMs);
  hold.release();
  await reached('the delayed read', READ_BOUND_MS, reading);
  return untilNew(b.cache, key, truth);
}

/** From now on every read must say the new value, or, while Redis seems not to answer, nothing. */
async function untilNew(cache: CacheNode, key: string, value: unknown): Promise<Held> {
  let isStale = false;
  const newMs = await timeUntil(WATCHED_MS, async () => {
    const got = await cache.get(key);
    if (got !== undefined && got !== value) isStale = true;
    return got === value;
  });
  const lasted = newMs === undefined ? `more than ${said(WATCHED_MS)}` : said(newMs);
  expectThat(!isStale, `stale for ${lasted}`);
  expectThat(newMs !== undefined, `nothing for ${lasted}`);
  const last = await cache.get(key);
  expectThat(last === value, `says the new value once, then ${JSON.stringify(last)}`);
  return 'new value at once';
}

/** A load is under way while `invalidate` is done; then each reader must load anew. */
async function loadsAnew(
  key: string,
  options: KeepOptions | undefined,
  loading: CacheNode,
  invalidate: () => Promise<unknown>,
  readers: readonly (readonly [name: string, cache: CacheNode])[],
): Promise<string> {
  const old = new GatedSource('what was deleted');
  const flight = loading.getOrLoad(key, old.load, options);
  flight.catch(() => {});
  await reached('the load', READ_BOUND_MS, Promise.race([old.asked.opened, flight]));
  const underWayMs = performance.now();
  await invalidate();
  await sleep(Math.max(0, LOAD_MS - (performance.now() - underWayMs)));
  old.gate.open();
  await reached('the load under way', READ_BOUND_MS, flight);
  for (const [name, cache] of readers) {
    const source = new Source(() => 'what is new');
    const value = await reached('the read', READ_BOUND_MS, cache.getOrLoad(key, source.load, options));
    expectThat(value === 'what is new', `${name} serves the deleted value`);
  }
  // The copy that a level took late would show now.
  for (const [name, cache] of readers) {
    const value = await cache.get(key);
    expectThat(value === 'what is new', `${name} goes back to ${JSON.stringify(value)}`);
  }
  return 'reloads';
}

const deleteInFlight: Scenario = {
  id: 'S2',
  title: 'delete while a load is under way',
  quick: ['single', 'peers-only', 'gutter'],
  withoutRedis: ['peers-only', 'gutter'],
  limitMs: 40_000,
  run: (stage) =>
    stage.part('', async () => {
      const [a, b] = await stage.nodes(2);
      const key = stage.key('loaded');
      return loadsAnew(key, undefined, a!.cache, () => a!.cache.delete(key), [
        ['the node', a!.cache],
        ['another node', b!.cache],
      ]);
    }),
};

/** How a load under way can be invalidated without naming its key. */
const ways: readonly (readonly [
  name: string,
  invalidate: (cache: CacheNode, key: string, tag: string) => Promise<void>,
])[] = [
  ['tag', (cache, _key, tag) => cache.deleteByTag(tag)],
  ['pattern', (cache, key) => cache.deleteByPattern(key.replace(/\d+$/, '*'))],
  ['clear', (cache) => cache.clear()],
];

async function eachWay(
  stage: Stage,
  deleter: CacheNode,
  loading: CacheNode,
  readers: readonly (readonly [string, CacheNode])[],
) {
  for (const [name, invalidate] of ways) {
    await stage.part(name, async () => {
      const key = stage.key(`by-${name}`);
      const options = name === 'tag' ? { tags: [`tag-of-${key}`] } : undefined;
      return loadsAnew(key, options, loading, () => invalidate(deleter, key, `tag-of-${key}`), readers);
    });
  }
}

const invalidateInFlight: Scenario = {
  id: 'S2t',
  title: 'invalidation by tag, pattern, clear while a load is under way',
  quick: ['single'],
  withoutRedis: ['peers-only', 'gutter'],
  limitMs: 60_000,
  run: async (stage) => {
    const [a, b] = await stage.nodes(2);
    await eachWay(stage, a!.cache, a!.cache, [
      ['the node', a!.cache],
      ['another node', b!.cache],
    ]);
  },
};

const invalidateElsewhere: Scenario = {
  id: 'S2x',
  title: 'the same, load on node A, delete on node B, also read on C',
  quick: ['single', 'peers'],
  withoutRedis: ['peers-only', 'gutter'],
  limitMs: 60_000,
  run: async (stage) => {
    const [a, b, c] = await stage.nodes(3);
    const readers = [
      ['A', a!.cache],
      ['B', b!.cache],
      ['C', c!.cache],
    ] as const;
    await stage.part('delete', async () => {
      const key = stage.key('loaded');
      return loadsAnew(key, undefined, a!.cache, () => b!.cache.delete(key), readers);
    });
    await eachWay(stage, b!.cache, a!.cache, readers);
  },
};

export const races: readonly Scenario[] = [promotion, deleteInFlight, invalidateInFlight, invalidateElsewhere];
