/** L2, or the way to it, is out for a while. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scenario } from '../scenario.js';
import { Source } from '../source.js';
import type { Stage } from '../stage.js';
import type { CacheNode } from '../subject.js';
import { Broken, type Held } from '../verdict.js';
import { expectThat, lastWrongMs, reached, said, timeUntil } from '../waiting.js';

const WATCHED_MS = 5_000;
const STALE_BOUND_MS = 1_000;
const WRITE_BOUND_MS = 5_000;

const lostMessage: Scenario = {
  id: 'S3',
  title: 'subscriber killed, one message lost, reconnect',
  quick: ['single', 'cluster'],
  // There is no subscriber then: every message is one that nobody gets.
  withoutRedis: ['peers-only', 'gutter'],
  limitMs: 40_000,
  run: (stage) =>
    stage.part('', async () => {
      const [a, b] = await stage.nodes(stage.hasRedis ? 2 : 5);
      const key = stage.key('watched');
      await a!.cache.set(key, 'old');
      await stage.holds(b!.cache, [key], 'old');
      b!.link.refuse('feed');
      b!.link.cut('feed');
      await a!.cache.set(key, 'new');
      if (stage.hasRedis) b!.link.accept();
      const staleMs = await lastWrongMs(WATCHED_MS, async () => {
        const { value, flagged } = await b!.cache.read(key);
        return value !== 'old' || flagged;
      });
      const measure = { value: Math.round(staleMs ?? WATCHED_MS), unit: 'ms stale', bound: STALE_BOUND_MS };
      expectThat(staleMs !== undefined, `stale for more than ${said(WATCHED_MS)}`, measure);
      expectThat(staleMs <= STALE_BOUND_MS, `stale for ${said(staleMs)}`, measure);
      return { note: `right after ${said(staleMs)}`, measure };
    }),
};

const COLD_SOURCE_MS = 50;
const OVERHEAD_MS = 100;
/** A hit is a matter of microseconds; this is what a timer may cost. */
const HIT_MS = 10;
const COLD_WATCHED_MS = 12_000;

const coldLoad: Scenario = {
  id: 'S4',
  title: 'L2 dead or hung, client defaults, cold getOrLoad; L1 hit',
  limitMs: 120_000,
  run: async (stage) => {
    const [node] = await stage.nodes(2);
    const { cache } = node!;
    const held = stage.key('held');
    await stage.holds(cache, [held], 'held');
    await stage.part('hung', async () => {
      await stage.redis.kill('SIGSTOP');
      try {
        return await answersInTime(stage, cache, held);
      } finally {
        await stage.redis.kill('SIGCONT');
      }
    });
    await stage.part('dead', async () => {
      await settled(stage, cache);
      await stage.holds(cache, [held], 'held');
      await stage.redis.kill('SIGKILL');
      return answersInTime(stage, cache, held);
    });
  },
};

/** Reads what this process holds, and loads what nobody has three times over. */
async function answersInTime(stage: Stage, cache: CacheNode, held: string): Promise<Held> {
  const lag = monitorEventLoopDelay({ resolution: 5 });
  lag.enable();
  const hitStartedMs = performance.now();
  const hit = await Promise.race([cache.get(held), sleep(COLD_WATCHED_MS, 'nothing')]).catch(String);
  const hitMs = performance.now() - hitStartedMs;
  const waits: number[] = [];
  let wrong: string | undefined;
  for (let i = 0; i < 3 && wrong === undefined; i++) {
    const startedMs = performance.now();
    const answer = await coldAnswer(cache, stage.key('cold'));
    const tookMs = performance.now() - startedMs;
    waits.push(tookMs - COLD_SOURCE_MS);
    if (answer !== 'loaded') wrong = `${answer} after ${said(tookMs)}`;
  }
  lag.disable();
  // What the machine itself was late is nobody's fault.
  const lateMs = lag.max / 1e6;
  const worstMs = Math.max(...waits);
  if (worstMs > OVERHEAD_MS + lateMs) wrong ??= `waits ${said(worstMs)} over the source's own time`;
  const hitWrong = hit !== 'held' ? `the hit is gone: ${String(hit)}` : `the hit takes ${said(hitMs)}`;
  if (hit !== 'held' || hitMs > HIT_MS + lateMs) wrong = wrong === undefined ? hitWrong : `${wrong}, ${hitWrong}`;
  const measure = { value: Math.round(worstMs), unit: 'ms over', bound: OVERHEAD_MS };
  expectThat(wrong === undefined, wrong ?? '', measure);
  return { note: `at most ${said(worstMs)} over the source's own time`, measure };
}

/** What a load of a key that nobody has comes to: `loaded`, or what else. */
async function coldAnswer(cache: CacheNode, key: string): Promise<string> {
  const source = new Source(async () => {
    await sleep(COLD_SOURCE_MS);
    return 'loaded';
  });
  const loading = cache.getOrLoad(key, source.load).then(String, (thrown: unknown) => `rejects: ${String(thrown)}`);
  return Promise.race([loading, sleep(COLD_WATCHED_MS, 'nothing')]);
}

/** Until the cache reaches Redis again: what one outage left behind is not the next one's. */
async function settled(stage: Stage, cache: CacheNode): Promise<void> {
  await stage.redis.whenWhole();
  const before = await stage.redis.commandCount();
  await timeUntil(WATCHED_MS, async () => {
    await cache.set(stage.key('probe'), 'there').catch(() => {});
    return (await stage.redis.commandCount()) > before + 10;
  });
}

const HUNG_MS = 5_000;
const BACK_BOUND_MS = 2_000;

const hungForAWhile: Scenario = {
  id: 'S4b',
  title: 'L2 hung for 5 s, then back; a write in the meantime',
  limitMs: 90_000,
  run: (stage) =>
    stage.part('', async () => {
      const [a, b] = await stage.nodes(2);
      const key = stage.key('written');
      await a!.cache.set(key, 'old');
      await stage.holds(b!.cache, [key], 'old');
      await stage.redis.kill('SIGSTOP');
      const writing = a!.cache.set(key, 'new').catch(() => {});
      await sleep(HUNG_MS);
      await stage.redis.kill('SIGCONT');
      await stage.redis.whenWhole();
      const backMs = performance.now();
      const says = async (): Promise<string> => {
        const values = await Promise.all(
          [a!.cache.get(key), b!.cache.get(key)].map((read) => read.catch(() => 'an error')),
        );
        return `writer says ${String(values[0])}, other node says ${String(values[1])}`;
      };
      const wanted = 'writer says new, other node says new';
      const tookMs = await timeUntil(WATCHED_MS, async () => (await says()) === wanted);
      expectThat(tookMs !== undefined, `after ${said(performance.now() - backMs)} ${await says()}`);
      const measure = { value: Math.round(tookMs), unit: 'ms', bound: BACK_BOUND_MS };
      expectThat(tookMs <= BACK_BOUND_MS, `only after ${said(tookMs)}`, measure);
      await reached('the write', HUNG_MS * 2, writing);
      await sleep(500);
      expectThat((await says()) === wanted, `later ${await says()}`);
      return { note: `both new after ${said(tookMs)}`, measure };
    }),
};

const writesFailing: Scenario = {
  id: 'S13',
  title: 'writes with L2 failing: resolve, say so, are queued',
  limitMs: 120_000,
  run: async (stage) => {
    const [a, b] = await stage.nodes(2);
    await stage.part('refused', async () => {
      await stage.redis.commandAll(['CONFIG', 'SET', 'maxmemory-policy', 'noeviction']);
      await stage.redis.commandAll(['CONFIG', 'SET', 'maxmemory', '1']);
      return queued(stage, a!.cache, b!.cache, async () => {
        await stage.redis.commandAll(['CONFIG', 'SET', 'maxmemory', '0']);
      });
    });
    await stage.part('dead', async () => {
      await stage.redis.kill('SIGKILL');
      return queued(stage, a!.cache, b!.cache, () => stage.redis.restart());
    });
  },
};

/** Writes at one node while L2 fails, mends L2, and looks at the other node. */
async function queued(stage: Stage, writer: CacheNode, other: CacheNode, mend: () => Promise<void>): Promise<string> {
  const key = stage.key('written');
  let wrong: string | undefined;
  try {
    const told = await reached('the write', WRITE_BOUND_MS, writer.set(key, 'written'));
    if (told === 'stored') wrong = 'says that L2 has it';
    if (told === 'failed') wrong = 'says that it failed, and does not queue it';
  } catch (thrown) {
    wrong = thrown instanceof Broken ? `does not resolve: ${thrown.message}` : `rejects: ${String(thrown)}`;
  }
  await mend();
  const tookMs = await timeUntil(WATCHED_MS, async () => {
    const value = await other.get(key).catch(() => undefined);
    return value === 'written';
  });
  if (tookMs === undefined) wrong = `${wrong === undefined ? '' : `${wrong}; `}the other node never gets it`;
  if (wrong !== undefined) throw new Broken(wrong);
  return `there ${said(tookMs ?? 0)} after L2 was back`;
}

export const outages: readonly Scenario[] = [lostMessage, coldLoad, hungForAWhile, writesFailing];
