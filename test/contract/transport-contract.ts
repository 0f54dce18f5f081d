import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Call } from '../../src/core/call.js';
import type { Clock } from '../../src/core/clock.js';
import { type Entry, NO_TAGS } from '../../src/core/entry.js';
import { encodeEntry } from '../../src/core/entry-format.js';
import { CacheError } from '../../src/core/errors.js';
import type { Floor } from '../../src/core/floors.js';
import { bucketOf } from '../../src/core/key.js';
import type { LeaseQuestion } from '../../src/peer/lease-wire.js';
import { BATCH_KEYS_MAX } from '../../src/peer/limits.js';
import type { PeerService } from '../../src/peer/peer-service.js';
import type { PeerRead, PeerTransport } from '../../src/peer/transport.js';
import type { WireWrite } from '../../src/peer/wire.js';
import { ANSWER, QUESTION } from './gossip-sample.js';
import { ServedPeer } from './served-peer.js';

/** A network with a transport in it that knows the secret, and one that does not. */
export interface TransportSubject {
  readonly transport: PeerTransport;
  readonly stranger: PeerTransport;
  /** A real one: nothing here is as fast as a virtual clock would like. */
  readonly clock: Clock;
  /** Answers at an address of its own, or at the one that is given. */
  serve(service: PeerService, address?: string): Promise<string>;
  /** Nobody answers at `address` any more. */
  leave(address: string): Promise<void>;
  /** An address at which questions arrive, and no answer ever comes. */
  silence(): Promise<string>;
  stop(): Promise<void>;
}

const PATIENCE_MS = 10_000;
const MIB = 1_048_576;

/** What every way to ask other nodes promises. */
export function transportContract(name: string, makeSubject: () => Promise<TransportSubject>): void {
  describe(`${name} keeps the contract of a transport`, () => {
    let subject: TransportSubject;
    let transport: PeerTransport;
    let peer: ServedPeer;
    let address: string;

    beforeAll(async () => {
      subject = await makeSubject();
      transport = subject.transport;
    });
    afterAll(() => subject.stop());
    beforeEach(async () => {
      peer = new ServedPeer(subject.clock);
      address = await subject.serve(peer);
    });

    const call = (waitMs = PATIENCE_MS, signal?: AbortSignal): Call => ({
      deadlineAtMs: subject.clock.monotonicMs() + waitMs,
      signal,
      reason: 'read',
    });
    const write = (key: string, entry: Entry): WireWrite => ({ key, mode: 'set', bytes: encodeEntry(entry) });
    const keep = (key: string, entry: Entry): void => {
      peer.store.write(key, encodeEntry(entry), 'set');
    };
    const nobody = async (): Promise<string> => {
      await subject.leave(address);
      return address;
    };

    it('brings answers in the order of the keys', async () => {
      keep('b', value(subject.clock, 'of b'));
      const outcomes = await transport.read(address, ['a', 'b', 'c', 'b'], call());
      expect(outcomes.map(textOf)).toEqual(['miss', 'of b', 'miss', 'of b']);
    });

    it('brings word of the keys that are asked for often', async () => {
      for (const key of ['a', 'b', 'c']) keep(key, value(subject.clock, key));
      peer.hot.add('b');
      const outcomes = await transport.read(address, ['a', 'b', 'c', 'b'], call());
      expect(outcomes.map((outcome) => outcome.kind === 'found' && outcome.hot === true)).toEqual([
        false,
        true,
        false,
        true,
      ]);
    });

    it('brings every field of an entry', async () => {
      const entry = value(subject.clock, 'x', {
        fence: { ms: 3, counter: 4 },
        staleIfErrorMs: 5,
        tags: ['type:location', 'région:मुंबई'],
      });
      keep('k', entry);
      const [outcome] = await transport.read(address, ['k'], call());
      expect(outcome?.kind === 'found' && { ...outcome.entry, payload: [...outcome.entry.payload] }).toEqual({
        ...entry,
        payload: [...entry.payload],
      });
    });

    it('brings writes as they are, and what became of each, in their order', async () => {
      keep('kept', value(subject.clock, 'newer', {}, 9));
      const newEntry = value(subject.clock, 'new');
      const outcomes = await transport.write(
        address,
        [
          write('new', newEntry),
          write('kept', value(subject.clock, 'older', {}, 8)),
          { key: 'broken', mode: 'fill', bytes: Uint8Array.of(1, 2, 3) },
        ],
        call(),
      );
      expect(outcomes.map(({ kind }) => kind)).toEqual(['stored', 'superseded', 'failed']);
      expect(outcomes[1]).toEqual({ kind: 'superseded', by: versionAt(9) });
      expect(outcomes[2]?.kind === 'failed' && outcomes[2].error.message).toContain(address);
      expect(Buffer.from(peer.store.read('new') ?? [])).toEqual(Buffer.from(encodeEntry(newEntry)));
      expect(peer.batches[0]?.writes.map(({ mode }) => mode)).toEqual(['set', 'set', 'fill']);
    });

    it('answers nothing when it is asked nothing', async () => {
      expect(await transport.read(address, [], call())).toEqual([]);
      expect(await transport.write(address, [], call())).toEqual([]);
    });

    it('asks for many keys in several requests, none of them too large', async () => {
      const keys = Array.from({ length: 2_000 }, (_, i) => `key:${i}`);
      for (const key of keys) keep(key, value(subject.clock, key));
      const outcomes = await transport.read(address, keys, call());
      expect(outcomes.map(textOf)).toEqual(keys);
      expect(Math.max(...peer.batches.map(({ reads }) => reads.length))).toBe(BATCH_KEYS_MAX);
    });

    it('lets what waits leave together', async () => {
      keep('k', value(subject.clock, 'x'));
      const reads = Array.from({ length: 500 }, () => transport.read(address, ['k'], call()));
      for (const outcomes of await Promise.all(reads)) expect(outcomes.map(textOf)).toEqual(['x']);
      expect(peer.batches.length).toBeLessThanOrEqual(4);
    });

    it('brings entries that together are larger than one reply', async () => {
      const keys = Array.from({ length: 12 }, (_, i) => `big:${i}`);
      for (const [i, key] of keys.entries()) {
        keep(key, value(subject.clock, '', { payload: new Uint8Array(MIB / 2).fill(i) }));
      }
      const outcomes = await transport.read(address, keys, call());
      const seen = outcomes.map(
        (outcome) => outcome.kind === 'found' && [outcome.entry.payload.length, outcome.entry.payload[7]],
      );
      expect(seen).toEqual(keys.map((_, i) => [MIB / 2, i]));
    });

    it('brings writes that together are larger than one request', async () => {
      const writes = Array.from({ length: 12 }, (_, i) =>
        write(`big:${i}`, value(subject.clock, '', { payload: new Uint8Array(MIB / 2).fill(i) })),
      );
      const outcomes = await transport.write(address, writes, call());
      expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['stored']));
      expect(peer.batches.every((batch) => batch.writes.length <= 2)).toBe(true);
    });

    it('brings words about leases in their order, with reads and writes in one request', async () => {
      keep('k', value(subject.clock, 'x'));
      const words: LeaseQuestion[] = [
        { verb: 'acquire', key: 'a', token: 't', since: { ms: 5, counter: 6 }, from: '127.0.0.1:9' },
        { verb: 'ended', key: 'b' },
        { verb: 'acquire', key: 'c', token: 't', since: { ms: 7, counter: 0 }, from: '127.0.0.1:9' },
      ];
      const [reads, replies] = await Promise.all([
        transport.read(address, ['k'], call()),
        transport.lease(address, words, call()),
      ]);
      expect(reads.map(textOf)).toEqual(['x']);
      expect(replies).toEqual([{ kind: 'busy', leftMs: 1 }, { kind: 'noted' }, { kind: 'busy', leftMs: 3 }]);
      expect(peer.words).toEqual(words);
      expect(peer.batches).toHaveLength(1);
    });

    it('answers each word about a lease also when nobody is there, or nobody answers', async () => {
      const words: LeaseQuestion[] = [
        { verb: 'ended', key: 'a' },
        { verb: 'release', key: 'b', token: 't' },
      ];
      const silent = await subject.silence();
      const late = await transport.lease(silent, words, call(50));
      expect(late.map(codeOf)).toEqual(['deadline', 'deadline']);
      const none = await transport.lease(await nobody(), words, call());
      expect(none.map(codeOf)).toEqual(['level-failed', 'level-failed']);
    });

    it('waits no longer than the deadline of each call, and says who did not answer', async () => {
      const silent = await subject.silence();
      const startedMs = subject.clock.monotonicMs();
      const [[read], [written]] = await Promise.all([
        transport.read(silent, ['a'], call(50)),
        transport.write(silent, [write('b', value(subject.clock, 'x'))], call(60)),
      ]);
      expect(codeOf(read)).toBe('deadline');
      expect(codeOf(written)).toBe('deadline');
      expect(read?.kind === 'failed' && read.error.message).toContain(silent);
      await expect(transport.gossip(silent, QUESTION, call(50))).rejects.toMatchObject({ code: 'deadline' });
      expect(subject.clock.monotonicMs() - startedMs).toBeLessThan(PATIENCE_MS / 2);
    });

    it('does not even ask when the time is up or the caller has given up', async () => {
      for (const hopeless of [call(0), call(-5), call(PATIENCE_MS, AbortSignal.abort())]) {
        expect(await transport.read(address, ['a', 'b'], hopeless)).toHaveLength(2);
        expect(await transport.write(address, [write('a', value(subject.clock, 'x'))], hopeless)).toHaveLength(1);
      }
      expect(peer.batches).toEqual([]);
    });

    it('gives up at once when its caller does', async () => {
      const silent = await subject.silence();
      const caller = new AbortController();
      const read = transport.read(silent, ['a'], call(PATIENCE_MS, caller.signal));
      const gossip = transport.gossip(silent, QUESTION, call(PATIENCE_MS, caller.signal));
      caller.abort(new Error('enough'));
      expect(codeOf((await read)[0])).toBe('aborted');
      await expect(gossip).rejects.toMatchObject({ code: 'aborted' });
    });

    it('is not held up by a peer that is silent', async () => {
      const silent = await subject.silence();
      const stuck = transport.read(silent, ['a'], call(1_000));
      keep('k', value(subject.clock, 'x'));
      expect((await transport.read(address, ['k'], call())).map(textOf)).toEqual(['x']);
      expect((await stuck)[0]?.kind).toBe('failed');
    });

    it('lets a bounded number wait for one peer, and tells the others at once', async () => {
      const silent = await subject.silence();
      const keys = Array.from({ length: 50_000 }, (_, i) => `key:${i}`);
      const outcomes = await transport.read(silent, keys, call(300));
      const kinds = outcomes.map((outcome) => (outcome.kind === 'skipped' ? outcome.why : outcome.kind));
      expect(new Set(kinds)).toEqual(new Set(['failed', 'overloaded']));
      expect(kinds.slice(0, 10_000).every((kind) => kind === 'failed')).toBe(true);
      expect(kinds.at(-1)).toBe('overloaded');
    });

    it('fails, naming the peer, when nobody is there', async () => {
      const empty = await nobody();
      const [outcome] = await transport.read(empty, ['a'], call());
      expect(codeOf(outcome)).toBe('level-failed');
      expect(outcome?.kind === 'failed' && outcome.error.message).toContain(empty);
      await expect(transport.gossip(empty, QUESTION, call())).rejects.toMatchObject({ code: 'level-failed' });
    });

    it('asks again a peer that is back at its address', async () => {
      const gone = await nobody();
      expect((await transport.read(gone, ['k'], call()))[0]?.kind).toBe('failed');
      keep('k', value(subject.clock, 'x'));
      await subject.serve(peer, gone);
      expect((await transport.read(gone, ['k'], call())).map(textOf)).toEqual(['x']);
    });

    it('says that both nodes need the same secret when the peer refuses it', async () => {
      const { stranger } = subject;
      const [read] = await stranger.read(address, ['a'], call());
      const [written] = await stranger.write(address, [write('a', value(subject.clock, 'x'))], call());
      for (const outcome of [read, written]) {
        expect(codeOf(outcome)).toBe('unauthorized');
        expect(outcome?.kind === 'failed' && outcome.error.message).toMatch(/both nodes need the same peers\.secret/);
      }
      await expect(stranger.gossip(address, QUESTION, call())).rejects.toMatchObject({ code: 'unauthorized' });
      await expect(stranger.raise(address, [], call())).rejects.toMatchObject({ code: 'unauthorized' });
      expect(peer.batches).toEqual([]);
      expect(peer.asked).toEqual([]);
    });

    it('brings gossip both ways', async () => {
      expect(await transport.gossip(address, QUESTION, call())).toEqual({ floors: 'ab.0', message: ANSWER });
      expect(peer.asked).toEqual([QUESTION]);
    });

    it('brings what a peer has of a bucket, and what it remembers of it', async () => {
      const bucket = bucketOf('k');
      keep('k', value(subject.clock, 'x'));
      const page = await transport.handover(address, { epoch: peer.epoch(), buckets: [bucket], after: 'a' }, call());
      expect(peer.handovers).toEqual([{ epoch: peer.epoch(), buckets: [bucket], after: 'a' }]);
      const kept = Buffer.from(peer.store.read('k') ?? []);
      expect(page.entries).toEqual([{ key: 'k', bytes: kept }]);
      expect(page.buckets).toEqual([{ bucket, sure: bucket % 2 === 1, marks: peer.store.marksOf(bucket) }]);
    });

    it('brings floors both ways', async () => {
      const floor: Floor = { scope: 'pattern', subject: 'vehicle:*', hlc: { ms: 5, counter: 6 } };
      await transport.raise(address, [floor], call());
      expect(peer.raised).toEqual([floor]);
      expect(await transport.floors(address, undefined, call())).toEqual({ mark: 'ab.1', floors: [floor] });
      expect(await transport.floors(address, 'ab.1', call())).toEqual({ mark: 'ab.1', floors: [] });
    });

    it('rejects when the peer refuses floors', async () => {
      peer.refusal = new CacheError('level-failed', 'your clock is wrong');
      const floor: Floor = { scope: 'all', subject: '', hlc: { ms: 5, counter: 6 } };
      await expect(transport.raise(address, [floor], call())).rejects.toThrow(/your clock is wrong/);
    });

    it('asks again a peer that it was told to forget', async () => {
      keep('k', value(subject.clock, 'x'));
      await transport.read(address, ['k'], call());
      transport.forget(address);
      transport.forget('127.0.0.1:1');
      expect((await transport.read(address, ['k'], call())).map(textOf)).toEqual(['x']);
    });

    it('answers, and does not reject, after it was closed; closing does not wait for a silent peer for ever', async () => {
      const other = await makeSubject();
      const there = await other.serve(peer);
      const silent = await other.silence();
      const stuck = other.transport.read(silent, ['a'], call());
      await other.transport.read(there, ['a'], call());
      await other.transport.close();
      await other.transport.close();
      expect((await stuck)[0]?.kind).toBe('failed');
      expect(codeOf((await other.transport.read(there, ['a'], call()))[0])).toBe('closed');
      expect(codeOf((await other.transport.write(there, [write('a', value(subject.clock, 'x'))], call()))[0])).toBe(
        'closed',
      );
      expect(codeOf((await other.transport.lease(there, [{ verb: 'ended', key: 'a' }], call()))[0])).toBe('closed');
      await expect(other.transport.gossip(there, QUESTION, call())).rejects.toMatchObject({ code: 'closed' });
      await other.stop();
    });
  });
}

function versionAt(atMs: number) {
  return { eventTimeMs: atMs, hlc: { ms: atMs, counter: 0 }, origin: 1 };
}

function value(clock: Clock, text: string, change: Partial<Entry> = {}, atMs = 5): Entry {
  return {
    kind: 'value',
    payload: new TextEncoder().encode(text),
    version: versionAt(atMs),
    fillStart: { ms: atMs, counter: 0 },
    fence: { ms: 0, counter: 0 },
    createdAtMs: clock.wallMs(),
    freshUntilMs: clock.wallMs() + 600_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags: NO_TAGS,
    ...change,
  };
}

function textOf(outcome: PeerRead): string {
  return outcome.kind === 'found' ? new TextDecoder().decode(outcome.entry.payload) : outcome.kind;
}

function codeOf(outcome: { readonly kind: string } | undefined): string | undefined {
  if (outcome === undefined || !('error' in outcome)) return undefined;
  return outcome.error instanceof CacheError ? outcome.error.code : undefined;
}
