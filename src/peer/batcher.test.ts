import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { Call } from '../core/call.js';
import { tombstone } from '../core/entry.js';
import { encodeEntry } from '../core/entry-format.js';
import { CacheError } from '../core/errors.js';
import { VERSION_ZERO } from '../core/version.js';
import { Batcher } from './batcher.js';
import type { PeerRead } from './transport.js';
import { decodeRequest, encodeReply, type WireRead } from './wire.js';

/** A request that is under way, to be answered by the test. */
interface UnderWay {
  readonly reads: readonly string[];
  readonly writes: number;
  reply(body: Uint8Array, hot?: string): void;
  fail(error: Error): void;
}

let clock: VirtualClock;
let sent: UnderWay[];
let batcher: Batcher;

beforeEach(() => {
  clock = new VirtualClock();
  sent = [];
  batcher = new Batcher(clock, 'peer x:1', (body) => {
    const { reads, writes } = decodeRequest(body);
    return new Promise((resolve, fail) => {
      const reply = (answer: Uint8Array, hot?: string) => resolve({ body: answer, hot });
      sent.push({ reads, writes: writes.length, reply, fail });
    });
  });
});

function call(waitMs = 1_000): Call {
  return { deadlineAtMs: clock.monotonicMs() + waitMs, signal: undefined, reason: 'read' };
}

function misses(request: UnderWay | undefined): void {
  request?.reply(encodeReply({ reads: (request?.reads ?? []).map(() => 'miss'), writes: [], leases: [] }));
}

async function kindsOf(outcomes: Promise<readonly PeerRead[]>): Promise<string[]> {
  return (await outcomes).map((outcome) => (outcome.kind === 'skipped' ? outcome.why : outcome.kind));
}

describe('adaptive batching', () => {
  it('asks an idle peer at once, with what came in the same tick together', async () => {
    const reads = [batcher.read(['a'], call()), batcher.read(['b', 'c'], call())];
    expect(sent).toEqual([]);
    await clock.advanceSettled(0);
    expect(sent.map(({ reads: keys }) => keys)).toEqual([['a', 'b', 'c']]);
    misses(sent[0]);
    expect(await Promise.all(reads.map(kindsOf))).toEqual([['miss'], ['miss', 'miss']]);
  });

  it('has at most two requests in flight; the rest waits, and leaves together when one returns', async () => {
    const reads: Promise<readonly PeerRead[]>[] = [];
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      reads.push(batcher.read([key], call()));
      await clock.advanceSettled(0);
    }
    expect(sent.map(({ reads: keys }) => keys)).toEqual([['a'], ['b']]);
    misses(sent[1]);
    await clock.advanceSettled(0);
    expect(sent.map(({ reads: keys }) => keys)).toEqual([['a'], ['b'], ['c', 'd', 'e']]);
    misses(sent[0]);
    misses(sent[2]);
    expect((await Promise.all(reads)).flat().map(({ kind }) => kind)).toEqual(new Array(5).fill('miss'));
    expect(clock.pending).toBe(0);
  });

  it('does not send what nobody waits for any more', async () => {
    for (const key of ['a', 'b']) {
      void batcher.read([key], call());
      await clock.advanceSettled(0);
    }
    const late = batcher.read(['late'], call(10));
    const patient = batcher.read(['patient'], call());
    await clock.advanceSettled(10);
    expect(await kindsOf(late)).toEqual(['failed']);
    misses(sent[0]);
    await clock.advanceSettled(0);
    expect(sent[2]?.reads).toEqual(['patient']);
    misses(sent[2]);
    expect(await kindsOf(patient)).toEqual(['miss']);
  });

  it('gives the answers that came in time, and says of the others that they did not', async () => {
    const keys = Array.from({ length: 600 }, (_, i) => `key:${i}`);
    const read = batcher.read(keys, call(100));
    await clock.advanceSettled(0);
    misses(sent[0]);
    await clock.advanceSettled(100);
    const kinds = await kindsOf(read);
    expect(kinds.slice(0, 256)).toEqual(new Array(256).fill('miss'));
    expect(kinds.slice(256)).toEqual(new Array(344).fill('failed'));
  });

  it('asks again for what a reply had no room for, and tells meanwhile what it had', async () => {
    const told: string[] = [];
    const read = batcher.read(['a', 'b', 'c'], call(), (at, { kind }) => told.push(`${at} ${kind}`));
    await clock.advanceSettled(0);
    const answers: WireRead[] = ['miss', 'later', 'later'];
    sent[0]?.reply(encodeReply({ reads: answers, writes: [], leases: [] }));
    await clock.advanceSettled(0);
    expect(sent[1]?.reads).toEqual(['b', 'c']);
    expect(told).toEqual(['0 miss']);
    misses(sent[1]);
    expect(await kindsOf(read)).toEqual(['miss', 'miss', 'miss']);
  });

  it('does not ask a peer for ever that puts everything off', async () => {
    const read = batcher.read(['a', 'b'], call());
    await clock.advanceSettled(0);
    sent[0]?.reply(encodeReply({ reads: ['later', 'later'], writes: [], leases: [] }));
    expect(await kindsOf(read)).toEqual(['failed', 'failed']);
    await clock.advanceSettled(0);
    expect(sent).toHaveLength(1);
  });

  it.each([
    ['is no reply', Uint8Array.of(1, 2, 3)],
    ['has fewer answers than questions', encodeReply({ reads: ['miss'], writes: [], leases: [] })],
  ])('fails every key when the reply %s, and goes on', async (_what, body) => {
    const read = batcher.read(['a', 'b'], call());
    await clock.advanceSettled(0);
    sent[0]?.reply(body);
    expect(await kindsOf(read)).toEqual(['failed', 'failed']);
    const next = batcher.read(['c'], call());
    await clock.advanceSettled(0);
    misses(sent[1]);
    expect(await kindsOf(next)).toEqual(['miss']);
  });

  it('says of which keys the peer is asked often, and takes no other word about them for one', async () => {
    const entry = encodeEntry(tombstone({ ms: 5, counter: 0 }, VERSION_ZERO, clock.wallMs(), 60_000));
    const hotOf = async (hot: string | undefined) => {
      const read = batcher.read(['a', 'b', 'c', 'd'], call());
      await clock.advanceSettled(0);
      sent
        .pop()
        ?.reply(encodeReply({ reads: [entry, entry, { doubted: entry }, 'miss'], writes: [], leases: [] }), hot);
      return (await read).map((outcome) => outcome.kind === 'found' && outcome.hot === true);
    };
    expect(await hotOf('1,2,3,4,99')).toEqual([false, true, false, false]);
    expect(await hotOf(undefined)).toEqual([false, false, false, false]);
    expect(await hotOf('all of them')).toEqual([false, false, false, false]);
  });

  it('fails only the key whose entry cannot be read', async () => {
    const read = batcher.read(['a', 'b'], call());
    await clock.advanceSettled(0);
    sent[0]?.reply(encodeReply({ reads: [Uint8Array.of(7), 'miss'], writes: [], leases: [] }));
    expect(await kindsOf(read)).toEqual(['failed', 'miss']);
  });

  it('tells a peer that has too much to do from one that fails', async () => {
    const read = batcher.read(['a'], call());
    await clock.advanceSettled(0);
    sent[0]?.fail(new CacheError('overloaded', 'busy'));
    expect(await kindsOf(read)).toEqual(['overloaded']);
    const next = batcher.read(['b'], call());
    await clock.advanceSettled(0);
    sent[1]?.fail(new Error('broken'));
    expect(await kindsOf(next)).toEqual(['failed']);
  });

  it('takes no more entries than its queue may hold, and takes them again when it is empty', async () => {
    const bytes = new Uint8Array(1_048_576);
    const writes = Array.from({ length: 24 }, (_, i) => ({ key: `w${i}`, mode: 'set' as const, bytes }));
    const outcomes = batcher.write(writes, call());
    await clock.advanceSettled(0);
    for (let i = 0; i < 16; i++) {
      sent[i]?.reply(encodeReply({ reads: [], writes: [{ kind: 'stored' }], leases: [] }));
      await clock.advanceSettled(0);
    }
    const kinds = (await outcomes).map(({ kind }) => kind);
    expect(kinds).toEqual([...new Array(16).fill('stored'), ...new Array(8).fill('skipped')]);
    const again = batcher.write(writes.slice(0, 1), call());
    await clock.advanceSettled(0);
    sent[16]?.reply(encodeReply({ reads: [], writes: [{ kind: 'stored' }], leases: [] }));
    expect((await again)[0]?.kind).toBe('stored');
  });
});
