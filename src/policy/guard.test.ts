import { describe, expect, it } from 'vitest';
import { valueEntry } from '../../test/core/entries.js';
import { MemoryTier } from '../../test/memory-tier.js';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { Call } from '../core/call.js';
import { MISS, type Outcome } from '../core/outcome.js';
import type { Tier } from '../core/tier.js';
import { guardTier, sliceTier } from './guard.js';

describe('guardTier', () => {
  const slices = { readMs: 100, writeMs: 200 };
  const write = { key: 'k', entry: valueEntry(1), mode: 'set' } as const;
  const startTier = () => {
    const clock = new VirtualClock();
    const tier = new MemoryTier('peer', clock);
    const call = (waitMs: number): Call => ({
      deadlineAtMs: clock.monotonicMs() + waitMs,
      signal: undefined,
      reason: 'read',
    });
    return { clock, tier, call };
  };
  const failed = (code: string) => ({ kind: 'failed', error: expect.objectContaining({ code }) });

  it('passes on what the tier says', async () => {
    const { clock, tier, call } = startTier();
    const guarded = guardTier(tier, slices, clock);
    expect(guarded.level).toBe('peer');
    expect(await guarded.write([write], call(1_000))).toEqual([{ kind: 'stored' }]);
    const outcomes = await guarded.read(['k', 'other'], call(1_000));
    expect(outcomes).toEqual([{ kind: 'found', entry: write.entry }, { kind: 'miss' }]);
    await guarded.close();
    expect([tier.closed, clock.pending]).toEqual([true, 0]);
  });

  it('tells the tier what the asker holds', async () => {
    const { clock, tier, call } = startTier();
    const same: Tier = {
      level: 'peer',
      read: async (keys, _call, _serves, held) =>
        keys.map((key) => ({ kind: 'found', entry: held?.(key)?.entry ?? valueEntry(9), same: true })),
      write: tier.write,
      close: () => tier.close(),
    };
    const held = () => ({ entry: write.entry, sizeBytes: 1 });
    const outcomes = await guardTier(same, slices, clock).read(['k'], call(1_000), undefined, held);
    expect(outcomes).toEqual([{ kind: 'found', entry: write.entry, same: true }]);
  });

  it.each([
    ['its slice', 10_000, 100, 200],
    ['the deadline of the call', 40, 40, 40],
  ])('does not wait for a slow tier beyond %s, and fails for every key', async (_, waitMs, readMs, writeMs) => {
    const { clock, tier, call } = startTier();
    const guarded = guardTier(tier, slices, clock);
    const holds = [tier.hold('before read'), tier.hold('before write')];
    let ended = 0;
    const read = guarded.read(['a', 'b'], call(waitMs)).finally(() => {
      ended += 1;
    });
    await clock.advanceSettled(readMs - 1);
    expect(ended).toBe(0);
    await clock.advanceSettled(1);
    expect(await read).toEqual([failed('deadline'), failed('deadline')]);
    const written = guarded.write([write], call(waitMs)).finally(() => {
      ended += 1;
    });
    await clock.advanceSettled(writeMs - 1);
    expect(ended).toBe(1);
    await clock.advanceSettled(1);
    expect(await written).toEqual([failed('deadline')]);
    for (const hold of holds) hold.release();
  });

  it('fails when the caller gives up', async () => {
    const { clock, tier, call } = startTier();
    tier.hold('before read');
    const controller = new AbortController();
    const read = guardTier(tier, slices, clock).read(['a'], { ...call(1_000), signal: controller.signal });
    controller.abort();
    expect(await read).toEqual([failed('aborted')]);
  });

  it('does not ask when there is no time left', async () => {
    const { clock, tier, call } = startTier();
    const guarded = guardTier(tier, slices, clock);
    const skipped = { kind: 'skipped', why: 'no-time' };
    expect(await guarded.read(['a', 'b'], call(0))).toEqual([skipped, skipped]);
    expect(await guarded.write([write], call(-5))).toEqual([skipped]);
    expect(tier.asked).toEqual([]);
  });

  const badly: [string, Partial<Tier>, unknown][] = [
    [
      'rejects',
      { read: () => Promise.reject(new Error('broken')), write: () => Promise.reject('text') },
      expect.any(Error),
    ],
    ['throws', { read: throwing, write: throwing }, expect.any(TypeError)],
    [
      'forgets a key',
      { read: async () => [], write: async () => [] },
      expect.objectContaining({ code: 'level-failed' }),
    ],
  ];
  it.each(badly)('fails for every key when the tier %s', async (_, how, error) => {
    const { clock, tier, call } = startTier();
    const bad: Tier = { level: 'peer', read: tier.read, write: tier.write, close: () => tier.close(), ...how };
    const guarded = guardTier(bad, slices, clock);
    expect(await guarded.read(['a', 'b'], call(50))).toEqual([
      { kind: 'failed', error },
      { kind: 'failed', error },
    ]);
    expect(await guarded.write([write], call(50))).toEqual([{ kind: 'failed', error }]);
  });
});

function throwing(): never {
  throw new TypeError('a bug');
}

describe('sliceTier', () => {
  it('asks the tier with the nearer of the slice and the deadline of the call', async () => {
    const clock = new VirtualClock();
    const inner = new MemoryTier('distributed', clock);
    const leftMs: number[] = [];
    const note = (call: Call) => leftMs.push(call.deadlineAtMs - clock.monotonicMs());
    const noting: Tier = {
      level: inner.level,
      read: (keys, call) => {
        note(call);
        return inner.read(keys);
      },
      write: (writes, call) => {
        note(call);
        return inner.write(writes);
      },
      close: () => inner.close(),
    };
    const sliced = sliceTier(noting, { readMs: 100, writeMs: 200 }, clock);
    for (const waitMs of [10_000, 40]) {
      const call: Call = { deadlineAtMs: clock.monotonicMs() + waitMs, signal: undefined, reason: 'read' };
      expect(await sliced.write([{ key: 'k', entry: valueEntry(1), mode: 'set' }], call)).toHaveLength(1);
      expect(await sliced.read(['k'], call)).toHaveLength(1);
    }
    await sliced.close();
    expect([sliced.level, leftMs, inner.closed]).toEqual(['distributed', [200, 100, 40, 40], true]);
  });

  it('gives the failure of the tier as the answer for every key', async () => {
    const clock = new VirtualClock();
    const fail = () => Promise.reject(new Error('a part broke'));
    const broken: Tier = { level: 'distributed', read: fail, write: fail, close: async () => {} };
    const sliced = sliceTier(broken, { readMs: 100, writeMs: 200 }, clock);
    const call: Call = { deadlineAtMs: clock.monotonicMs() + 1_000, signal: undefined, reason: 'read' };
    const failure = { kind: 'failed', error: expect.objectContaining({ message: 'a part broke' }) };
    expect(await sliced.read(['k', 'l'], call)).toEqual([failure, failure]);
    expect(await sliced.write([{ key: 'k', entry: valueEntry(1), mode: 'set' }], call)).toEqual([failure]);
  });

  it('asks one by one, too, where the tier can, within the slice', () => {
    const clock = new VirtualClock();
    const asked: number[] = [];
    const told: unknown[] = [];
    const inner: Tier = {
      level: 'distributed',
      read: () => Promise.reject(new Error('not asked like this')),
      ask: (keys, call, held, taker) => {
        asked.push(call.deadlineAtMs - clock.monotonicMs());
        if (held !== undefined) throw new TypeError('a bug');
        for (const at of keys.keys()) taker.take(MISS, at);
      },
      write: () => Promise.reject(new Error('not asked')),
      close: async () => {},
    };
    const sliced = sliceTier(inner, { readMs: 100, writeMs: 200 }, clock);
    const taker = { take: (outcome: Outcome, at: number) => void told.push([outcome.kind, at]) };
    const call: Call = { deadlineAtMs: clock.monotonicMs() + 1_000, signal: undefined, reason: 'read' };
    sliced.ask?.(['k', 'l'], call, undefined, taker);
    sliced.ask?.(['k'], call, () => undefined, taker);
    expect([asked, told]).toEqual([
      [100, 100],
      [
        ['miss', 0],
        ['miss', 1],
        ['failed', 0],
      ],
    ]);
    const without: Tier = { level: 'peer', read: inner.read, write: inner.write, close: inner.close };
    expect(sliceTier(without, { readMs: 100, writeMs: 200 }, clock).ask).toBeUndefined();
  });
});
