import { describe, expect, it } from 'vitest';
import { valueEntry } from '../../test/core/entries.js';
import { MemoryTier } from '../../test/memory-tier.js';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { Call } from '../core/call.js';
import { CacheError } from '../core/errors.js';
import type { Tier } from '../core/tier.js';
import { GuardSet, guardTier } from './guard.js';

function startGuards() {
  const clock = new VirtualClock();
  const changes: string[] = [];
  const guards = new GuardSet(clock, { failures: 2, openMs: 500, openMaxMs: 2_000 }, (part, out, error) => {
    changes.push(`${part} ${out ? 'out' : 'back'}${error === undefined ? '' : `: ${error.message}`}`);
  });
  let asked = 0;
  const ask = (part: string, outcome: () => Promise<unknown>) =>
    guards.run(part, () => {
      asked += 1;
      return outcome();
    });
  const fail = (part = 'shard 1', error: Error = new Error('down')) =>
    ask(part, () => Promise.reject(error)).catch((thrown: unknown) => thrown);
  return { clock, guards, changes, ask, fail, asked: () => asked };
}

const down = expect.objectContaining({ message: 'down' });
const turnedAway = expect.objectContaining({ code: 'breaker-open', message: expect.stringContaining('shard 1') });

describe('GuardSet', () => {
  it('turns calls away after so many failures in a row, for that part only', async () => {
    const { guards, fail, ask, asked, changes } = startGuards();
    expect([await fail(), await fail(), await fail()]).toEqual([down, down, turnedAway]);
    expect(asked()).toBe(2);
    expect(await ask('shard 2', async () => 'fine')).toBe('fine');
    expect([...guards.out]).toEqual(['shard 1']);
    expect(changes).toEqual(['shard 1 out: down']);
  });

  it('forgets failures with a success in between', async () => {
    const { fail, ask, changes } = startGuards();
    await fail();
    await ask('shard 1', async () => 'fine');
    expect([await fail(), changes]).toEqual([down, []]);
  });

  it('lets one call find out when the time is over, and is back when it ends well', async () => {
    const { clock, fail, ask, changes, guards, asked } = startGuards();
    await fail();
    await fail();
    clock.advance(500);
    let answer!: (value: string) => void;
    const probe = ask(
      'shard 1',
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    expect(await fail()).toEqual(turnedAway);
    expect(asked()).toBe(3);
    answer('fine');
    expect(await probe).toBe('fine');
    expect([...guards.out]).toEqual([]);
    expect(changes).toEqual(['shard 1 out: down', 'shard 1 back']);
    expect(await ask('shard 1', async () => 'again')).toBe('again');
  });

  it('waits twice as long after each probe that fails, up to the longest', async () => {
    const { clock, fail, changes } = startGuards();
    await fail();
    await fail();
    for (const openMs of [500, 1_000, 2_000, 2_000]) {
      clock.advance(openMs - 1);
      expect(await fail()).toEqual(turnedAway);
      clock.advance(1);
      expect(await fail()).toEqual(down);
    }
    expect(changes).toEqual(['shard 1 out: down']);
  });

  it('is told nothing by callers who gave up, by overload, nor by bytes that cannot be read', async () => {
    const { clock, fail, changes, asked } = startGuards();
    for (const code of ['aborted', 'overloaded', 'corrupt-entry'] as const) {
      for (let i = 0; i < 5; i++) await fail('shard 1', new CacheError(code, code));
    }
    expect([changes, asked()]).toEqual([[], 15]);
    await fail();
    await fail();
    clock.advance(500);
    await fail('shard 1', new CacheError('aborted', 'the prober gave up'));
    expect(await fail()).toEqual(down);
  });

  it('is told nothing by the end of calls that were under way when it opened, not even while another call finds out', async () => {
    const { clock, guards, fail, ask, asked, changes } = startGuards();
    let failOld!: (error: Error) => void;
    const old = ask(
      'shard 1',
      () =>
        new Promise((_, reject) => {
          failOld = reject;
        }),
    );
    await fail();
    await fail();
    clock.advance(500);
    let answer!: (value: string) => void;
    const probe = ask(
      'shard 1',
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    failOld(new CacheError('aborted', 'old'));
    await expect(old).rejects.toThrow('old');
    expect(await fail()).toEqual(turnedAway);
    answer('fine');
    await probe;
    expect([asked(), guards.out.size]).toEqual([4, 0]);
    expect(changes).toEqual(['shard 1 out: down', 'shard 1 back']);
  });

  it('forgets a part that is gone', async () => {
    const { guards, fail, ask, changes } = startGuards();
    await fail();
    await fail();
    guards.forget('shard 1');
    guards.forget('never met');
    expect(changes).toEqual(['shard 1 out: down', 'shard 1 back']);
    expect(await ask('shard 1', async () => 'new')).toBe('new');
  });
});

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
