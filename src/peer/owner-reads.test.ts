import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { Call } from '../core/call.js';
import { type Entry, NO_PAYLOAD, NO_TAGS } from '../core/entry.js';
import { CacheError } from '../core/errors.js';
import { HLC_ZERO } from '../core/hlc.js';
import { MISS } from '../core/outcome.js';
import { VERSION_ZERO } from '../core/version.js';
import { KeyRead } from './key-read.js';
import type { Member } from './member.js';
import { OwnerReads, type PeerHedge } from './owner-reads.js';
import type { PeerRead, TakeRead } from './transport.js';

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
  /** The last of the answers. */
  answer(...reads: PeerRead[]): Promise<void>;
  /** One of them, before the others. */
  tell(at: number, read: PeerRead): Promise<void>;
}

class TakenAnswer {
  readonly said: string[] = [];
  readonly outcome = MISS;
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
/** The keys that were answered, in the order in which they were. */
let over: string[];

beforeEach(() => {
  clock = new VirtualClock();
  asked = [];
  noted = [];
  won = [];
  tokens = 100;
  over = [];
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

function ask({ address }: Member, keys: readonly string[], call: Call, take: TakeRead): Promise<readonly PeerRead[]> {
  return new Promise((resolve) => {
    const answer = async (...reads: PeerRead[]) => {
      resolve(reads);
      await settled();
    };
    const tell = async (at: number, read: PeerRead) => {
      take(at, read);
      await settled();
    };
    asked.push({ who: address, keys: keys.join(), call, answer, tell });
  });
}

/** What was resolved has been taken. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

function read(key: string, others: readonly Member[] = [one, two], atOnce = false) {
  const answer = new TakenAnswer();
  const taken = new KeyRead(key, answer, { take: () => over.push(key) }, 0);
  taken.others = others;
  taken.atOnce = atOnce;
  return Object.assign(taken, { said: answer.said });
}

function run(...reads: KeyRead[]): void {
  const call: Call = { deadlineAtMs: clock.monotonicMs() + 1_000, signal: undefined, reason: 'read' };
  new OwnerReads({ clock, hedge, ask }, call).ask(reads);
}

const who = () => asked.map(({ who: address, keys }) => `${address} ${keys}`);

describe('a key of which nobody is in doubt', () => {
  it('is asked of its first owner alone', async () => {
    run(read('k'));
    clock.advance(DELAY_MS - 1);
    await asked[0]?.answer(FOUND);
    expect(over).toEqual(['k']);
    clock.advance(1_000);
    expect(who()).toEqual(['one k']);
    expect(noted).toEqual([`one ${DELAY_MS - 1}`]);
  });

  it('is asked of another owner when the first is late, and whoever is first has it; the other is given up', async () => {
    run(read('k'));
    clock.advance(DELAY_MS);
    expect(who()).toEqual(['one k', 'two k']);
    clock.advance(3);
    await asked[1]?.answer(FOUND);
    expect(over).toEqual(['k']);
    expect(asked[0]?.call.signal?.aborted).toBe(true);
    expect(won).toEqual([DELAY_MS + 3]);
    // How long the first took is known to be at least that: else only the quick ones would count.
    expect(noted.sort()).toEqual([`one ${DELAY_MS + 3}`, 'two 3']);
  });

  it('is the answer of the first owner if that comes after all, and the second is given up', async () => {
    run(read('k'));
    clock.advance(DELAY_MS);
    await asked[0]?.answer(FOUND);
    expect(over).toEqual(['k']);
    expect(won).toEqual([]);
    expect(asked[1]?.call.signal?.aborted).toBe(true);
  });

  it('waits for the first owner when the second has nothing', async () => {
    run(read('k'));
    clock.advance(DELAY_MS);
    await asked[1]?.answer(MISS);
    expect(over).toEqual([]);
    await asked[0]?.answer(FOUND);
    expect(over).toEqual(['k']);
    expect(noted).toHaveLength(2);
  });

  it('is not asked twice when the budget is spent', async () => {
    tokens = 0;
    run(read('k'));
    clock.advance(DELAY_MS * 5);
    expect(who()).toEqual(['one k']);
    await asked[0]?.answer(FOUND);
    expect(over).toEqual(['k']);
  });

  for (const [says, said] of [
    ['has nothing', MISS],
    ['is in doubt', DOUBTED],
    ['cannot be asked', FAILED],
  ] as const) {
    it(`is asked of all others at once when the first ${says}, whatever the budget`, async () => {
      tokens = 0;
      const asks = read('k', [one, two, three]);
      run(asks);
      await asked[0]?.answer(said);
      expect(who()).toEqual(['one k', 'two k', 'three k']);
      await asked[1]?.answer(MISS);
      expect(over).toEqual([]);
      await asked[2]?.answer(MISS);
      expect(over).toEqual(['k']);
      expect(asks.said).toEqual([said.kind, 'miss', 'miss']);
    });
  }

  it('says nothing of how long a peer takes that could not be asked', async () => {
    run(read('k', [one]));
    await asked[0]?.answer(FAILED);
    expect(over).toEqual(['k']);
    expect(noted).toEqual([]);
  });
});

describe('a key whose holders are all needed', () => {
  it('is asked of all of them at once', async () => {
    run(read('k', [one, two, three], true));
    expect(who()).toEqual(['one k', 'two k', 'three k']);
    await asked[2]?.answer(FOUND);
    expect(over).toEqual(['k']);
  });
});

describe('many keys', () => {
  it('are asked of each first owner together, and as many of the late ones again as the budget allows', async () => {
    tokens = 1;
    run(read('a'), read('b'), read('c', [two, one]));
    expect(who()).toEqual(['one a,b', 'two c']);
    await asked[1]?.answer(FOUND);
    clock.advance(DELAY_MS);
    expect(who().slice(2)).toEqual(['two a']);
    await asked[2]?.answer(FOUND);
    // Somebody still waits for b.
    expect(asked[0]?.call.signal?.aborted).toBe(false);
    await asked[0]?.answer(FOUND, FOUND);
    expect(over).toEqual(['c', 'a', 'b']);
  });

  it('are asked again one by one for what each first owner lacks', async () => {
    const [a, b] = [read('a'), read('b')];
    run(a, b);
    await asked[0]?.answer(FOUND, MISS);
    expect(who()).toEqual(['one a,b', 'two b']);
    await asked[1]?.answer(FOUND);
    expect([a.said, b.said, over]).toEqual([['found'], ['miss', 'found'], ['a', 'b']]);
  });

  it('are answered one by one, as the answers come; those that settle nothing are asked again together', async () => {
    run(read('a'), read('b'), read('c'), read('d'));
    await asked[0]?.tell(2, FOUND);
    expect(over).toEqual(['c']);
    void asked[0]?.tell(0, MISS);
    await asked[0]?.tell(3, MISS);
    expect(who()).toEqual(['one a,b,c,d', 'two a,d']);
    await asked[1]?.answer(FOUND, MISS);
    expect(over).toEqual(['c', 'a', 'd']);
    clock.advance(5);
    await asked[0]?.answer(MISS, FOUND, MISS, MISS);
    expect(over).toEqual(['c', 'a', 'd', 'b']);
    // The whole answer came after five milliseconds, whatever came before.
    expect(noted).toEqual(['two 0', 'one 5']);
  });

  it('are given up by the first owner when the second had all that it had not answered', async () => {
    run(read('a'), read('b'));
    clock.advance(DELAY_MS);
    expect(who()).toEqual(['one a,b', 'two a,b']);
    await asked[1]?.tell(0, FOUND);
    expect(asked[0]?.call.signal?.aborted).toBe(false);
    await asked[0]?.tell(1, FOUND);
    // Each has answered what nobody else had, and what is left at either nobody waits for.
    expect(over).toEqual(['a', 'b']);
    expect(asked.map(({ call }) => call.signal?.aborted)).toEqual([true, true]);
    expect(noted.sort()).toEqual(['one 20', 'two 0']);
  });
});

describe('a caller that gives up', () => {
  it('gives up what is asked for it', () => {
    const controller = new AbortController();
    const call: Call = { deadlineAtMs: 1e9, signal: controller.signal, reason: 'read' };
    new OwnerReads({ clock, hedge, ask }, call).ask([read('k')]);
    controller.abort();
    expect(asked[0]?.call.signal?.aborted).toBe(true);
  });
});
