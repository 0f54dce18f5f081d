import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { Call } from '../core/call.js';
import { type Entry, NO_PAYLOAD, NO_TAGS } from '../core/entry.js';
import { CacheError } from '../core/errors.js';
import { HLC_ZERO } from '../core/hlc.js';
import { MISS } from '../core/outcome.js';
import { VERSION_ZERO } from '../core/version.js';
import type { Member } from './member.js';
import { OwnerReads, type PeerHedge, type Question } from './owner-reads.js';
import type { PeerRead } from './transport.js';

const one: Member = { id: '00000000000b', address: 'one', weight: 1 };
const two: Member = { id: '00000000000c', address: 'two', weight: 1 };
const three: Member = { id: '00000000000d', address: 'three', weight: 1 };

const entry: Entry = {
  kind: 'value',
  payload: NO_PAYLOAD,
  version: VERSION_ZERO,
  fillStart: HLC_ZERO,
  fence: HLC_ZERO,
  createdAtMs: 0,
  freshUntilMs: 1e15,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
  tags: NO_TAGS,
};
const FOUND: PeerRead = { kind: 'found', entry };
const DOUBTED: PeerRead = { kind: 'doubted', entry };
const FAILED: PeerRead = { kind: 'failed', error: new CacheError('level-failed', 'broken') };
const DELAY_MS = 20;

interface Asked {
  readonly who: string;
  readonly keys: string;
  readonly call: Call;
  answer(...reads: PeerRead[]): Promise<void>;
}

class TakenAnswer {
  readonly said: string[] = [];
  isFound = false;

  take({ kind }: PeerRead): void {
    this.said.push(kind);
    this.isFound ||= kind === 'found';
  }
}

let clock: VirtualClock;
let asked: Asked[];
let noted: string[];
let won: number[];
let tokens: number;
let isOver: boolean;

beforeEach(() => {
  clock = new VirtualClock();
  asked = [];
  noted = [];
  won = [];
  tokens = 100;
  isOver = false;
});

const hedge: PeerHedge = {
  delayMs: () => DELAY_MS,
  grant(keys) {
    const granted = Math.min(keys, tokens);
    tokens -= granted;
    return granted;
  },
  won: (ms) => won.push(ms),
  note: (address, ms) => noted.push(`${address} ${ms}`),
  forget() {},
};

function ask({ address }: Member, keys: readonly string[], call: Call): Promise<readonly PeerRead[]> {
  return new Promise((resolve) => {
    const answer = async (...reads: PeerRead[]) => {
      resolve(reads);
      await settled();
    };
    asked.push({ who: address, keys: keys.join(), call, answer });
  });
}

/** What was resolved has been taken. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

function question(key: string, others: readonly Member[] = [one, two], atOnce = false) {
  return { key, others, atOnce, answer: new TakenAnswer() };
}

function run(...questions: Question[]): void {
  const call: Call = { deadlineAtMs: clock.monotonicMs() + 1_000, signal: undefined, reason: 'read' };
  void new OwnerReads({ clock, hedge, ask }, questions, call).run().then(() => {
    isOver = true;
  });
}

const who = () => asked.map(({ who: address, keys }) => `${address} ${keys}`);

describe('a key of which nobody is in doubt', () => {
  it('is asked of its first owner alone', async () => {
    run(question('k'));
    clock.advance(DELAY_MS - 1);
    await asked[0]?.answer(FOUND);
    expect(isOver).toBe(true);
    clock.advance(1_000);
    expect(who()).toEqual(['one k']);
    expect(noted).toEqual([`one ${DELAY_MS - 1}`]);
  });

  it('is asked of another owner when the first is late, and whoever is first has it; the other is given up', async () => {
    run(question('k'));
    clock.advance(DELAY_MS);
    expect(who()).toEqual(['one k', 'two k']);
    clock.advance(3);
    await asked[1]?.answer(FOUND);
    expect(isOver).toBe(true);
    expect(asked[0]?.call.signal?.aborted).toBe(true);
    expect(won).toEqual([DELAY_MS + 3]);
    // How long the first took is known to be at least that: else only the quick ones would count.
    expect(noted.sort()).toEqual([`one ${DELAY_MS + 3}`, 'two 3']);
  });

  it('is the answer of the first owner if that comes after all, and the second is given up', async () => {
    run(question('k'));
    clock.advance(DELAY_MS);
    await asked[0]?.answer(FOUND);
    expect(isOver).toBe(true);
    expect(won).toEqual([]);
    expect(asked[1]?.call.signal?.aborted).toBe(true);
  });

  it('waits for the first owner when the second has nothing', async () => {
    run(question('k'));
    clock.advance(DELAY_MS);
    await asked[1]?.answer(MISS);
    expect(isOver).toBe(false);
    await asked[0]?.answer(FOUND);
    expect(isOver).toBe(true);
    expect(noted).toHaveLength(2);
  });

  it('is not asked twice when the budget is spent', async () => {
    tokens = 0;
    run(question('k'));
    clock.advance(DELAY_MS * 5);
    expect(who()).toEqual(['one k']);
    await asked[0]?.answer(FOUND);
    expect(isOver).toBe(true);
  });

  for (const [says, read] of [
    ['has nothing', MISS],
    ['is in doubt', DOUBTED],
    ['cannot be asked', FAILED],
  ] as const) {
    it(`is asked of all others at once when the first ${says}, whatever the budget`, async () => {
      tokens = 0;
      const asks = question('k', [one, two, three]);
      run(asks);
      await asked[0]?.answer(read);
      expect(who()).toEqual(['one k', 'two k', 'three k']);
      await asked[1]?.answer(MISS);
      expect(isOver).toBe(false);
      await asked[2]?.answer(MISS);
      expect(isOver).toBe(true);
      expect(asks.answer.said).toEqual([read.kind, 'miss', 'miss']);
    });
  }

  it('says nothing of how long a peer takes that could not be asked', async () => {
    run(question('k', [one]));
    await asked[0]?.answer(FAILED);
    expect(isOver).toBe(true);
    expect(noted).toEqual([]);
  });
});

describe('a key whose holders are all needed', () => {
  it('is asked of all of them at once', async () => {
    run(question('k', [one, two, three], true));
    expect(who()).toEqual(['one k', 'two k', 'three k']);
    await asked[2]?.answer(FOUND);
    expect(isOver).toBe(true);
  });
});

describe('many keys', () => {
  it('are asked of each first owner together, and as many of the late ones again as the budget allows', async () => {
    tokens = 1;
    run(question('a'), question('b'), question('c', [two, one]));
    expect(who()).toEqual(['one a,b', 'two c']);
    await asked[1]?.answer(FOUND);
    clock.advance(DELAY_MS);
    expect(who().slice(2)).toEqual(['two a']);
    await asked[2]?.answer(FOUND);
    // Somebody still waits for b.
    expect(asked[0]?.call.signal?.aborted).toBe(false);
    await asked[0]?.answer(FOUND, FOUND);
    expect(isOver).toBe(true);
  });

  it('are asked again one by one for what each first owner lacks', async () => {
    const [a, b] = [question('a'), question('b')];
    run(a, b);
    await asked[0]?.answer(FOUND, MISS);
    expect(who()).toEqual(['one a,b', 'two b']);
    await asked[1]?.answer(FOUND);
    expect([a.answer.said, b.answer.said, isOver]).toEqual([['found'], ['miss', 'found'], true]);
  });
});

describe('a caller that gives up', () => {
  it('gives up what is asked for it', () => {
    const controller = new AbortController();
    const call: Call = { deadlineAtMs: 1e9, signal: controller.signal, reason: 'read' };
    void new OwnerReads({ clock, hedge, ask }, [question('k')], call).run();
    controller.abort();
    expect(asked[0]?.call.signal?.aborted).toBe(true);
  });
});
