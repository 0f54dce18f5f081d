/** How the source is treated: how often it is asked, and what becomes of its failures. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProcess } from '../node-process.js';
import type { Scenario } from '../scenario.js';
import { Gate, Source } from '../source.js';
import type { StageNode } from '../stage.js';
import { expectThat, reached, timeUntil } from '../waiting.js';

const ANSWER_BOUND_MS = 20_000;
const SOURCE_MS = 200;
const FAILING_MS = 20;

const stampede: Scenario = {
  id: 'S7',
  title: '4 nodes x 25 callers, cold key; the loading node killed',
  quick: ['single'],
  withoutRedis: ['peers-only', 'gutter'],
  limitMs: 180_000,
  run: async (stage) => {
    await stage.part('cold key', async () => {
      const nodes = await stage.nodes(4);
      const key = stage.key('popular');
      const source = new Source(async () => {
        await sleep(SOURCE_MS);
        return 'loaded';
      });
      const asked = nodes.flatMap(({ cache }) => Array.from({ length: 25 }, () => cache.getOrLoad(key, source.load)));
      const got = await reached('100 callers', ANSWER_BOUND_MS, Promise.all(asked));
      expectThat(
        got.every((value) => value === 'loaded'),
        'a caller got something else',
      );
      const measure = { value: source.calls, unit: 'loads', bound: 1 };
      expectThat(source.calls === 1, `${source.calls} loads`, measure);
      return { note: '1 load', measure };
    });
    await stage.part('loading node killed', async () => {
      const nodes = await stage.processes([0, 0, 0, 0]);
      const { calls, got } = await loadAndKill(nodes, stage.key('killed'));
      expectThat(
        got.every((value) => value === 'loaded'),
        `a caller got ${String(got.find((value) => value !== 'loaded'))}`,
      );
      expectThat(calls <= 2, `${calls} loads`);
      return `${calls} loads`;
    });
  },
};

/** The node that is asked to load first is killed in the middle of it; the others' callers are asked what they got. */
async function loadAndKill(
  nodes: readonly StageNode<NodeProcess>[],
  key: string,
): Promise<{ calls: number; got: unknown[] }> {
  let calls = 0;
  const first = new Gate();
  let holder: NodeProcess | undefined;
  const loadOf = (cache: NodeProcess) => async (): Promise<unknown> => {
    calls += 1;
    if (holder === undefined) {
      holder = cache;
      first.open();
      return new Promise(() => {});
    }
    await sleep(SOURCE_MS);
    return 'loaded';
  };
  const asked = nodes.flatMap(({ cache }) =>
    Array.from({ length: 25 }, async () => {
      const value = await cache.getOrLoad(key, loadOf(cache)).catch((thrown: unknown) => thrown);
      return { cache, value };
    }),
  );
  await reached('a load', ANSWER_BOUND_MS, first.opened);
  await sleep(SOURCE_MS);
  holder?.signal('SIGKILL');
  const got = await reached('the callers of the other nodes', ANSWER_BOUND_MS, Promise.all(asked));
  return { calls, got: got.filter(({ cache }) => cache !== holder).map(({ value }) => value) };
}

const failingSource: Scenario = {
  id: 'S8',
  title: '50 callers, source failing: at once, and 5 ms apart',
  quick: ['single'],
  limitMs: 40_000,
  run: async (stage) => {
    const { cache } = await stage.node();
    const failing = () =>
      new Source(async () => {
        await sleep(FAILING_MS);
        throw new Error('the source is down');
      });
    await stage.part('at once', async () => {
      const key = stage.key('failing');
      const source = failing();
      await settleAll(Array.from({ length: 50 }, () => cache.getOrLoad(key, source.load)));
      expectThat(source.calls === 1, `${source.calls} calls, ${source.mostAtOnce} at once`);
      return '1 call';
    });
    await stage.part('5 ms apart', async () => {
      const key = stage.key('failing');
      const source = failing();
      const startedMs = performance.now();
      const asked: Promise<unknown>[] = [];
      for (let i = 0; i < 50; i++) {
        asked.push(cache.getOrLoad(key, source.load).catch(() => {}));
        await sleep(5);
      }
      await settleAll(asked);
      // Remembered for longer than the load itself took, on the slowest machine.
      const allowed = 1 + Math.floor((performance.now() - startedMs) / 100);
      const said = `${source.calls} ${source.calls === 1 ? 'call' : 'calls'}, ${source.mostAtOnce} at once`;
      const measure = { value: source.calls, unit: 'calls', bound: allowed };
      expectThat(source.mostAtOnce === 1 && source.calls <= allowed, said, measure);
      return { note: said, measure };
    });
  },
};

async function settleAll(work: readonly Promise<unknown>[]): Promise<void> {
  await reached('the callers', ANSWER_BOUND_MS, Promise.allSettled(work));
}

const noStaleCopy: Scenario = {
  id: 'S19',
  title: 'a failing loader without a stale copy',
  quick: ['single'],
  limitMs: 30_000,
  run: (stage) =>
    stage.part('', async () => {
      const { cache } = await stage.node();
      const reason = 'the vehicle table is locked';
      const loading = cache.getOrLoad(stage.key('failing'), async () => {
        throw new Error(reason);
      });
      const thrown = await reached(
        'the answer',
        ANSWER_BOUND_MS,
        loading.then(
          (value) => ({ value }),
          (error: unknown) => ({ error }),
        ),
      );
      expectThat('error' in thrown, `resolves with ${'value' in thrown ? String(thrown.value) : ''}`);
      expectThat(isCausedBy(thrown.error, reason), `rejects with something else: ${String(thrown.error)}`);
      return 'rejects with the cause';
    }),
};

function isCausedBy(error: unknown, reason: string): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (at.message === reason) return true;
  return false;
}

const refreshWithoutValue: Scenario = {
  id: 'S9',
  title: 'background refresh whose loader returns undefined or rejects',
  quick: ['single'],
  limitMs: 40_000,
  run: async (stage) => {
    const options = { ttlMs: 1_000, whileRevalidateMs: 60_000 };
    const [node] = await stage.nodes(1, options);
    const { cache } = node!;
    const outdated = async (key: string) => {
      await cache.getOrLoad(key, async () => 'first', options);
      await sleep(options.ttlMs + 100);
    };
    await stage.part('undefined', async () => {
      const key = stage.key('refreshed');
      await outdated(key);
      const source = new Source(() => undefined);
      await cache.getOrLoad(key, source.load, options);
      // Who serves nothing past its time without a source says at once that it is gone: that is not what is asked here.
      const asked = await timeUntil(ANSWER_BOUND_MS / 4, async () => source.calls > 0);
      expectThat(asked !== undefined, 'the source is not asked');
      const gone = await timeUntil(ANSWER_BOUND_MS / 4, async () => (await cache.get(key)) === undefined);
      expectThat(gone !== undefined, 'the entry stays, though the source has none');
      return 'absent';
    });
    await stage.part('rejects', async () => {
      const key = stage.key('refreshed');
      await outdated(key);
      const source = new Source(async () => {
        throw new Error('the source is down');
      });
      for (let i = 0; i < 3; i++) {
        const value = await cache.getOrLoad(key, source.load, options);
        expectThat(value === 'first', `serves ${String(value)}, not the stale copy`);
        // Long enough for a rejection that nobody handles to end the process.
        await sleep(100);
      }
      expectThat(source.calls > 0, 'the source is not asked');
      return 'stale copy kept';
    });
  },
};

const backOff: Scenario = {
  id: 'S10',
  title: 'expired long ago, source failing, 10 reads',
  quick: ['single'],
  limitMs: 40_000,
  run: (stage) =>
    stage.part('', async () => {
      const [node] = await stage.nodes(1, { ttlMs: 1_000 });
      const { cache } = node!;
      const options = { ttlMs: 1_000, ifErrorMs: 600_000 };
      const key = stage.key('expired');
      await cache.getOrLoad(key, async () => 'first', options);
      await sleep(options.ttlMs + 500);
      const source = new Source(async () => {
        throw new Error('the source is down');
      });
      const startedMs = performance.now();
      const served = new Set<unknown>();
      for (let i = 0; i < 10; i++) served.add(await cache.getOrLoad(key, source.load, options).catch(() => 'an error'));
      // At most two a second are a back-off; none at all would never notice that the source is back.
      const allowed = 1 + Math.floor((performance.now() - startedMs) / 500);
      const measure = { value: source.calls, unit: 'calls', bound: allowed };
      expectThat(source.calls <= allowed, `${source.calls} calls, serves ${[...served].join(', ')}`, measure);
      expectThat(source.calls > 0, 'the source is not asked');
      expectThat(served.size === 1 && served.has('first'), `serves ${[...served].join(', ')}`);
      return { note: `${source.calls} call, stale copy served`, measure };
    }),
};

export const loads: readonly Scenario[] = [stampede, failingSource, refreshWithoutValue, backOff, noStaleCopy];
