/** Many keys at once: over a cluster, in a burst, after a flush. */
import { setTimeout as sleep } from 'node:timers/promises';
import { writeAll } from '../bulk-calls.js';
import type { Scenario } from '../scenario.js';
import { Source } from '../source.js';
import type { Stage } from '../stage.js';
import type { CacheNode } from '../subject.js';
import { expectThat, lastWrongMs, reached, said, timeUntil } from '../waiting.js';

const BOUND_MS = 1_000;
const WATCHED_MS = 5_000;

const overCluster: Scenario = {
  id: 'S21',
  title: 'Redis Cluster: deleteMany(30), clear, getMany(100), setMany(100), tags, patterns',
  quick: ['cluster'],
  onCluster: true,
  limitMs: 90_000,
  run: async (stage) => {
    const [a, b] = await stage.nodes(2);
    const keysOf = (name: string, count: number) => Array.from({ length: count }, () => stage.key(name));
    const filled = async (name: string, count: number, tags?: readonly string[]) => {
      const keys = keysOf(name, count);
      for (const key of keys) await a!.cache.set(key, `value of ${key}`, tags === undefined ? undefined : { tags });
      for (const key of keys) await b!.cache.get(key);
      return keys;
    };
    const gone = async (keys: readonly string[]) => {
      for (const [name, cache] of [
        ['here', a!.cache],
        ['on the other node', b!.cache],
      ] as const) {
        let left = keys.length;
        await timeUntil(BOUND_MS, async () => {
          const values = await Promise.all(keys.map((key) => cache.get(key)));
          left = values.filter((value) => value !== undefined).length;
          return left === 0;
        });
        expectThat(left === 0, `${left} of ${keys.length} still there ${name}`);
      }
      return 'gone';
    };
    await stage.part('setMany, getMany', async () => {
      const keys = keysOf('many', 100);
      await a!.cache.setMany(keys.map((key) => [key, `value of ${key}`] as const));
      const got = await b!.cache.getMany(keys);
      const right = keys.filter((key) => got.get(key) === `value of ${key}`).length;
      expectThat(right === keys.length, `${right} of ${keys.length} right`);
      return 'right';
    });
    await stage.part('deleteMany', async () => {
      const keys = await filled('deleted', 30);
      await a!.cache.deleteMany(keys);
      return gone(keys);
    });
    await stage.part('tags', async () => {
      const keys = await filled('tagged', 30, ['tag-of-all']);
      await a!.cache.deleteByTag('tag-of-all');
      return gone(keys);
    });
    await stage.part('patterns', async () => {
      const keys = await filled('matching', 30);
      await a!.cache.deleteByPattern('matching:*');
      return gone(keys);
    });
    await stage.part('clear', async () => {
      const keys = await filled('cleared', 30);
      await a!.cache.clear();
      return gone(keys);
    });
  },
};

const KEYS = 1_000;
const WRITES = 100_000;
const ROUND_BOUND_MS = 60_000;
const LONG = '-long'.repeat(40);

const burst: Scenario = {
  id: 'S23',
  title: 'a burst of writes, the subscriber too slow (output buffer overrun)',
  limitMs: 180_000,
  run: (stage) =>
    stage.part('', async () => {
      const [a, b] = await stage.nodes(2);
      const keys = Array.from({ length: KEYS }, () => stage.key(`burst${LONG}`));
      await writeAll(a!.cache, keys, 'round 0');
      await stage.holds(b!.cache, keys, 'round 0');
      await stage.redis.commandAll(['CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 1mb 1mb 1']);
      const resume = b!.link.stall('feed');
      const rounds = Math.ceil((stage.effort.writes ?? WRITES) / KEYS);
      const last = `round ${rounds}`;
      for (let round = 1; round <= rounds; round++) {
        await reached('a round of the burst', ROUND_BOUND_MS, writeAll(a!.cache, keys, `round ${round}`));
      }
      resume();
      return rightWithinASecond(b!.cache, keys, last, rounds * KEYS);
    }),
};

async function rightWithinASecond(cache: CacheNode, keys: readonly string[], wanted: unknown, writes: number) {
  let wrong = keys.length;
  const staleMs = await lastWrongMs(WATCHED_MS, async () => {
    const reads = await Promise.all(keys.map((key) => cache.read(key)));
    wrong = reads.filter(({ value, flagged }) => value !== undefined && value !== wanted && !flagged).length;
    return wrong === 0;
  });
  const measure = { value: Math.round(staleMs ?? WATCHED_MS), unit: 'ms stale', bound: BOUND_MS };
  expectThat(staleMs !== undefined, `${wrong} of ${keys.length} stale for more than ${said(WATCHED_MS)}`, measure);
  expectThat(staleMs <= BOUND_MS, `stale for ${said(staleMs)}`, measure);
  return { note: `${writes.toLocaleString('en-US')} writes, right after ${said(staleMs)}`, measure };
}

const LOAD_KEYS = 2_000;
const READERS = 100;
const READ_SOURCE_MS = 10;
/** 32 loads at a time on each of two nodes. */
const CAP = 64;
const WINDOW_MS = 200;
const CALM_MS = 3_000;
const BACK_BOUND_MS = 30_000;

const flush: Scenario = {
  id: 'S24',
  title: 'FLUSHALL on L2 under load',
  limitMs: 120_000,
  run: (stage) => stage.part('', () => flushUnderLoad(stage)),
};

async function flushUnderLoad(stage: Stage) {
  const [a, b] = await stage.nodes(2);
  const keys = Array.from({ length: LOAD_KEYS }, () => stage.key('loaded'));
  const truth = new Map(keys.map((key) => [key, 0]));
  /** What was acknowledged, and since when nothing older may be served. */
  const due = new Map<string, { version: number; fromMs: number }>();
  const source = new Source(async (key) => {
    const version = truth.get(key);
    await sleep(READ_SOURCE_MS);
    return version;
  });
  let isOver = false;
  let answered = 0;
  let outdated = 0;
  const read = async (cache: CacheNode): Promise<void> => {
    while (!isOver) {
      const key = keys[Math.floor(Math.random() * keys.length)] as string;
      const startedMs = performance.now();
      const version = await cache.getOrLoad(key, source.load).catch(() => undefined);
      answered += version === undefined ? 0 : 1;
      const known = due.get(key);
      const isDue = known !== undefined && startedMs > known.fromMs;
      if (isDue && typeof version === 'number' && version < known.version) outdated += 1;
      // A hit is answered without a turn of the event loop, which everything else needs.
      await sleep(1);
    }
  };
  const write = async (): Promise<void> => {
    while (!isOver) {
      const key = keys[Math.floor(Math.random() * keys.length)] as string;
      const version = (truth.get(key) ?? 0) + 1;
      truth.set(key, version);
      await a!.cache.delete(key);
      due.set(key, { version, fromMs: performance.now() + BOUND_MS });
      await sleep(5);
    }
  };
  const work = [a!, b!].flatMap(({ cache }) => Array.from({ length: READERS }, () => read(cache)));
  work.push(write());
  const everything = Promise.all(work);
  everything.catch(() => {});
  try {
    const goodput = async (): Promise<number> => {
      const before = answered;
      await sleep(WINDOW_MS);
      return answered - before;
    };
    await sleep(CALM_MS);
    const calm = Math.min(await goodput(), await goodput(), await goodput());
    source.mostAtOnce = 0;
    await stage.redis.empty();
    const flushedMs = performance.now();
    await sleep(CALM_MS);
    const backMs = await timeUntil(BACK_BOUND_MS, async () => (await goodput()) >= calm * 0.8);
    const said2 = `${source.mostAtOnce} loads at once, ${outdated} outdated reads`;
    expectThat(backMs !== undefined, `goodput not back after ${said(performance.now() - flushedMs)}; ${said2}`);
    const measure = { value: source.mostAtOnce, unit: 'loads at once', bound: CAP };
    expectThat(source.mostAtOnce <= CAP && outdated === 0, said2, measure);
    return { note: `${said2}, goodput back`, measure };
  } finally {
    isOver = true;
    await Promise.race([everything.catch(() => {}), sleep(WATCHED_MS)]);
  }
}

export const bulk: readonly Scenario[] = [overCluster, burst, flush];
