import { expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { Call } from '../core/call.js';
import { MISS, type Outcome } from '../core/outcome.js';
import { KeyRead, Reading } from './key-read.js';
import { BATCH_KEYS_MAX } from './limits.js';
import type { Member } from './member.js';
import type { PeerRead } from './transport.js';
import { TurnReads } from './turn-reads.js';

const one: Member = { id: '00000000000b', address: 'one', weight: 1 };
const two: Member = { id: '00000000000c', address: 'two', weight: 1 };
const DUE_MS = 10_000;

class FirstAnswer {
  readonly isFound = false;
  outcome: Outcome = { kind: 'skipped', why: 'no-owner' };

  take(read: PeerRead): void {
    if (read.kind !== 'doubted') this.outcome = read;
  }
}

interface Asked {
  readonly who: string;
  readonly keys: readonly string[];
  readonly call: Call;
}

/** Asks for keys in one turn, each of its owner, with its own call. @returns what was asked, once all is answered */
async function askedFor(keys: readonly (readonly [key: string, owner: Member, call: Call])[]): Promise<Asked[]> {
  const asked: Asked[] = [];
  const turn = new TurnReads({
    clock: new VirtualClock(),
    hedge: { delayMs: () => 1e9, grant: () => 0, won() {}, note() {}, forget() {} },
    ask: async ({ address }, together, call) => {
      asked.push({ who: address, keys: together, call });
      return together.map(() => MISS);
    },
  });
  const outcomes = await new Promise<readonly Outcome[]>((resolve) => {
    const reading = new Reading(keys.length, resolve);
    keys.forEach(([key, owner, call], place) => {
      const read = new KeyRead(key, new FirstAnswer(), reading, place);
      read.others = [owner];
      turn.ask(read, call);
    });
  });
  expect(outcomes).toEqual(keys.map(() => MISS));
  return asked;
}

function callOf(change: Partial<Call> = {}): Call {
  return { deadlineAtMs: DUE_MS, signal: undefined, reason: 'read', ...change };
}

it('what is read in one turn is asked of each member together', async () => {
  const asked = await askedFor([
    ['a', one, callOf()],
    ['b', two, callOf()],
    ['c', one, callOf({ deadlineAtMs: DUE_MS + 4 })],
  ]);
  expect(asked.map(({ who, keys, call }) => [who, keys.join(), call.deadlineAtMs])).toEqual([
    ['one', 'a,c', DUE_MS],
    ['two', 'b', DUE_MS],
  ]);
});

it('nobody waits for others who wait longer, or for less long, for another reason, or may give up', async () => {
  const signal = new AbortController().signal;
  const asked = await askedFor([
    ['first', one, callOf()],
    ['longer', one, callOf({ deadlineAtMs: DUE_MS + 5 })],
    ['shorter', one, callOf({ deadlineAtMs: DUE_MS - 1 })],
    ['lease', one, callOf({ reason: 'lease' })],
    ['mine', one, callOf({ signal })],
    ['mine too', one, callOf({ signal })],
  ]);
  expect(asked.map(({ keys }) => keys.join())).toEqual(['first', 'longer', 'shorter', 'lease', 'mine,mine too']);
  expect(asked.at(-1)?.call.signal).toBe(signal);
});

it('no more is asked for together than fits into one request', async () => {
  const keys = Array.from({ length: BATCH_KEYS_MAX + 1 }, (_, i) => [`k${i}`, one, callOf()] as const);
  expect((await askedFor(keys)).map((some) => some.keys.length)).toEqual([BATCH_KEYS_MAX, 1]);
});
