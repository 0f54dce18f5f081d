import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { Call } from '../core/call.js';
import { CacheError } from '../core/errors.js';
import type { Change } from '../core/feed.js';
import { type Floor, Floors } from '../core/floors.js';
import { HybridClock } from '../core/hlc.js';
import type { MemberInfo } from './member.js';
import { PeerFeed } from './peer-feed.js';

let clock: VirtualClock;
let members: MemberInfo[];
/** Requests that are under way, to be ended by the test. */
let sent: { address: string; subjects: string[]; end: (error?: Error) => void }[];
let fetched: string[];

beforeEach(() => {
  clock = new VirtualClock();
  members = [member('one:1'), member('two:1')];
  sent = [];
  fetched = [];
});

function member(address: string, status: MemberInfo['status'] = 'up'): MemberInfo {
  return { id: address.padEnd(12, '0').slice(0, 12), address, weight: 1, status };
}

function floor(subject: string, ms = clock.wallMs()): Floor {
  return { scope: 'tag', subject, hlc: { ms, counter: 0 } };
}

function call(waitMs = 1_000): Call {
  return { deadlineAtMs: clock.monotonicMs() + waitMs, signal: undefined, reason: 'write' };
}

function makeFeed(theirs: readonly Floor[] = []): { feed: PeerFeed; changes: Change[]; floors: Floors } {
  const floors = new Floors();
  const changes: Change[] = [];
  const feed = new PeerFeed({
    clock,
    hlc: new HybridClock(clock),
    floors,
    members: () => members,
    transport: {
      raise: (address, raised) =>
        new Promise((resolve, reject) => {
          const end = (error?: Error) => (error === undefined ? resolve() : reject(error));
          sent.push({ address, subjects: raised.map(({ subject }) => subject), end });
        }),
      floors: async (address, mark) => {
        fetched.push(`${address} after ${mark}`);
        return { mark: 'ab.9', floors: theirs };
      },
    },
  });
  feed.listen((change) => changes.push(change));
  return { feed, changes, floors };
}

describe('floors among peers', () => {
  it('go to everybody who is not down, at once', async () => {
    members = [member('one:1'), member('two:1', 'suspect'), member('three:1', 'down')];
    const outcome = makeFeed().feed.raise(floor('a'), call());
    await clock.advanceSettled(0);
    expect(sent.map(({ address }) => address)).toEqual(['one:1', 'two:1']);
    for (const { end } of sent) end();
    expect(await outcome).toEqual({ kind: 'stored' });
  });

  it('leave together while an earlier one is under way', async () => {
    members = [member('one:1')];
    const { feed } = makeFeed();
    const outcomes = ['a', 'b', 'c'].map((subject) => feed.raise(floor(subject), call()));
    await clock.advanceSettled(0);
    expect(sent.map(({ subjects }) => subjects)).toEqual([['a']]);
    sent[0]?.end();
    await clock.advanceSettled(0);
    expect(sent.map(({ subjects }) => subjects)).toEqual([['a'], ['b', 'c']]);
    sent[1]?.end();
    expect(await Promise.all(outcomes)).toEqual(new Array(3).fill({ kind: 'stored' }));
    expect(clock.pending).toBe(0);
  });

  it('fail by the deadline of who raised them, and name who did not acknowledge', async () => {
    const outcome = makeFeed().feed.raise(floor('a'), call(100));
    await clock.advanceSettled(0);
    sent[0]?.end();
    await clock.advanceSettled(100);
    const result = await outcome;
    expect(result.kind === 'failed' && result.error.message).toMatch(/^1 of 2 peers .* two:1 did not answer/);
  });

  it('go on to a peer after one could not be told', async () => {
    members = [member('one:1')];
    const { feed } = makeFeed();
    const first = feed.raise(floor('a'), call());
    const second = feed.raise(floor('b'), call());
    await clock.advanceSettled(0);
    sent[0]?.end(new CacheError('level-failed', 'gone'));
    expect((await first).kind).toBe('failed');
    await clock.advanceSettled(0);
    sent[1]?.end();
    expect(await second).toEqual({ kind: 'stored' });
  });

  it('wait in a bounded number for a peer that does not answer', async () => {
    members = [member('one:1')];
    const { feed } = makeFeed();
    const outcomes = Array.from({ length: 5_000 }, (_, i) => feed.raise(floor(`${i}`), call(100)));
    await clock.advanceSettled(100);
    const messages = (await Promise.all(outcomes)).map((one) => (one.kind === 'failed' ? one.error.message : ''));
    expect(messages[0]).toMatch(/did not answer/);
    expect(messages.at(-1)).toMatch(/4096 floors wait/);
  });

  it('come to the listener once, whoever brings them, and those that came before it too', () => {
    const feed = new PeerFeed({
      clock,
      hlc: new HybridClock(clock),
      floors: new Floors(),
      members: () => [],
      transport: { raise: async () => {}, floors: async () => ({ mark: 'ab.0', floors: [] }) },
    });
    const one = floor('a');
    feed.take([one]);
    const changes: Change[] = [];
    feed.listen((change) => changes.push(change));
    feed.take([one, floor('b')]);
    feed.take([floor('b')]);
    expect(changes.map((change) => change.kind === 'floor' && change.floor.subject)).toEqual(['a', 'b']);
  });

  it('are refused, all of them, when one comes from a clock that is far ahead', () => {
    const { feed, changes } = makeFeed();
    expect(() => feed.take([floor('a'), floor('b', clock.wallMs() + 501)])).toThrow(CacheError);
    expect(changes).toEqual([]);
  });

  it('are fetched when the log of a peer went on, and only what came since', async () => {
    const { feed, changes } = makeFeed([floor('theirs')]);
    await feed.catchUp('one:1', 'ab.9', call());
    await feed.catchUp('one:1', 'ab.9', call());
    await feed.catchUp('one:1', 'ab.12', call());
    expect(fetched).toEqual(['one:1 after undefined', 'one:1 after ab.9']);
    expect(changes).toHaveLength(1);
    feed.forget('one:1');
    await feed.catchUp('one:1', 'ab.9', call());
    expect(fetched.at(-1)).toBe('one:1 after undefined');
  });

  it('are listed as they came after a mark, and all that this process goes by for who has none', () => {
    const { feed, floors } = makeFeed();
    floors.raise(floor('from elsewhere'));
    const { mark } = feed;
    feed.take([floor('a')]);
    expect(feed.listAfter(mark).floors.map(({ subject }) => subject)).toEqual(['a']);
    expect(feed.listAfter(undefined).floors.map(({ subject }) => subject)).toEqual(['from elsewhere']);
    expect(feed.listAfter('ff.3').floors.map(({ subject }) => subject)).toEqual(['from elsewhere']);
    expect(feed.listAfter(undefined).mark).toBe(feed.mark);
    expect(feed.mark).not.toBe(mark);
  });
});
