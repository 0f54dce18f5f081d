/** Clocks that are wrong, and data that come in the wrong order. */
import type { NodeProcess } from '../node-process.js';
import type { Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';
import { expectThat, said, timeUntil } from '../waiting.js';

const SKEW_MS = 5_000;
const BOUND_MS = 1_000;
const WATCHED_MS = 3_000;
/** An event may be dated so far ahead of the server. */
const AHEAD_MS = 5_000;

const skewedInvalidation: Scenario = {
  id: 'S22',
  title: 'invalidation by tag from a node whose clock is 5 s behind / ahead',
  limitMs: 120_000,
  run: async (stage) => {
    const [a, behind, ahead, c] = await stage.processes([0, -SKEW_MS, SKEW_MS, 0]);
    const all = [a!, behind!, ahead!, c!].map(({ cache }) => cache);
    const cases = [
      ['from behind', a!, behind!],
      ['from ahead', a!, ahead!],
      ['of what a node ahead filled', ahead!, a!],
      ['of what a node behind filled', behind!, a!],
    ] as const;
    for (const [name, filler, invalidator] of cases) {
      await stage.part(name, () => invalidatedEverywhere(stage, filler.cache, invalidator.cache, all));
    }
  },
};

/** All but the last node hold the entry in their memory; the last one would take it from L2. */
async function invalidatedEverywhere(
  stage: Stage,
  filler: NodeProcess,
  invalidator: NodeProcess,
  all: readonly NodeProcess[],
): Promise<string> {
  const key = stage.key('tagged');
  const options = { tags: [`tag-of-${key}`] };
  await filler.getOrLoad(key, async () => 'old', options);
  for (const cache of all.slice(0, -1)) await stage.holds(cache, [key], 'old', options);
  await invalidator.deleteByTag(`tag-of-${key}`);
  let loads = 0;
  const load = async (): Promise<unknown> => {
    loads += 1;
    return 'new';
  };
  for (const cache of [...all].reverse()) {
    const tookMs = await timeUntil(WATCHED_MS, async () => (await cache.getOrLoad(key, load, options)) === 'new');
    expectThat(tookMs !== undefined && tookMs <= BOUND_MS, 'not invalidated');
  }
  return `invalidated, ${loads} ${loads === 1 ? 'load' : 'loads'}`;
}

const disorder: Scenario = {
  id: 'S28',
  title: 'live, history, live, history; a device in 2080; two contents with one time',
  quick: ['single'],
  limitMs: 60_000,
  run: async (stage) => {
    const [a, b, c] = await stage.nodes(3);
    const caches = [a!.cache, b!.cache, c!.cache];
    const says = async (key: string): Promise<string> =>
      (await Promise.all(caches.map((cache) => cache.get(key)))).map(String).join(', ');
    const agreed = async (key: string, wanted: string): Promise<number> => {
      const tookMs = await timeUntil(WATCHED_MS, async () => (await says(key)) === `${wanted}, ${wanted}, ${wanted}`);
      expectThat(tookMs !== undefined && tookMs <= BOUND_MS, `the nodes say ${await says(key)}`);
      return tookMs;
    };
    await stage.part('out of order', async () => {
      const key = stage.key('position');
      const now = Date.now();
      await a!.cache.setIfNewer(key, 'live 1', now - 2_000);
      await b!.cache.setIfNewer(key, 'history 1', now - 600_000);
      await b!.cache.setIfNewer(key, 'live 2', now - 1_000);
      await a!.cache.setIfNewer(key, 'history 2', now - 700_000);
      return `newest after ${said(await agreed(key, 'live 2'))}`;
    });
    await stage.part('2080', async () => {
      const key = stage.key('position');
      const before = await a!.cache.clampedTimes();
      await a!.cache.setIfNewer(key, 'from 2080', Date.UTC(2080, 0, 1));
      expectThat((await a!.cache.clampedTimes()) === before + 1, 'not counted');
      // Trackers go on telling; what a device may be ahead is the longest that its word may stand against theirs.
      const pinnedMs = await timeUntil(AHEAD_MS + BOUND_MS, async () => {
        await b!.cache.setIfNewer(key, 'live', Date.now());
        return (await says(key)) === 'live, live, live';
      });
      expectThat(pinnedMs !== undefined, `the nodes say ${await says(key)}`);
      return `clamped and counted, pinned for ${said(pinnedMs)}`;
    });
    await stage.part('one time', async () => {
      const winners = new Set<string>();
      for (let i = 0; i < 20; i++) {
        const key = stage.key('position');
        const now = Date.now();
        await Promise.all([a!.cache.setIfNewer(key, 'x', now), b!.cache.setIfNewer(key, 'y', now)]);
        const same = await timeUntil(BOUND_MS, async () => /^(\w), \1, \1$/.test(await says(key)));
        expectThat(same !== undefined, `the nodes say ${await says(key)}`);
        winners.add((await says(key)).slice(0, 1));
      }
      return 'one winner';
    });
  },
};

export const clocks: readonly Scenario[] = [skewedInvalidation, disorder];
