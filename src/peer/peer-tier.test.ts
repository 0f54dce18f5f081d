import { beforeEach, describe, expect, it } from 'vitest';
import { entry, versionAt } from '../../test/peer/entries.js';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { Call } from '../core/call.js';
import { encodeEntry } from '../core/entry-format.js';
import { CacheError } from '../core/errors.js';
import { MISS, type Outcome, STORED, type WriteOutcome } from '../core/outcome.js';
import { ENTRY_BYTES_MAX } from './limits.js';
import type { Member } from './member.js';
import type { PeerHedge } from './owner-reads.js';
import { type PeerGuard, PeerTier } from './peer-tier.js';
import { SlabPeerStore } from './slab-store.js';
import type { PeerRead, PeerTransport } from './transport.js';
import type { WireWrite } from './wire.js';

const self: Member = { id: '00000000000a', address: 'self:1', weight: 1 };
const one: Member = { id: '00000000000b', address: 'one:1', weight: 1 };
const two: Member = { id: '00000000000c', address: 'two:1', weight: 1 };

const broken = new CacheError('level-failed', 'broken');
const FAILED: { kind: 'failed'; error: Error } = { kind: 'failed', error: broken };
const BUSY: { kind: 'skipped'; why: 'overloaded' } = { kind: 'skipped', why: 'overloaded' };
type Never = 'never';

const PATIENT: PeerHedge = { delayMs: () => 1e9, grant: () => 0, won() {}, note() {}, forget() {} };

let clock: VirtualClock;
let store: SlabPeerStore;
let owners: readonly Member[];
let suspects: Set<string>;
/** Whether what this node has is doubted. */
let doubted: boolean;
/** Who holds the key besides, once the answers have taught it. */
let learnedOf: readonly Member[];
/** What a member answers, for every key; `never`: not within any deadline. */
let reads: Map<string, PeerRead | Never>;
let writes: Map<string, WriteOutcome | Never>;
let asked: string[];
let sent: WireWrite[];
let guard: PeerGuard;
/** Waits for the first owner for ever, if there is one. */
let hedge: PeerHedge | undefined;
/** Who held the key before, and still does. */
let previous: readonly Member[];

beforeEach(() => {
  clock = new VirtualClock();
  store = new SlabPeerStore(clock, 64 * 1_048_576);
  owners = [one, two];
  suspects = new Set();
  doubted = false;
  learnedOf = [];
  reads = new Map();
  writes = new Map();
  asked = [];
  sent = [];
  hedge = undefined;
  previous = [];
  guard = { run: (_address, _call, work) => work(), heard() {}, forget() {} };
});

function tier(): PeerTier {
  const never = <T>(): Promise<T> => new Promise(() => {});
  const transport: Partial<PeerTransport> = {
    read(address, keys) {
      asked.push(`read ${address} ${keys.join()}`);
      const answer = reads.get(address) ?? MISS;
      return answer === 'never' ? never() : Promise.resolve(keys.map(() => answer));
    },
    write(address, batch) {
      asked.push(`write ${address} ${batch.map(({ key }) => key).join()}`);
      sent.push(...batch);
      const answer = writes.get(address) ?? STORED;
      return answer === 'never' ? never() : Promise.resolve(batch.map(() => answer));
    },
  };
  return new PeerTier({
    clock,
    store,
    guard,
    ...(hedge !== undefined && { hedge }),
    transport: transport as PeerTransport,
    owners: {
      self,
      get epoch() {
        return owners.map(({ id }) => id).join();
      },
      ownersOf: () => owners,
      holdersOf: () => [...owners, ...previous],
      isSuspect: (id) => suspects.has(id),
      isChanging: () => previous.length > 0,
      isDoubted: () => doubted,
      learned: async () => {
        owners = [...owners, ...learnedOf.filter((member) => !owners.includes(member))];
      },
    },
  });
}

function call(waitMs = 1_000): Call {
  return { deadlineAtMs: clock.monotonicMs() + waitMs, signal: undefined, reason: 'read' };
}

function found(text: string): Outcome {
  return { kind: 'found', entry: entry(text) };
}

function say(outcome: Outcome | WriteOutcome | undefined): string {
  switch (outcome?.kind) {
    case 'found':
      return new TextDecoder().decode(outcome.entry.payload);
    case 'skipped':
      return outcome.why;
    case 'superseded':
      return `superseded ${outcome.by?.eventTimeMs ?? ''}`.trim();
    default:
      return outcome?.kind ?? 'nothing';
  }
}

async function read(key = 'k'): Promise<string> {
  return say((await tier().read([key], call()))[0]);
}

async function write(atMs = 5): Promise<string> {
  return say((await tier().write([{ key: 'k', entry: entry('x', atMs), mode: 'set' }], call()))[0]);
}

describe('a read of the peer level', () => {
  const answers: readonly (readonly [string, Outcome])[] = [
    ['found', found('it')],
    ['miss', MISS],
    ['failed', FAILED],
    ['skipped', BUSY],
  ];
  const order = ['found', 'miss', 'failed', 'skipped'];
  for (const [nameOne, answerOne] of answers) {
    for (const [nameTwo, answerTwo] of answers) {
      const expected = order.find((name) => name === nameOne || name === nameTwo);
      it(`is ${expected} when one owner says ${nameOne} and the other ${nameTwo}`, async () => {
        reads.set(one.address, answerOne).set(two.address, answerTwo);
        const [outcome] = await tier().read(['k'], call());
        expect(outcome?.kind).toBe(expected);
      });
    }
  }

  it('asks the first owner alone where there are hedges, and the other for what that lacks', async () => {
    hedge = PATIENT;
    reads.set(one.address, found('of one')).set(two.address, found('of two'));
    expect(await read()).toBe('of one');
    reads.set(one.address, MISS);
    expect(await read()).toBe('of two');
    expect(asked).toEqual(['read one:1 k', 'read one:1 k', 'read two:1 k']);
  });

  it('asks all at once, hedges or not, what is doubted here, and while there are holders besides the owners', async () => {
    hedge = PATIENT;
    [owners, previous] = [[one], [two]];
    reads.set(one.address, 'never').set(two.address, found('of two'));
    expect(await read()).toBe('of two');
    [owners, previous, doubted] = [[self, one, two], [], true];
    store.write('k', encodeEntry(entry('own')), 'set');
    expect(await read()).toBe('of two');
  });

  it('asks both owners at once, and takes the first that has it without waiting for the other', async () => {
    reads.set(one.address, 'never').set(two.address, found('of two'));
    expect(await read()).toBe('of two');
    expect(asked).toEqual(['read one:1 k', 'read two:1 k']);
  });

  it('is answered from the own store when this node is an owner and has it', async () => {
    owners = [one, self];
    store.write('k', encodeEntry(entry('own')), 'set');
    expect(await read()).toBe('own');
    expect(asked).toEqual([]);
  });

  it('asks the other owner for what the own store does not have', async () => {
    owners = [self, one];
    reads.set(one.address, found('of one'));
    expect(await read()).toBe('of one');
    reads.set(one.address, FAILED);
    expect(await read()).toBe('miss');
  });

  it('does not look into the own store for what others own', async () => {
    store.write('k', encodeEntry(entry('left over')), 'set');
    expect(await read()).toBe('miss');
  });

  it('does not ask who is suspect', async () => {
    suspects.add(one.id);
    reads.set(one.address, 'never').set(two.address, MISS);
    expect(await read()).toBe('miss');
    expect(asked).toEqual(['read two:1 k']);
  });

  it('is skipped when there is nobody to ask: all owners are others and suspect', async () => {
    suspects.add(one.id).add(two.id);
    expect(await read()).toBe('no-owner');
    expect(asked).toEqual([]);
  });

  it('is answered by the own store alone when this node is alone', async () => {
    owners = [self];
    expect(await read()).toBe('miss');
    store.write('k', encodeEntry(entry('own')), 'set');
    expect(await read()).toBe('own');
  });

  it('asks each owner once for all its keys, and answers in their order', async () => {
    owners = [self, one];
    store.write('b', encodeEntry(entry('own b')), 'set');
    reads.set(one.address, found('of one'));
    const outcomes = await tier().read(['a', 'b', 'c', 'a'], call());
    expect(outcomes.map(say)).toEqual(['of one', 'own b', 'of one', 'of one']);
    expect(asked).toEqual(['read one:1 a,c,a']);
  });

  it('is skipped when the time is up, and fails when the level is closed', async () => {
    expect((await tier().read(['k'], call(0))).map(say)).toEqual(['no-time']);
    const closed = tier();
    await closed.close();
    expect((await closed.read(['k'], call())).map(say)).toEqual(['failed']);
    expect(asked).toEqual([]);
  });

  it('is skipped for a peer whose guard does not let it through', async () => {
    guard = { run: (address) => Promise.reject(new CacheError('breaker-open', address)), heard() {}, forget() {} };
    expect(await read()).toBe('breaker-open');
    expect(asked).toEqual([]);
  });

  it('lets the guard of a peer know when all of a call failed, and only then', async () => {
    const seen: string[] = [];
    guard = {
      async run(address, _call, work) {
        try {
          const result = await work();
          seen.push(`${address} well`);
          return result;
        } catch (thrown) {
          seen.push(`${address} ${(thrown as Error).message}`);
          throw thrown;
        }
      },
      heard() {},
      forget() {},
    };
    reads.set(one.address, FAILED);
    expect(await read()).toBe('miss');
    expect(seen.sort()).toEqual(['one:1 broken', 'two:1 well']);
  });
});

describe('a read of what is in doubt', () => {
  const doubtedAt = (text: string, atMs = 5): PeerRead => ({ kind: 'doubted', entry: entry(text, atMs) });

  it('is answered by somebody who is sure, whoever answers first', async () => {
    reads.set(one.address, doubtedAt('doubted', 9)).set(two.address, found('sure'));
    expect(await read()).toBe('sure');
  });

  it('is the newest of what all have when nobody is sure', async () => {
    reads.set(one.address, doubtedAt('older', 5)).set(two.address, doubtedAt('newer', 6));
    expect(await read()).toBe('newer');
    owners = [self, one];
    doubted = true;
    store.write('k', encodeEntry(entry('newest', 7)), 'set');
    expect(await read()).toBe('newest');
  });

  it.each([
    ['is missing at one of those who are sure', MISS, 'miss'],
    ['could not be asked of one', FAILED, 'failed'],
    ['was not asked of one that is busy', BUSY, 'overloaded'],
  ])('is no answer when it %s', async (_what, other, expected) => {
    reads.set(one.address, doubtedAt('doubted')).set(two.address, other);
    expect(await read()).toBe(expected);
  });

  it('is no answer while somebody who holds it is suspect', async () => {
    suspects.add(two.id);
    reads.set(one.address, doubtedAt('doubted'));
    expect(await read()).toBe('not-ready');
  });

  it('does not believe the own store alone', async () => {
    owners = [self, one];
    doubted = true;
    store.write('k', encodeEntry(entry('own')), 'set');
    expect(await read()).toBe('miss');
    reads.set(one.address, found('of one'));
    expect(await read()).toBe('of one');
  });
});

describe('a write of the peer level', () => {
  it('reaches those too who turn out to hold the key by now, and is not stored without them', async () => {
    const three: Member = { id: '00000000000d', address: 'three:1', weight: 1 };
    learnedOf = [three];
    writes.set(three.address, FAILED);
    expect(await write()).toBe('failed');
    expect(asked).toEqual(['write one:1 k', 'write two:1 k', 'write three:1 k']);
  });

  it('goes to all owners, this node among them when it is one', async () => {
    owners = [self, one];
    expect(await write()).toBe('stored');
    expect(asked).toEqual(['write one:1 k']);
    expect(Buffer.from(store.read('k') ?? [])).toEqual(Buffer.from(encodeEntry(entry('x'))));
  });

  it('does not keep here what others own', async () => {
    expect(await write()).toBe('stored');
    expect(store.entries).toBe(0);
  });

  const answers: readonly (readonly [string, WriteOutcome])[] = [
    ['superseded', { kind: 'superseded', by: versionAt(9) }],
    ['stored', STORED],
    ['failed', FAILED],
    ['skipped', BUSY],
  ];
  // Stored means by all: an owner that did not take it still has what is older.
  const order = ['superseded', 'failed', 'skipped', 'stored'];
  for (const [nameOne, answerOne] of answers) {
    for (const [nameTwo, answerTwo] of answers) {
      const expected = order.find((name) => name === nameOne || name === nameTwo);
      it(`is ${expected} when one owner says ${nameOne} and the other ${nameTwo}`, async () => {
        writes.set(one.address, answerOne).set(two.address, answerTwo);
        const [outcome] = await tier().write([{ key: 'k', entry: entry('x'), mode: 'set' }], call());
        expect(outcome?.kind).toBe(expected);
      });
    }
  }

  it('says the newest version of those that supersede it', async () => {
    writes.set(one.address, { kind: 'superseded', by: versionAt(8) });
    writes.set(two.address, { kind: 'superseded', by: versionAt(9) });
    expect(await write()).toBe('superseded 9');
    writes.set(two.address, { kind: 'superseded' });
    expect(await write()).toBe('superseded 8');
  });

  it('tells everything that went wrong when it was stored nowhere', async () => {
    writes.set(one.address, FAILED).set(two.address, { kind: 'failed', error: new Error('gone') });
    const [outcome] = await tier().write([{ key: 'k', entry: entry('x'), mode: 'set' }], call());
    expect(outcome?.kind === 'failed' && outcome.error.message).toBe('broken; gone');
  });

  it('tells a suspect owner too, but does not wait for it', async () => {
    suspects.add(one.id);
    writes.set(one.address, 'never');
    expect(await write()).toBe('not-ready');
    expect(asked.sort()).toEqual(['write one:1 k', 'write two:1 k']);
  });

  it('waits for a suspect owner when there is nobody else', async () => {
    suspects.add(one.id).add(two.id);
    expect(await write()).toBe('stored');
  });

  it('does not wait for a suspect owner when this node keeps a copy', async () => {
    owners = [self, one];
    suspects.add(one.id);
    writes.set(one.address, 'never');
    expect(await write()).toBe('not-ready');
    expect(store.read('k')).toBeDefined();
  });

  it('refuses what is too large to travel, and lets the owners give up what they have of it', async () => {
    owners = [self, one];
    store.write('k', encodeEntry(entry('older', 4)), 'set');
    const large = { ...entry('x'), payload: new Uint8Array(ENTRY_BYTES_MAX) };
    const [outcome] = await tier().write([{ key: 'k', entry: large, mode: 'set' }], call());
    expect(outcome?.kind === 'failed' && outcome.error).toMatchObject({ code: 'invalid-value', field: 'value' });
    expect(store.read('k')).toBeUndefined();
    expect(sent.map(({ bytes }) => bytes.length < 200)).toEqual([true]);
  });

  it('is skipped when the time is up, and fails when the level is closed', async () => {
    const batch = [{ key: 'k', entry: entry('x'), mode: 'set' as const }];
    expect((await tier().write(batch, call(0))).map(say)).toEqual(['no-time']);
    const closed = tier();
    await closed.close();
    expect((await closed.write(batch, call())).map(say)).toEqual(['failed']);
    expect(asked).toEqual([]);
  });
});
