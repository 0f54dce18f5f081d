import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { Call, CallReason } from '../core/call.js';
import { CacheError } from '../core/errors.js';
import { GuardSet } from './guard-set.js';

const MAX_MS = 200;
/** What a part is waited for that has always answered at once. */
const USUAL_MS = 50;

interface Asked {
  readonly end: () => Promise<unknown>;
  readonly answer: (value?: string) => void;
  readonly fail: (error: Error) => void;
}

function start() {
  const clock = new VirtualClock();
  const changes: string[] = [];
  const guards = new GuardSet({
    clock,
    noun: 'redis',
    breaker: { failures: 2, openMs: 500, openMaxMs: 2_000 },
    maxMs: MAX_MS,
    onChange: (part, out, error) => {
      changes.push(`${part} ${out ? 'out' : 'back'}${error === undefined ? '' : `: ${error.message}`}`);
    },
  });
  let asked = 0;
  const callOf = (reason: CallReason, withinMs: number): Call => ({
    deadlineAtMs: clock.monotonicMs() + withinMs,
    signal: undefined,
    reason,
  });
  const run = (part: string, work: () => Promise<unknown>, reason: CallReason = 'read', withinMs = 1_000, keys = 1) =>
    guards.run(
      part,
      callOf(reason, withinMs),
      () => {
        asked += 1;
        return work();
      },
      keys,
    );
  /** Asks, and leaves it to the test to answer. */
  const ask = (reason?: CallReason, withinMs?: number, keys?: number): Asked => {
    let answer!: (value: string) => void;
    let fail!: (error: Error) => void;
    const work = new Promise<string>((resolve, reject) => {
      answer = resolve;
      fail = reject;
    });
    const outcome = run('shard 1', () => work, reason, withinMs, keys).then(
      (value) => value,
      (thrown: unknown) => (thrown instanceof CacheError ? thrown.code : (thrown as Error).message),
    );
    return { end: () => outcome, answer: (value = 'fine') => answer(value), fail };
  };
  const fail = (part = 'shard 1', error: Error = new Error('down')) =>
    run(part, () => Promise.reject(error)).catch((thrown: unknown) => thrown);
  const answers = async (times = 20) => {
    for (let i = 0; i < times; i++) await run('shard 1', async () => 'fine');
  };
  /** A wait has just ended in silence. */
  const fallSilent = async () => {
    await answers();
    const lost = ask();
    await clock.advanceSettled(USUAL_MS);
    expect(await lost.end()).toBe('deadline');
    return lost;
  };
  return { clock, guards, changes, run, ask, fail, answers, fallSilent, asked: () => asked };
}

const down = expect.objectContaining({ message: 'down' });
const turnedAway = expect.objectContaining({ code: 'breaker-open', message: expect.stringContaining('redis shard 1') });

describe('a part that fails fast', () => {
  it('is not asked after so many failures in a row; the others are', async () => {
    const { guards, fail, run, asked, changes } = start();
    expect([await fail(), await fail(), await fail()]).toEqual([down, down, turnedAway]);
    expect(asked()).toBe(2);
    expect(await run('shard 2', async () => 'fine')).toBe('fine');
    expect([...guards.out]).toEqual(['shard 1']);
    expect(changes).toEqual(['shard 1 out: down']);
  });

  it('is forgiven with a success in between', async () => {
    const { fail, answers, changes } = start();
    await fail();
    await answers(1);
    expect([await fail(), changes]).toEqual([down, []]);
  });

  it('is asked once when the time is over, and is back when that ends well', async () => {
    const { clock, fail, ask, answers, changes, guards, asked } = start();
    await fail();
    await fail();
    clock.advance(500);
    const probe = ask();
    expect(await fail()).toEqual(turnedAway);
    expect(asked()).toBe(3);
    probe.answer();
    expect(await probe.end()).toBe('fine');
    expect([...guards.out]).toEqual([]);
    expect(changes).toEqual(['shard 1 out: down', 'shard 1 back']);
    await answers(1);
  });

  it('is left alone for twice as long after each probe that fails, up to the longest', async () => {
    const { clock, fail, changes } = start();
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

  it('is not blamed for callers who gave up, for overload, nor for bytes that cannot be read', async () => {
    const { clock, fail, changes, asked } = start();
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

  it('is not judged by calls that were under way when it went out, not even while another finds out', async () => {
    const { clock, guards, fail, ask, asked, changes } = start();
    const old = ask('write', 10_000);
    await fail();
    await fail();
    for (const ms of [150, 150, 150, 50]) {
      guards.heard('shard 1');
      await clock.advanceSettled(ms);
    }
    const probe = ask('write');
    old.fail(new CacheError('aborted', 'old'));
    expect(await old.end()).toBe('aborted');
    expect(await fail()).toEqual(turnedAway);
    probe.answer();
    await probe.end();
    expect([asked(), guards.out.size]).toEqual([4, 0]);
    expect(changes).toEqual(['shard 1 out: down', 'shard 1 back']);
  });

  it('stays out when the probe meets silence, and says so once', async () => {
    const { clock, fail, ask, changes } = start();
    await fail();
    await fail();
    clock.advance(500);
    const probe = ask();
    await clock.advanceSettled(MAX_MS);
    expect(await probe.end()).toBe('deadline');
    expect([await fail(), changes]).toEqual([turnedAway, ['shard 1 out: down']]);
  });

  it('is back when it greets a new connection', async () => {
    const { guards, fail, answers, changes } = start();
    await fail();
    await fail();
    guards.heard('shard 1');
    expect(await fail()).toEqual(turnedAway);
    guards.connected('shard 1');
    await answers(1);
    expect(changes).toEqual(['shard 1 out: down', 'shard 1 back']);
  });
});

describe('a part that does not answer', () => {
  it('costs one wait, which follows from how it answered before; then it is skipped', async () => {
    const { clock, fallSilent, ask, changes, asked } = start();
    await fallSilent();
    const before = asked();
    expect(await ask().end()).toBe('breaker-open');
    expect([asked(), clock.pending, changes]).toEqual([before, 0, []]);
  });

  it('is not skipped before the wait is over', async () => {
    const { clock, ask, answers } = start();
    await answers();
    const one = ask();
    await clock.advanceSettled(USUAL_MS - 1);
    const other = ask();
    one.answer();
    other.answer();
    expect([await one.end(), await other.end()]).toEqual(['fine', 'fine']);
  });

  it('is asked again at the first answer, which may be a late one', async () => {
    const { clock, fallSilent, ask, answers } = start();
    const lost = await fallSilent();
    await clock.advanceSettled(20);
    expect(await ask().end()).toBe('breaker-open');
    lost.answer();
    await clock.advanceSettled(0);
    await answers(1);
  });

  it('is waited for longer after a late answer', async () => {
    const { clock, fallSilent, ask } = start();
    const lost = await fallSilent();
    await clock.advanceSettled(30);
    lost.answer();
    await clock.advanceSettled(0);
    const next = ask();
    await clock.advanceSettled(USUAL_MS + 5);
    next.answer();
    expect(await next.end()).toBe('fine');
  });

  it('is asked again when it answers anybody else', async () => {
    const { guards, fallSilent, answers } = start();
    await fallSilent();
    guards.heard('shard 1');
    await answers(1);
  });

  it('is asked once in a while, by one call that waits no longer than the others did', async () => {
    const { clock, fallSilent, ask, changes } = start();
    await fallSilent();
    for (const openMs of [500, 1_000]) {
      await clock.advanceSettled(openMs);
      const probe = ask();
      expect(await ask().end()).toBe('breaker-open');
      await clock.advanceSettled(USUAL_MS);
      expect(await probe.end()).toBe('deadline');
    }
    expect(changes).toEqual(['shard 1 out: redis shard 1 did not answer before the deadline of the call']);
  });

  it('is waited for on by those whose time is over, while it answers others, up to their deadline', async () => {
    const { clock, ask, answers, changes } = start();
    await answers();
    const slow = ask('read', 200);
    for (let i = 0; i < 6; i++) {
      await clock.advanceSettled(30);
      await answers(1);
    }
    const answered = ask();
    await clock.advanceSettled(19);
    answered.answer();
    await answered.end();
    await clock.advanceSettled(1);
    expect(await slow.end()).toBe('deadline');
    // One slow answer among many good ones says nothing.
    await answers(1);
    expect(changes).toEqual([]);
  });

  it('is not judged by callers who wait for less than is usual', async () => {
    const { clock, ask, answers, changes } = start();
    await answers();
    for (let i = 0; i < 10; i++) {
      const hurried = ask('read', 10);
      await clock.advanceSettled(10);
      expect(await hurried.end()).toBe('deadline');
    }
    await answers(1);
    expect(changes).toEqual([]);
  });

  it('is given more time for a question for many keys', async () => {
    const { clock, ask, answers } = start();
    await answers();
    const many = ask('read', 1_000, 201);
    await clock.advanceSettled(USUAL_MS + 49);
    many.answer();
    expect(await many.end()).toBe('fine');
  });

  it('is waited for by a write for the maximum, counted from when the silence began', async () => {
    const { clock, ask, answers, changes } = start();
    await answers();
    const [early, read] = [ask('write'), ask()];
    await clock.advanceSettled(USUAL_MS);
    expect(await read.end()).toBe('deadline');
    const late = ask('write');
    await clock.advanceSettled(MAX_MS - USUAL_MS);
    expect([await early.end(), await late.end()]).toEqual(['deadline', 'deadline']);
    expect(changes).toEqual([expect.stringContaining('shard 1 out')]);
    expect(await ask('write').end()).toBe('breaker-open');
  });

  it('is waited for by a lease for the maximum', async () => {
    const { clock, ask, answers } = start();
    await answers();
    const lease = ask('lease');
    await clock.advanceSettled(MAX_MS - 1);
    lease.answer();
    expect(await lease.end()).toBe('fine');
  });

  it('is not waited for again by the lease that follows the read which found the silence', async () => {
    const { clock, fallSilent, ask } = start();
    await fallSilent();
    const lease = ask('lease');
    await clock.advanceSettled(MAX_MS);
    expect(await lease.end()).toBe('breaker-open');
  });

  it('is back with the answer to a write, though reads do not ask it', async () => {
    const { fallSilent, ask, answers, changes } = start();
    await fallSilent();
    const write = ask('write');
    expect(await ask().end()).toBe('breaker-open');
    write.answer();
    expect(await write.end()).toBe('fine');
    await answers(1);
    expect(changes).toEqual([]);
  });

  it('is judged by a call whose own deadline comes together with the end of the wait', async () => {
    const { clock, ask, answers } = start();
    await answers();
    const write = ask('write', MAX_MS);
    await clock.advanceSettled(MAX_MS);
    expect(await write.end()).toBe('deadline');
    expect(await ask('write').end()).toBe('breaker-open');
  });

  it('is judged also when what asks it gives up by itself', async () => {
    const { clock, ask, answers } = start();
    await answers();
    const write = ask('write', 190);
    await clock.advanceSettled(189);
    write.fail(new CacheError('deadline', 'nobody answered'));
    expect(await write.end()).toBe('deadline');
    expect(await ask().end()).toBe('breaker-open');
  });
});

describe('a part that is gone', () => {
  it('is forgotten', async () => {
    const { guards, fail, answers, changes } = start();
    await fail();
    await fail();
    guards.forget('shard 1');
    guards.forget('never met');
    guards.heard('never met');
    guards.connected('never met');
    expect(changes).toEqual(['shard 1 out: down', 'shard 1 back']);
    await answers(1);
  });

  it('is not remembered because of what was under way', async () => {
    const { guards, clock, ask, fail, changes } = start();
    const [one, other] = [ask('write'), ask('write')];
    await fail();
    guards.forget('shard 1');
    one.fail(new Error('down'));
    other.fail(new Error('down'));
    await clock.advanceSettled(0);
    expect([changes, [...guards.out]]).toEqual([[], []]);
    // The first failure of a part that has its name.
    expect([await fail(), changes]).toEqual([down, []]);
  });
});
