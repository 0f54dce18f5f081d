import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connectTo, type RedisConnection } from '../../src/cli/servers/redis-node.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Clock } from '../../src/core/clock.js';
import { deadAtMs, type Entry, mergeEntries, TOMBSTONE_MS, tombstone, type WriteMode } from '../../src/core/entry.js';
import { compareHlc, HLC_ZERO, type Hlc, laterHlc } from '../../src/core/hlc.js';
import { partitionOf } from '../../src/core/key.js';
import { VERSION_ZERO } from '../../src/core/version.js';
import { systemClock } from '../../src/node/system-clock.js';
import { drawnEntry, plain, writeArbitrary } from '../contract/tier-contract.js';
import { makeOwnPrefix, startOwnRedis } from '../servers.js';
import { callWithin, deletedAt, RedisSubject, textOf, valueAt } from './subject.js';

/** Real, but for what the wall says: that stands still until it is moved on. */
function movableClock(): { readonly clock: Clock; moveMs(ms: number): void } {
  let wallMs = Math.floor(systemClock.wallMs());
  const clock: Clock = {
    monotonicMs: () => systemClock.monotonicMs(),
    wallMs: () => wallMs,
    uncertaintyMs: () => systemClock.uncertaintyMs(),
    schedule: (delayMs, run) => systemClock.schedule(delayMs, run),
  };
  return {
    clock,
    moveMs: (ms) => {
      wallMs += ms;
    },
  };
}

/** Keys that lie in one partition. */
function keysTogether(count: number, name: string): string[] {
  const keys: string[] = [];
  for (let i = 0; keys.length < count; i++) {
    const key = `${name} ${i}`;
    if (partitionOf(key) === partitionOf(`${name} 0`)) keys.push(key);
  }
  return keys;
}

const HOURS = 3_600_000;

describe('what is kept of a delete in Redis', () => {
  let server: RedisConnection;
  let subject: RedisSubject;
  let time: ReturnType<typeof movableClock>;
  const at = (key: string, rest = `:${key}`) => `${subject.prefix}{${partitionOf(key)}}${rest}`;
  const send = (...args: string[]) => server.sendCommand(args);
  /** As eviction and expiry do. */
  const evict = (key: string) => send('DEL', at(key));
  const deletion = (fenceMs: number, knownMs: number) => ({
    ...deletedAt(fenceMs, knownMs),
    freshUntilMs: time.clock.wallMs() + TOMBSTONE_MS,
  });

  beforeAll(async () => {
    server = await connectTo(Number(inject('redisSingle').split(':')[1]), 5_000);
  });
  afterAll(() => server.destroy());

  const open = async (): Promise<void> => {
    time = movableClock();
    subject = await RedisSubject.open([inject('redisSingle')], { clock: time.clock, prefix: makeOwnPrefix() });
  };
  const opened = (test: () => Promise<void>) => async (): Promise<void> => {
    await open();
    await test().finally(() => subject.redis.close());
  };

  it(
    'has no TTL, and neither has what says when it may go',
    opened(async () => {
      await subject.write('k', valueAt(5));
      await subject.write('k', deletion(7, 5));
      for (const rest of [':k', '!grave-times']) expect(await send('TTL', at('k', rest))).toBe(-1);
      await subject.write('k', valueAt(8));
      expect(Number(await send('PTTL', at('k')))).toBeGreaterThan(0);
      for (const rest of ['!graves', '!grave-times']) expect(await send('TTL', at('k', rest))).toBe(-1);
    }),
  );

  it(
    'refuses what was issued before it, though a value was stored over it and is gone',
    opened(async () => {
      await subject.write('k', deletion(7, 5));
      await subject.write('k', valueAt(8));
      await evict('k');
      expect((await subject.write('k', valueAt(6))).kind).toBe('superseded');
      expect((await subject.write('k', valueAt(6), 'fill')).kind).toBe('superseded');
      expect((await subject.write('k', valueAt(9))).kind).toBe('stored');
      expect(textOf(await subject.read('k'))).toBe('value 9');
    }),
  );

  it(
    'is kept of a delete that came with a value only',
    opened(async () => {
      await subject.write('k', { ...valueAt(8), fence: { ms: 7, counter: 0 } }, 'fill');
      await evict('k');
      expect((await subject.write('k', valueAt(6), 'fill')).kind).toBe('superseded');
      await subject.write('l', valueAt(8));
      await subject.write('l', deletion(7, 5));
      await evict('l');
      expect((await subject.write('l', valueAt(6))).kind).toBe('superseded');
    }),
  );

  it(
    'leaves its fence when its time is over, and nothing as old as that comes into its place',
    opened(async () => {
      await subject.write('k', deletion(7, 5));
      time.moveMs(3 * HOURS);
      expect((await subject.read('k')).kind).toBe('miss');
      expect((await subject.write('k', valueAt(6))).kind).toBe('superseded');
      expect((await subject.write('k', valueAt(6), 'fill')).kind).toBe('superseded');
      expect(await send('EXISTS', at('k'))).toBe(0);
      expect((await subject.write('k', valueAt(8), 'fill')).kind).toBe('stored');
    }),
  );

  it(
    'goes when its time is over, with other changes of the partition',
    opened(async () => {
      const [first = '', ...keys] = keysTogether(60, 'over');
      for (const key of keys.slice(0, 30)) await subject.write(key, deletion(7, 5));
      for (const key of keys.slice(0, 10)) await subject.write(key, valueAt(8));
      expect(await send('ZCARD', at(first, '!grave-times'))).toBe(30);
      time.moveMs(3 * HOURS);
      for (let i = 0; i < 17; i++) await subject.write(first, valueAt(10 + i));
      expect(await send('ZCARD', at(first, '!grave-times'))).toBe(0);
      expect(await send('HKEYS', at(first, '!graves'))).toEqual([Buffer.from('')].map(String));
      const left = await Promise.all(keys.slice(0, 30).map((key) => send('EXISTS', at(key))));
      expect(left.filter((exists) => Number(exists) === 1)).toHaveLength(10);
      expect((await subject.write(keys[20]!, valueAt(7), 'fill')).kind).toBe('superseded');
      // The floor is for places that are empty.
      expect((await subject.write(keys[40]!, valueAt(7))).kind).toBe('superseded');
      expect((await subject.write(keys[0]!, valueAt(9))).kind).toBe('stored');
    }),
  );

  it('is the state of mergeEntries after any writes, expiries, evictions and trims', { timeout: 120_000 }, async () => {
    await open();
    const [key = '', other = ''] = keysTogether(2, 'any');
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { minLength: 1, maxLength: 14 }), async (steps) => {
        await send('DEL', at(key), at(key, '!graves'), at(key, '!grave-times'));
        const model = new Model();
        for (const step of steps) {
          await play(step, model, key, other);
          const outcome = await subject.read(key);
          const seen = model.entry;
          expect(plain(outcome)).toEqual(seen === undefined ? { kind: 'miss' } : plain({ kind: 'found', entry: seen }));
          if (seen?.kind !== 'tombstone') continue;
          // What nobody would find again would never go.
          expect(await send('ZSCORE', at(key, '!grave-times'), key)).not.toBe(null);
        }
      }),
      { numRuns: 250 },
    );
    await subject.redis.close();
  });

  const play = async (step: Step, model: Model, key: string, other: string): Promise<void> => {
    switch (step.step) {
      case 'evict':
        if (model.evict()) await evict(key);
        break;
      case 'expire':
        time.moveMs(step.afterMs);
        // Redis goes by its own clock, which this one has left behind.
        if (model.expire(time.clock.wallMs())) await evict(key);
        break;
      case 'trim': {
        const changes = Array.from({ length: 16 }, () => ({ key: other, entry: later(), mode: 'set' as const }));
        await subject.redis.tier.write(changes, callWithin(5_000));
        break;
      }
      case 'write': {
        const nowMs = time.clock.wallMs();
        const entry = drawnEntry(step, nowMs);
        const isTaken = model.write(entry, step.mode, nowMs);
        expect((await subject.write(key, entry, step.mode)).kind).toBe(isTaken ? 'stored' : 'superseded');
      }
    }
  };

  let versions = 100;
  const later = (): Entry => {
    versions += 1;
    return { ...valueAt(versions), freshUntilMs: time.clock.wallMs() + 10 * HOURS };
  };
});

describe('deletes in a Redis that is full', () => {
  it('cannot be evicted, are bounded, and the oldest of too many still keep out what is older', async () => {
    const { node, stop } = await startOwnRedis({ maxMemoryMiB: 8 });
    const subject = await RedisSubject.open([node.address]);
    const server = await connectTo(node.port, 5_000);
    const at = (key: string, rest = `:${key}`) => `${subject.prefix}{${partitionOf(key)}}${rest}`;
    try {
      // What was written most often would be the last to go, whatever it is.
      await server.sendCommand(['CONFIG', 'SET', 'maxmemory-policy', 'volatile-random']);
      const deleted = keysTogether(60, 'deleted');
      for (const [i, key] of deleted.entries()) {
        await subject.write(key, valueAt(5));
        await subject.write(key, deletedAt(100 + i, 5));
      }
      const overlaid = deleted.slice(-12);
      for (const key of overlaid) expect((await subject.write(key, valueAt(1_000))).kind).toBe('stored');
      const filler = 'x'.repeat(4_000);
      let fillers = 0;
      const isEvicted = async () =>
        Number(await server.sendCommand(['EXISTS', ...overlaid.map((key) => at(key))])) < overlaid.length;
      await waitUntil({ what: 'a value over a delete to be evicted', boundMs: 30_000 }, async () => {
        const keys = Array.from({ length: 200 }, () => `filler ${fillers++}`);
        const writes = keys.map((key) => ({ key, entry: valueAt(5, filler), mode: 'set' as const }));
        await subject.redis.tier.write(writes, callWithin(10_000));
        return isEvicted();
      });
      // Memory for no more than the fewest that are kept of a partition, and what comes until the next look.
      const kept = Number(await server.sendCommand(['ZCARD', at(overlaid[0]!, '!grave-times')]));
      expect(kept).toBeGreaterThanOrEqual(16);
      expect(kept).toBeLessThanOrEqual(32);
      for (const [i, key] of deleted.entries()) {
        expect((await subject.write(key, valueAt(99 + i))).kind).toBe('superseded');
        expect((await subject.write(key, valueAt(100 + i), 'fill')).kind).toBe('superseded');
      }
      expect((await subject.write(deleted[0]!, valueAt(2_000), 'fill')).kind).toBe('stored');
      expect(subject.errors).toEqual([]);
    } finally {
      await subject.redis.close();
      server.destroy();
      await stop();
    }
  });

  it('are told to be in danger, once, when Redis may evict what has no TTL', async () => {
    const { node, stop } = await startOwnRedis();
    const server = await connectTo(node.port, 5_000);
    await server.sendCommand(['CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru']);
    const subject = await RedisSubject.open([node.address]);
    const warnings = () => subject.errors.filter(({ error }) => /maxmemory-policy allkeys-lru/.test(error.message));
    await waitUntil({ what: 'the warning', boundMs: 5_000 }, () => warnings().length > 0);
    await server.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
    await waitUntil({ what: 'a new connection', boundMs: 10_000 }, () => subject.gapsOf('k') > 1);
    expect(warnings()).toHaveLength(1);
    await subject.redis.close();
    server.destroy();
    await stop();
  });
});

/** What Redis is to keep of one key, in terms of `mergeEntries`. */
class Model {
  /** What readers find. */
  entry: Entry | undefined;
  /** What is kept of a delete while a value lies over it, or is gone. */
  #grave: Entry | undefined;
  #floor: Hlc = HLC_ZERO;

  /** @returns whether there was something that can be evicted */
  evict(): boolean {
    if (this.entry === undefined || this.entry.kind === 'tombstone') return false;
    this.entry = undefined;
    return true;
  }

  /** @returns whether a value has died */
  expire(wallMs: number): boolean {
    const isDead = (entry: Entry | undefined) => entry !== undefined && deadAtMs(entry) <= wallMs;
    if (this.entry?.kind === 'tombstone') {
      if (isDead(this.entry)) this.#forget(this.entry);
      return false;
    }
    if (isDead(this.#grave)) this.#forget(this.#grave as Entry);
    return isDead(this.entry) && this.evict();
  }

  /** @returns whether it was taken */
  write(incoming: Entry, mode: WriteMode, wallMs: number): boolean {
    const current = this.entry ?? this.#grave;
    if (
      current === undefined &&
      incoming.kind !== 'tombstone' &&
      this.#floor !== HLC_ZERO &&
      compareHlc(incoming.fillStart, this.#floor) <= 0
    )
      return false;
    const { entry, accepted } = mergeEntries(current, incoming, mode);
    const isNews = compareHlc(entry.fence, current?.fence ?? this.#floor) > 0;
    if (entry.kind !== 'tombstone') {
      if (current?.kind === 'tombstone') this.#grave = { ...current, fence: entry.fence };
      else if (isNews) this.#grave = tombstone(entry.fence, VERSION_ZERO, incoming.createdAtMs, 0);
      if (isNews && current?.kind !== 'tombstone')
        this.#grave = { ...(this.#grave as Entry), freshUntilMs: wallMs + TOMBSTONE_MS };
    }
    if (
      this.entry === undefined &&
      current !== undefined &&
      mode === 'fill' &&
      incoming.kind !== 'tombstone' &&
      !accepted
    ) {
      this.#grave = entry;
      return false;
    }
    this.entry = entry;
    this.expire(wallMs);
    return accepted;
  }

  #forget({ fence }: Entry): void {
    this.#floor = laterHlc(this.#floor, fence);
    this.#grave = undefined;
    if (this.entry?.kind === 'tombstone') this.entry = undefined;
  }
}

type Step = typeof stepArbitrary extends fc.Arbitrary<infer T> ? T : never;

const stepArbitrary = fc.oneof(
  { weight: 8, arbitrary: writeArbitrary.map((drawn) => ({ ...drawn, step: 'write' as const })) },
  { weight: 3, arbitrary: fc.constant({ step: 'evict' as const }) },
  { weight: 1, arbitrary: fc.constant({ step: 'trim' as const }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(300_000, 1_000_000, 3 * HOURS).map((afterMs) => ({ step: 'expire' as const, afterMs })),
  },
);
