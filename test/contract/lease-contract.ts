import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Clock } from '../../src/core/clock.js';
import { type Entry, NO_PAYLOAD, NO_TAGS, tombstone } from '../../src/core/entry.js';
import { HLC_ZERO, type Hlc } from '../../src/core/hlc.js';
import { LEASE_MS, type LeaseAnswer, type LeaseOffice } from '../../src/core/lease.js';
import type { WriteOutcome } from '../../src/core/outcome.js';
import type { Tier, Write } from '../../src/core/tier.js';
import { systemClock } from '../../src/node/system-clock.js';

/** A node of a city, as an office sees it. */
export interface LeaseNode {
  readonly leases: LeaseOffice;
  /** The level whose leases they are. */
  readonly tier: Tier;
  close(): Promise<void>;
}

/**
 * Starts two nodes of a city that has no entries; the second one with the clock that is given. They have found each other
 * when it resolves.
 */
export type StartTwo = (clockOfOther: Clock) => Promise<readonly [LeaseNode, LeaseNode]>;

const LIFETIME_MS = 600_000;
const PATIENCE_MS = 10_000;

/** Its long timers never fire: what ends a wait then is that somebody told of the end. */
export const deafClock: Clock = {
  ...systemClock,
  schedule: (delayMs, run) => (delayMs > LEASE_MS / 2 ? () => {} : systemClock.schedule(delayMs, run)),
};

const soon = (what: string, check: () => boolean | Promise<boolean>) => waitUntil({ what, boundMs: 15_000 }, check);
const at = (ms: number): Hlc => ({ ms, counter: 0 });
const granted = { kind: 'granted' };

/** What every office of a city promises, whoever keeps the leases. */
export function leaseContract(name: string, startTwo: StartTwo): void {
  describe(`${name} keep the contract of an office of leases`, () => {
    let one: LeaseNode;
    let other: LeaseNode;
    const start = async (clockOfOther: Clock) => {
      [one, other] = await startTwo(clockOfOther);
    };
    const keysOf = (what: string) => Array.from({ length: 300 }, (_, i) => `${what} ${i} {🚚}`);

    describe('when the waits end by being told', () => {
      beforeEach(() => start(deafClock));
      afterEach(() => Promise.all([one.close(), other.close()]));

      it('are granted to one at a time, who may ask again', async () => {
        expect(await acquire(one, 'k', 'a')).toEqual(granted);
        expect((await acquire(other, 'k', 'b')).kind).toBe('busy');
        expect(await acquire(one, 'k', 'a')).toEqual(granted);
        expect(await acquire(other, 'l', 'b')).toEqual(granted);
      });

      it('are answered key by key, wherever the keys lie', async () => {
        const keys = keysOf('many');
        const half = keys.filter((_, i) => i % 2 === 0);
        const kinds = async ({ leases }: LeaseNode, some: readonly string[], token: string) =>
          (await leases.acquire(some, token, HLC_ZERO, callWithin(30_000))).map(({ kind }) => kind);
        expect(await kinds(one, half, 'a')).toEqual(half.map(() => 'granted'));
        expect(await kinds(other, keys, 'b')).toEqual(keys.map((_, i) => (i % 2 === 0 ? 'busy' : 'granted')));
        await one.leases.release(keys, 'a', callWithin(PATIENCE_MS));
        expect(await kinds(other, keys, 'b')).toEqual(keys.map(() => 'granted'));
      });

      it('are not granted on what was filled since', async () => {
        await write(one, 'k', valueAt(10), 'fill');
        expect(await acquire(other, 'k', 'b', at(9))).toEqual({ kind: 'filled' });
        expect(await acquire(other, 'k', 'b', at(10))).toEqual({ ...granted, occupied: true });
        await write(one, 'deleted', valueAt(10));
        await write(one, 'deleted', deletedAt(12, 10));
        expect(await acquire(other, 'deleted', 'b', at(9))).toEqual(granted);
        await write(one, 'stale', {
          ...valueAt(10),
          freshUntilMs: systemClock.wallMs() - 1,
          staleIfErrorMs: LIFETIME_MS,
        });
        expect(await acquire(other, 'stale', 'b', at(9))).toEqual(granted);
        await write(one, 'absent', { ...valueAt(10), kind: 'absent', payload: NO_PAYLOAD }, 'fill');
        expect(await acquire(other, 'absent', 'b', at(9))).toEqual({ kind: 'filled' });
      });

      it.each([
        ['a fill', valueAt(10), 'fill'],
        ['a fill of what is there', valueAt(5, 10), 'fill'],
        ['a set', valueAt(10), 'set'],
        ['a set of what is dead already', { ...valueAt(10), freshUntilMs: 1 }, 'set'],
        ['a delete', deletedAt(10, 5), 'set'],
      ] as const)('end with %s, and whoever waits is told', async (what, entry, mode) => {
        if (what === 'a fill of what is there') await write(one, 'k', valueAt(5));
        await acquire(one, 'k', 'a', at(6));
        const wait = await waitFor(other, 'k');
        expect((await write(one, 'k', entry, mode)).kind).toBe('stored');
        await soon('the end', () => wait.over);
        expect(await acquire(other, 'k', 'b', at(11))).toMatchObject(granted);
      });

      it('end with every entry of a batch', async () => {
        const keys = keysOf('batch');
        await one.leases.acquire(keys, 'a', at(6), callWithin(PATIENCE_MS));
        const waits = await Promise.all(keys.map((key) => waitFor(other, key)));
        const writes = keys.map((key): Write => ({ key, entry: valueAt(10), mode: 'fill' }));
        await one.tier.write(writes, callWithin(PATIENCE_MS));
        await soon('the ends', () => waits.every(({ over }) => over));
      });

      it('outlast a refused fill that was asked for before they began', async () => {
        await acquire(one, 'k', 'late', at(5));
        await write(other, 'k', deletedAt(10, 5));
        expect(await acquire(other, 'k', 'b', at(11))).toEqual(granted);
        expect((await write(one, 'k', valueAt(6), 'fill')).kind).toBe('superseded');
        expect((await acquire(one, 'k', 'c', at(12))).kind).toBe('busy');
        // The holder's own, though refused: nobody is to wait for him any longer.
        await write(other, 'k', deletedAt(20, 5));
        expect(await acquire(other, 'k', 'b', at(11))).toEqual(granted);
        expect((await write(other, 'k', valueAt(13), 'fill')).kind).toBe('superseded');
        expect(await acquire(one, 'k', 'c', at(12))).toEqual(granted);
      });

      it('end when they are given back, by nobody but their holder', async () => {
        await acquire(one, 'k', 'a');
        const wait = await waitFor(other, 'k');
        await one.leases.release(['k'], 'an older one', callWithin(PATIENCE_MS));
        expect((await acquire(other, 'k', 'b')).kind).toBe('busy');
        expect(wait.over).toBe(false);
        await one.leases.release(['k'], 'a', callWithin(PATIENCE_MS));
        await soon('the end', () => wait.over);
        expect(await acquire(other, 'k', 'b')).toEqual(granted);
        // A release that comes late does not free what somebody else has got since.
        await one.leases.release(['k'], 'a', callWithin(PATIENCE_MS));
        expect((await acquire(one, 'k', 'a')).kind).toBe('busy');
      });

      it('are unavailable when there is no time to ask, and after the end', async () => {
        const unavailable = [{ kind: 'unavailable' }, { kind: 'unavailable' }];
        expect(await one.leases.acquire(['k', 'l'], 'a', HLC_ZERO, callWithin(0))).toEqual(unavailable);
        await one.close();
        expect(await one.leases.acquire(['k', 'l'], 'a', HLC_ZERO, callWithin(1_000))).toEqual(unavailable);
        await one.leases.renew(['k'], 'a', callWithin(1_000));
        await one.leases.release(['k'], 'a', callWithin(1_000));
      });
    });

    describe('when nobody tells', () => {
      beforeEach(() => start(systemClock));
      afterEach(() => Promise.all([one.close(), other.close()]));

      it('run out when their holder is gone, and so do the waits', async () => {
        await acquire(one, 'k', 'gone');
        const answer = await acquire(other, 'k', 'b');
        if (answer.kind !== 'busy') throw new Error(answer.kind);
        await answer.ended;
        expect(await acquire(other, 'k', 'b')).toEqual(granted);
      });

      it('last while they are renewed by their holder', async () => {
        await acquire(one, 'renewed', 'a');
        await acquire(one, 'left alone', 'a');
        await soon('what is left alone to run out', async () => {
          await one.leases.renew(['renewed', 'left alone'], 'another', callWithin(1_000));
          await one.leases.renew(['renewed'], 'a', callWithin(1_000));
          return (await acquire(other, 'left alone', 'b')).kind === 'granted';
        });
        expect((await acquire(other, 'renewed', 'b')).kind).toBe('busy');
      });

      it('are waited for no longer than the call lasts', async () => {
        await acquire(one, 'k', 'a');
        const [answer] = await one.leases.acquire(['k'], 'b', HLC_ZERO, callWithin(300));
        if (answer?.kind !== 'busy') throw new Error(answer?.kind);
        await answer.ended;
        expect((await acquire(one, 'k', 'b')).kind).toBe('busy');
      });
    });
  });
}

/** Long enough for all that is no test of a deadline. */
function callWithin(ms: number) {
  return { deadlineAtMs: systemClock.monotonicMs() + ms, signal: undefined, reason: 'read' as const };
}

async function acquire({ leases }: LeaseNode, key: string, token: string, since = HLC_ZERO): Promise<LeaseAnswer> {
  return (await leases.acquire([key], token, since, callWithin(30_000)))[0] as LeaseAnswer;
}

async function write({ tier }: LeaseNode, key: string, entry: Entry, mode: Write['mode'] = 'set') {
  return (await tier.write([{ key, entry, mode }], callWithin(PATIENCE_MS)))[0] as WriteOutcome;
}

/** Waits for a lease that must be another's; says when the wait is over. */
async function waitFor(node: LeaseNode, key: string): Promise<{ over: boolean }> {
  const answer = await acquire(node, key, 'waiter', at(6));
  if (answer.kind !== 'busy') throw new Error(`the lease on ${key} is ${answer.kind}`);
  const wait = { over: false };
  void answer.ended.then(() => {
    wait.over = true;
  });
  return wait;
}

/** A value whose data came about at `atMs`, and were asked for then or at `askedMs`. */
function valueAt(atMs: number, askedMs = atMs): Entry {
  return {
    kind: 'value',
    payload: Buffer.from(`value ${atMs}`),
    version: { eventTimeMs: atMs, hlc: at(atMs), origin: 7 },
    fillStart: at(askedMs),
    fence: HLC_ZERO,
    createdAtMs: systemClock.wallMs(),
    freshUntilMs: systemClock.wallMs() + LIFETIME_MS,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags: NO_TAGS,
  };
}

function deletedAt(fenceMs: number, knownMs: number): Entry {
  const known = { eventTimeMs: knownMs, hlc: at(knownMs), origin: 7 };
  return tombstone(at(fenceMs), known, systemClock.wallMs(), LIFETIME_MS);
}
