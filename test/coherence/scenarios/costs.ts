/** What a hit costs, and how long a copy lives. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scenario } from '../scenario.js';
import { expectThat } from '../waiting.js';

const WARM_UP_HITS = 2_000;
/** The best of several rounds: what else the machine does is not the cost of a hit. */
const ROUNDS = 7;
const ROUND_MS = 200;
const HITS_MAX = 200_000;

const hitCost: Scenario = {
  id: 'S18',
  title: 'cost of an L1 hit',
  informative: true,
  limitMs: 60_000,
  run: (stage) =>
    stage.part('', async () => {
      const { cache } = await stage.node();
      const key = stage.key('hit');
      await cache.getOrLoad(key, async () => ({ id: 42, speedKmh: 61 }));
      const roughNs = await cache.measureHits(key, WARM_UP_HITS);
      const hits = Math.min(HITS_MAX, Math.ceil((ROUND_MS * 1e6) / roughNs));
      let bestNs = roughNs;
      for (let round = 0; round < ROUNDS; round++) bestNs = Math.min(bestNs, await cache.measureHits(key, hits));
      const ns = Math.round(bestNs);
      return { note: `${ns.toLocaleString('en-US')} ns`, measure: { value: ns, unit: 'ns' } };
    }),
};

const TAGGED_HITS = 10_000;

const redisReads: Scenario = {
  id: 'S20',
  title: 'Redis commands for one tagged L1 hit',
  quick: ['single'],
  limitMs: 60_000,
  run: (stage) =>
    stage.part('', async () => {
      const { cache } = await stage.node();
      const key = stage.key('tagged');
      await stage.holds(cache, [key], 'tagged', { tags: [`tag-of-${key}`] });
      const before = await stage.redis.commandCount();
      for (let i = 0; i < TAGGED_HITS; i++) await cache.get(key);
      const commands = (await stage.redis.commandCount()) - before;
      // What goes on in the background is a share of one per hit; what belongs to the hit is a whole number.
      const perHit = Math.round(commands / TAGGED_HITS);
      const measure = { value: perHit, unit: 'commands', bound: 0 };
      expectThat(perHit === 0, `${perHit} commands`, measure);
      return { note: 'none', measure };
    }),
};

const TTL_MS = 4_000;

const promotedLifetime: Scenario = {
  id: 'S6',
  title: 'L2 has 2 s left; promoted to L1; read after 3 s',
  quick: ['single'],
  limitMs: 40_000,
  run: (stage) =>
    stage.part('', async () => {
      const [a] = await stage.nodes(1, { ttlMs: TTL_MS });
      const key = stage.key('short');
      await a!.cache.set(key, 'short-lived', { ttlMs: TTL_MS });
      const writtenMs = performance.now();
      const [b] = await stage.nodes(1, { ttlMs: TTL_MS });
      await sleep(TTL_MS - 2_000 - (performance.now() - writtenMs));
      const loaded = await b!.cache.getOrLoad(key, async () => 'loaded', { ttlMs: TTL_MS });
      expectThat(loaded === 'short-lived', 'the other node does not find it');
      await sleep(3_000);
      for (const [name, node] of [
        ['the node that promoted it', b!],
        ['the node that wrote it', a!],
      ] as const) {
        const value = await node.cache.get(key);
        expectThat(value === undefined, `${name} still has it`);
      }
      return 'gone';
    }),
};

export const costs: readonly Scenario[] = [promotedLifetime, hitCost, redisReads];
