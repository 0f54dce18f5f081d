import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ABSENT_TTL_MS, LOAD_FAILURE_MS, LOAD_MS, slowSource, startNode, TTL_MS } from './cache-under-test.js';

const unhandled: unknown[] = [];
const note = (reason: unknown) => {
  unhandled.push(reason);
};
beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

describe('getOrLoad', () => {
  it('asks the source once for a hundred callers, and keeps the answer in every level', async () => {
    const { cache, clock, l2, l3 } = startNode();
    const { calls, load } = slowSource<number>();
    const all = Array.from({ length: 100 }, () => cache.getOrLoad('k', load));
    await clock.advanceSettled(0);
    expect(calls).toHaveLength(1);
    calls[0]?.resolve(7);
    expect(new Set(await Promise.all(all))).toEqual(new Set([7]));
    await clock.advanceSettled(0);
    expect(cache.peek('k')).toBe(7);
    expect([l2.entries.has('k'), l3.entries.has('k')]).toEqual([true, true]);
    expect(await cache.getOrLoad('k', load)).toBe(7);
    expect(calls).toHaveLength(1);
    expect(cache.stats()).toMatchObject({ loads: 1, loadErrors: 0 });
  });

  it('shares a failure, names it, and does not ask again for a moment (S8, S19)', async () => {
    const { cache, clock } = startNode();
    const failure = new Error('no route to the database');
    let loads = 0;
    const load = async () => {
      loads += 1;
      throw failure;
    };
    const all = Array.from({ length: 50 }, () => cache.getOrLoad('k', load));
    const wanted = { code: 'load-failed', cause: failure, message: expect.stringContaining('no route') };
    for (const one of all) await expect(one).rejects.toMatchObject(wanted);
    await clock.advanceSettled(LOAD_FAILURE_MS - 1);
    await expect(cache.getOrLoad('k', load)).rejects.toMatchObject(wanted);
    expect(loads).toBe(1);
    await clock.advanceSettled(1);
    expect(await cache.getOrLoad('k', async () => 7)).toBe(7);
    expect(await cache.getOrLoad('other', async () => 8)).toBe(8);
    expect(cache.stats()).toMatchObject({ loads: 3, loadErrors: 1 });
  });

  it('treats a loader that throws at once like one that rejects', async () => {
    const { cache } = startNode();
    const load = () => {
      throw new TypeError('a bug');
    };
    await expect(cache.getOrLoad('k', load)).rejects.toMatchObject({
      code: 'load-failed',
      cause: expect.any(TypeError),
    });
  });

  it('remembers that the source has nothing, as long as it is told to', async () => {
    const { cache, clock } = startNode();
    let loads = 0;
    const load = () => {
      loads += 1;
      return undefined;
    };
    expect([await cache.getOrLoad('k', load), await cache.getOrLoad('k', load)]).toEqual([undefined, undefined]);
    expect(loads).toBe(1);
    expect([await cache.has('k'), await cache.get('k'), (await cache.getMany(['k'])).size]).toEqual([
      false,
      undefined,
      0,
    ]);
    expect(await cache.getEntry('k')).toBeUndefined();
    await clock.advanceSettled(ABSENT_TTL_MS);
    await cache.getOrLoad('k', load);
    expect(loads).toBe(2);
    for (let i = 0; i < 3; i++) await cache.getOrLoad('other', load, { absentTtl: 0 });
    expect(loads).toBe(5);
  });

  it('does not serve what the source does not have any more, even while a level is out', async () => {
    const { cache, clock, l2, local } = startNode();
    await cache.set('k', 7, { ttl: '10s', staleIfError: '1h' });
    await clock.advanceSettled(10_000);
    l2.failing = new Error('out');
    expect(local.find('k')?.value).toBe(7);
    expect(await cache.getOrLoad('k', () => undefined, { absentTtl: 0 })).toBeUndefined();
  });

  it('serves stale while it refreshes once behind the callers, however many come meanwhile', async () => {
    const { cache, clock } = startNode();
    const { calls, load } = slowSource<number>();
    await cache.set('k', 7, { ttl: '10s', staleWhileRevalidate: '20s' });
    await clock.advanceSettled(10_000);
    expect(cache.peek('k')).toBeUndefined();
    const some = await Promise.all(Array.from({ length: 10 }, () => cache.getOrLoad('k', load)));
    await clock.advanceSettled(100);
    const more = await Promise.all(Array.from({ length: 10 }, () => cache.getOrLoad('k', load)));
    expect([...new Set([...some, ...more])]).toEqual([7]);
    expect(calls).toHaveLength(1);
    expect(cache.stats().staleServed).toBe(20);
    calls[0]?.resolve(8);
    await clock.advanceSettled(0);
    expect(cache.peek('k')).toBe(8);
    expect(clock.pending).toBe(0);
  });

  it('keeps the stale copy when its refresh fails, says so, and asks again only after a moment (S9, S10)', async () => {
    const { cache, clock } = startNode();
    const errors: unknown[] = [];
    cache.on('refresh-error', (detail) => errors.push(detail));
    let loads = 0;
    const load = async () => {
      loads += 1;
      throw new Error('out');
    };
    await cache.set('k', 7, { ttl: '10s', staleWhileRevalidate: '20s' });
    await clock.advanceSettled(10_000);
    for (let i = 0; i < 10; i++) expect(await cache.getOrLoad('k', load)).toBe(7);
    await clock.advanceSettled(0);
    expect(loads).toBe(1);
    expect(errors[0]).toEqual({ key: 'k', error: expect.objectContaining({ message: 'out' }) });
    await clock.advanceSettled(LOAD_FAILURE_MS);
    expect(await cache.getOrLoad('k', load)).toBe(7);
    await clock.advanceSettled(0);
    expect(loads).toBe(2);
  });

  it('takes it as gone when its refresh finds nothing (S9)', async () => {
    const { cache, clock } = startNode();
    await cache.set('k', 7, { ttl: '10s', staleWhileRevalidate: '20s' });
    await clock.advanceSettled(10_000);
    expect(await cache.getOrLoad('k', () => undefined)).toBe(7);
    await clock.advanceSettled(0);
    expect(await cache.getOrLoad('k', () => undefined)).toBeUndefined();
  });

  it('serves stale when the source fails, within its window and not beyond', async () => {
    const { cache, clock } = startNode();
    const load = async () => {
      throw new Error('out');
    };
    await cache.set('k', 7, { ttl: '10s', staleIfError: '20s' });
    await clock.advanceSettled(29_999);
    expect(await cache.getOrLoad('k', load)).toBe(7);
    expect(await cache.getEntry('k')).toBeUndefined();
    await clock.advanceSettled(1);
    await expect(cache.getOrLoad('k', load)).rejects.toMatchObject({ code: 'load-failed' });
  });

  it('serves stale to a plain read only when a level is out', async () => {
    const { cache, clock, l2 } = startNode();
    await cache.set('k', 7, { ttl: '10s', staleIfError: '20s' });
    await clock.advanceSettled(10_000);
    expect(await cache.get('k')).toBeUndefined();
    l2.failing = new Error('out');
    expect(await cache.get('k')).toBe(7);
    expect(await cache.getEntry('k')).toMatchObject({ value: 7, stale: true, level: 'local', ttlMs: 0 });
  });

  it('gives up on a source at its deadline, tells it to stop, and remembers the failure', async () => {
    const { cache, clock } = startNode();
    let stopped: AbortSignal | undefined;
    let gaveMs = 0;
    const load = ({ signal, remainingMs }: { signal: AbortSignal; remainingMs: number }) => {
      [stopped, gaveMs] = [signal, remainingMs];
      return new Promise<never>(() => {});
    };
    const answer = cache.getOrLoad('k', load);
    const refused = expect(answer).rejects.toMatchObject({ message: expect.stringContaining('deadline') });
    // What is left of the deadline is for a stale copy to stand in.
    const sourceMs = LOAD_MS * 0.95;
    await clock.advanceSettled(sourceMs - 1);
    expect(stopped?.aborted).toBe(false);
    await clock.advanceSettled(1);
    await refused;
    expect([stopped?.aborted, gaveMs]).toEqual([true, sourceMs]);
    await expect(cache.getOrLoad('k', async () => 7)).rejects.toMatchObject({ code: 'load-failed' });
  });

  it('of one whose time is up or who gives up does not stop the load of the others', async () => {
    const { cache, clock } = startNode();
    const { calls, load } = slowSource<number>();
    const controller = new AbortController();
    const given = expect(cache.getOrLoad('k', load, { signal: controller.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
    const short = expect(cache.getOrLoad('k', load, { deadline: 10 })).rejects.toMatchObject({ code: 'deadline' });
    const patient = cache.getOrLoad('k', load);
    controller.abort();
    await given;
    await clock.advanceSettled(10);
    await short;
    calls[0]?.resolve(7);
    expect(await patient).toBe(7);
    expect(calls).toHaveLength(1);
  });

  it('asks the source whatever is cached when told to, and is joined by nobody who did not ask for that', async () => {
    const { cache, clock, local } = startNode();
    const { calls, load } = slowSource<number>();
    await cache.set('k', 7);
    local.drop('k');
    const refreshed = expect(cache.getOrLoad('k', load, { refresh: true })).rejects.toMatchObject({
      code: 'load-failed',
    });
    await clock.advanceSettled(0);
    expect(await cache.get('k')).toBe(7);
    local.drop('k');
    const read = cache.getOrLoad('k', load);
    calls[0]?.reject(new Error('out'));
    await refreshed;
    expect(await read).toBe(7);
  });

  it('counts a load as failed when its value cannot be kept', async () => {
    const { cache } = startNode();
    const wanted = { code: 'load-failed', cause: expect.objectContaining({ code: 'invalid-value' }) };
    await expect(cache.getOrLoad('k', () => () => 1)).rejects.toMatchObject(wanted);
  });

  it('dates what it loads by its own time, so that two nodes agree on its version', async () => {
    const { cache, clock, l2 } = startNode();
    const time = clock.wallMs() - 5_000;
    await cache.getOrLoad('k', () => ({ time }), { eventTimeOf: (value) => value.time });
    await clock.advanceSettled(0);
    expect(l2.entries.get('k')?.version).toEqual({ eventTimeMs: time, hlc: { ms: 0, counter: 0 }, origin: 0 });
    await cache.getOrLoad('future', () => 1, { eventTimeOf: () => clock.wallMs() + 60_000 });
    await clock.advanceSettled(0);
    expect(l2.entries.get('future')?.version.eventTimeMs).toBe(clock.wallMs() + 5_000);
    expect(cache.stats().clampedEventTimes).toBe(1);
  });
});

describe('getOrLoadMany', () => {
  it('asks the source once for all that no level has, and each key once', async () => {
    const { cache, clock } = startNode();
    await cache.set('a', 1);
    const asked: (readonly string[])[] = [];
    const load = (keys: readonly string[]) => {
      asked.push(keys);
      return new Map(keys.filter((key) => key !== 'none').map((key) => [key, key.length]));
    };
    expect(await cache.getOrLoadMany(['a', 'bb', 'none', 'bb', 'ccc'], load)).toEqual(
      new Map([
        ['a', 1],
        ['bb', 2],
        ['ccc', 3],
      ]),
    );
    expect(asked).toEqual([['bb', 'none', 'ccc']]);
    await cache.getOrLoadMany(['a', 'a', 'bb'], load, { refresh: true });
    expect(asked[1]).toEqual(['a', 'bb']);
    await clock.advanceSettled(TTL_MS);
    expect(await cache.getOrLoadMany([], load)).toEqual(new Map());
  });

  it('keeps all of a large cold batch, however many are on their way at a time', async () => {
    const { cache, clock, l2 } = startNode();
    const sources = Array.from({ length: 8 }, () => slowSource<Map<string, number>>());
    const keysOf = (i: number) => Array.from({ length: 50 }, (_, k) => `k${i}.${k}`);
    const batches = sources.map(({ load }, i) =>
      cache.getOrLoadMany(keysOf(i), async () => (await load()) as Map<string, number>),
    );
    // So many reads are on their way that, were they counted with the fills, no fill would be left room.
    const holds = Array.from({ length: 300 }, (_, i) => [l2.hold('before read'), cache.get(`slow${i}`)] as const);
    await clock.advanceSettled(0);
    for (const [i, { calls }] of sources.entries()) calls[0]?.resolve(new Map(keysOf(i).map((key) => [key, 1])));
    await Promise.all(batches);
    await clock.advanceSettled(0);
    expect(sources.flatMap((_, i) => keysOf(i)).filter((key) => !l2.entries.has(key))).toEqual([]);
    for (const [hold] of holds) hold.release();
  });

  it('fails when the loader does not return a Map', async () => {
    const { cache } = startNode();
    const load = () => ({ a: 1 }) as unknown as Map<string, number>;
    await expect(cache.getOrLoadMany(['a'], load)).rejects.toMatchObject({ code: 'load-failed' });
  });
});
