import { beforeEach, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { Call } from '../core/call.js';
import { Turnstile } from './turnstile.js';

let clock: VirtualClock;
let turnstile: Turnstile;
/** Ends the work that is under way, the oldest first. */
let ends: (() => void)[];
let begun: string[];

beforeEach(() => {
  clock = new VirtualClock();
  turnstile = new Turnstile(clock, 'the gate', { insideMax: 2, waitingMax: 3 });
  ends = [];
  begun = [];
});

const settle = () => clock.advanceSettled(0);

function run(name: string, remainingMs = 1_000, signal?: AbortSignal): Promise<string> {
  const call: Call = { deadlineAtMs: clock.monotonicMs() + remainingMs, signal, reason: 'read' };
  return turnstile.run(call, () => {
    begun.push(name);
    return new Promise((resolve) => ends.push(() => resolve(name)));
  });
}

const fails = (work: Promise<string>, code: string) => expect(work).rejects.toMatchObject({ code });

it('lets in as many as it may, the others in the order in which they came', async () => {
  const work = ['a', 'b', 'c', 'd'].map((name) => run(name));
  await settle();
  expect(begun).toEqual(['a', 'b']);
  ends.shift()?.();
  await settle();
  expect(begun).toEqual(['a', 'b', 'c']);
  for (let end = ends.shift(); end !== undefined; end = ends.shift()) {
    end();
    await settle();
  }
  expect(await Promise.all(work)).toEqual(['a', 'b', 'c', 'd']);
});

it('gives the place back when the work fails', async () => {
  const call: Call = { deadlineAtMs: clock.monotonicMs() + 9, signal: undefined, reason: 'read' };
  for (let count = 0; count < 5; count++) {
    await expect(turnstile.run(call, () => Promise.reject(new Error('it broke')))).rejects.toThrow('it broke');
  }
});

it('turns away whoever would be one too many in line', async () => {
  const work = ['a', 'b', 'c', 'd', 'e'].map((name) => run(name));
  await fails(run('f'), 'overloaded');
  turnstile.close();
  for (const waiting of work.slice(2)) await fails(waiting, 'closed');
});

it('begins no work for a caller who has given up already', async () => {
  await fails(run('late', 0), 'deadline');
  await fails(run('gone', 1_000, AbortSignal.abort()), 'aborted');
  expect(begun).toEqual([]);
});

it('passes over those who gave up, at their deadline or before', async () => {
  const giving = new AbortController();
  const inside = [run('a'), run('b')];
  const late = fails(run('late', 50), 'deadline');
  const gone = fails(run('gone', 1_000, giving.signal), 'aborted');
  const patient = run('patient');
  await clock.advanceSettled(60);
  giving.abort();
  await Promise.all([late, gone]);
  ends.shift()?.();
  await settle();
  expect(begun).toEqual(['a', 'b', 'patient']);
  for (const end of ends) end();
  await Promise.all([...inside, patient]);
  expect(clock.pending).toBe(0);
});

it.each([0, 1, 2, 3, 4, 5, 6, 7])(
  'does not lose a place whose receiver gives up %i promises after its last holder is done',
  async (hops) => {
    const giving = new AbortController();
    const inside = [run('a'), run('b')];
    const gone = run('gone', 1_000, giving.signal).catch(() => 'gave up');
    const next = run('next');
    await settle();
    ends.shift()?.();
    for (let hop = 0; hop < hops; hop++) await Promise.resolve();
    giving.abort();
    for (let end = ends.shift(); end !== undefined; end = ends.shift()) {
      end();
      await settle();
    }
    await Promise.all([...inside, gone, next]);
    const both = [run('x'), run('y')];
    await settle();
    expect(begun.slice(-3)).toEqual(['next', 'x', 'y']);
    for (const end of ends) end();
    await Promise.all(both);
  },
);
