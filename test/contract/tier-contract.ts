import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Call } from '../../src/core/call.js';
import type { Clock } from '../../src/core/clock.js';
import { type Entry, mergeEntries, NO_PAYLOAD, NO_TAGS, tombstone } from '../../src/core/entry.js';
import type { Hlc } from '../../src/core/hlc.js';
import { checkKey, partitionOf } from '../../src/core/key.js';
import type { Outcome } from '../../src/core/outcome.js';
import type { Tier, Write } from '../../src/core/tier.js';
import { compareVersions, type Version } from '../../src/core/version.js';

/** A tier to be held to its word. The contract closes the tier; what else was started, `stop` ends. */
export interface TierSubject {
  readonly tier: Tier;
  /** The clock by which the tier tells fresh from dead. */
  readonly clock: Clock;
  /** Lets that clock go on: a real one by waiting, a virtual one by being moved. */
  passMs(ms: number): Promise<void>;
  stop?(): Promise<void>;
}

const PATIENCE_MS = 10_000;
const LIFETIME_MS = 600_000;
const MIB = 1_048_576;

/** What every tier promises, whatever it is made of. Needs no empty tier: each test works on keys of its own. */
export function tierContract(name: string, makeSubject: () => Promise<TierSubject>): void {
  describe(`${name} keeps the contract of a tier`, () => {
    let subject: TierSubject;
    let tier: Tier;
    const run = Math.random().toString(36).slice(2);
    let keysMade = 0;

    beforeAll(async () => {
      subject = await makeSubject();
      tier = subject.tier;
    });
    afterAll(async () => {
      await tier.close();
      await subject.stop?.();
    });

    const freshKey = (rest = ''): string => `contract:${run}:${keysMade++}${rest}`;
    const call = (waitMs = PATIENCE_MS): Call => ({
      deadlineAtMs: subject.clock.monotonicMs() + waitMs,
      signal: undefined,
      reason: 'read',
    });
    const read = async (key: string): Promise<Outcome> => (await tier.read([key], call()))[0]!;
    const write = async (...writes: Write[]) => (await tier.write(writes, call())).map((outcome) => outcome.kind);
    const wall = (): number => Math.floor(subject.clock.wallMs());
    const value = (text: string, atMs: number, change: Partial<Entry> = {}): Entry =>
      valueEntry(wall(), text, atMs, change);
    const deletion = (fenceMs: number, known: Version): Entry =>
      tombstone({ ms: fenceMs, counter: 0 }, known, wall(), LIFETIME_MS);

    it('answers a miss for what nobody wrote, in the order of the keys', async () => {
      const keys = [freshKey(), freshKey(), freshKey()];
      await write({ key: keys[1]!, entry: value('x', 5), mode: 'set' });
      const outcomes = await tier.read(keys, call());
      expect(outcomes.map((outcome) => outcome.kind)).toEqual(['miss', 'found', 'miss']);
    });

    it('answers nothing when it is asked nothing', async () => {
      expect(await tier.read([], call())).toEqual([]);
      expect(await tier.write([], call())).toEqual([]);
    });

    it('answers every mention of a key that is asked for twice', async () => {
      const key = freshKey();
      await write({ key, entry: value('x', 5), mode: 'set' });
      expect((await tier.read([key, key], call())).map(textOf)).toEqual(['x', 'x']);
    });

    it('gives back every field of what was written', async () => {
      const key = freshKey();
      const entry = value('all of it', 1_790_000_000_123, {
        version: {
          eventTimeMs: 1_790_000_000_001,
          hlc: { ms: 1_790_000_000_123, counter: 65_535 },
          origin: 2 ** 48 - 1,
        },
        fence: { ms: 1_700_000_000_000, counter: 3 },
        createdAtMs: wall() - 1_234.5,
        staleWhileRevalidateMs: 30_000,
        staleIfErrorMs: 90_000,
        tags: ['type:location', 'vehicle:42', 'région:मुंबई'],
      });
      expect(await write({ key, entry, mode: 'set' })).toEqual(['stored']);
      expect(plain(await read(key))).toEqual(plain({ kind: 'found', entry }));
    });

    it('keeps values of 0 bytes and of 1 MiB, absences and tombstones', async () => {
      const big = new Uint8Array(MIB).map((_, at) => at * 31);
      const entries = [
        value('', 5),
        value('', 5, { payload: big }),
        value('', 5, { kind: 'absent' }),
        deletion(6, version(5)),
      ];
      const writes = entries.map((entry): Write => ({ key: freshKey(), entry, mode: 'set' }));
      expect(await write(...writes)).toEqual(['stored', 'stored', 'stored', 'stored']);
      const outcomes = await tier.read(
        writes.map(({ key }) => key),
        call(),
      );
      expect(outcomes.map(plain)).toEqual(entries.map((entry) => plain({ kind: 'found', entry })));
    });

    it('takes every key that the cache takes', async () => {
      const start = freshKey();
      const keys = [
        `${start} with spaces`,
        `${start}:{braces}{}}{`,
        `${start}:line\nbreak\r\n\ttab\0nul`,
        `${start}:वाहन:🚚:ё`,
        `${start}*?[a-z]\\`,
        `${start}:${'k'.repeat(1_023 - start.length)}`,
      ];
      keys.forEach(checkKey);
      await write(...keys.map((key): Write => ({ key, entry: value(key, 5), mode: 'set' })));
      expect((await tier.read(keys, call())).map(textOf)).toEqual(keys);
    });

    it('reads and writes many keys of all partitions at once', async () => {
      const keys = Array.from({ length: 600 }, () => freshKey());
      expect(new Set(keys.map(partitionOf)).size).toBeGreaterThan(200);
      const statuses = await write(...keys.map((key): Write => ({ key, entry: value(key, 5), mode: 'set' })));
      expect(new Set(statuses)).toEqual(new Set(['stored']));
      expect((await tier.read(keys, call())).map(textOf)).toEqual(keys);
    });

    it('keeps the newer of two sets, whichever comes last, and says what supersedes the older', async () => {
      const key = freshKey();
      expect(await write({ key, entry: value('newer', 9), mode: 'set' })).toEqual(['stored']);
      const [outcome] = await tier.write([{ key, entry: value('older', 8), mode: 'set' }], call());
      expect(outcome?.kind).toBe('superseded');
      if (outcome?.kind === 'superseded' && outcome.by !== undefined) {
        expect(compareVersions(outcome.by, version(9))).toBe(0);
      }
      expect(textOf(await read(key))).toBe('newer');
      expect(await write({ key, entry: value('newest', 10), mode: 'set' })).toEqual(['stored']);
      expect(textOf(await read(key))).toBe('newest');
    });

    it('applies the writes of one batch to one key in their order', async () => {
      const key = freshKey();
      const statuses = await write(
        { key, entry: value('first', 5), mode: 'set' },
        { key, entry: deletion(6, version(5)), mode: 'set' },
        { key, entry: value('late', 6), mode: 'set' },
        { key, entry: value('second', 7), mode: 'set' },
      );
      expect(statuses).toEqual(['stored', 'stored', 'superseded', 'stored']);
      expect(textOf(await read(key))).toBe('second');
    });

    it('finds the tombstone after a delete, and a delayed set does not bring the value back', async () => {
      const key = freshKey();
      await write({ key, entry: value('gone', 5), mode: 'set' });
      expect(await write({ key, entry: deletion(7, version(5)), mode: 'set' })).toEqual(['stored']);
      expect(await write({ key, entry: value('delayed', 6), mode: 'set' })).toEqual(['superseded']);
      const outcome = await read(key);
      expect(outcome.kind === 'found' && outcome.entry.kind).toBe('tombstone');
      expect(await write({ key, entry: value('later', 8), mode: 'set' })).toEqual(['stored']);
      expect(textOf(await read(key))).toBe('later');
    });

    it('takes a fill after a delete only if it was asked for after it, however old its data', async () => {
      const key = freshKey();
      const filled = (text: string, askedMs: number): Entry =>
        value(text, 3, { fillStart: { ms: askedMs, counter: 0 } });
      await write({ key, entry: deletion(7, version(5)), mode: 'set' });
      expect(await write({ key, entry: filled('asked before', 6), mode: 'fill' })).toEqual(['superseded']);
      expect(await write({ key, entry: filled('asked after', 8), mode: 'fill' })).toEqual(['stored']);
      expect(textOf(await read(key))).toBe('asked after');
    });

    it('does not let a fill replace what is newer', async () => {
      const key = freshKey();
      await write({ key, entry: value('set', 5), mode: 'set' });
      const late = value('filled', 4, { fillStart: { ms: 9, counter: 0 } });
      expect(await write({ key, entry: late, mode: 'fill' })).toEqual(['superseded']);
      expect(textOf(await read(key))).toBe('set');
    });

    it('finds what is stale, and misses what is dead', async () => {
      const stale = value('stale', 5, { freshUntilMs: wall() - 1, staleWhileRevalidateMs: LIFETIME_MS });
      const dead = value('dead', 5, { freshUntilMs: wall() - 10, staleIfErrorMs: 9 });
      const dying = value('dying', 5, { freshUntilMs: wall() + 50, staleIfErrorMs: 50 });
      const writes = [stale, dead, dying].map((entry): Write => ({ key: freshKey(), entry, mode: 'set' }));
      await write(...writes);
      await subject.passMs(150);
      const outcomes = await tier.read(
        writes.map(({ key }) => key),
        call(),
      );
      expect(outcomes.map((outcome) => outcome.kind)).toEqual(['found', 'miss', 'miss']);
    });

    it('does not go back to the older value when a newer one is dead', async () => {
      const key = freshKey();
      await write({ key, entry: value('older', 5), mode: 'set' });
      await write({ key, entry: value('dead', 6, { freshUntilMs: wall() - 1 }), mode: 'set' });
      expect((await read(key)).kind).toBe('miss');
    });

    it('ends in the state of mergeEntries after any writes, each told whether it was taken', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(writeArbitrary, { minLength: 1, maxLength: 8 }), async (drawn) => {
          const key = freshKey();
          const nowMs = wall();
          let model: Entry | undefined;
          const writes = drawn.map((one): Write => ({ key, mode: one.mode, entry: drawnEntry(one, nowMs) }));
          for (const { entry, mode } of writes) {
            const { entry: kept, accepted } = mergeEntries(model, entry, mode);
            model = kept;
            expect(await write({ key, entry, mode })).toEqual([accepted ? 'stored' : 'superseded']);
            expect(plain(await read(key))).toEqual(plain({ kind: 'found', entry: kept }));
          }
        }),
        { numRuns: 150 },
      );
    });

    it('answers every key and does not reject when the time is up or the caller has given up', async () => {
      const key = freshKey();
      const entry = value('x', 5);
      const given: Call = { ...call(), signal: AbortSignal.abort() };
      for (const hopeless of [call(0), call(-1), given]) {
        const outcomes = await tier.read([key, freshKey()], hopeless);
        expect(outcomes).toHaveLength(2);
        for (const { kind } of outcomes) expect(['miss', 'found', 'skipped', 'failed']).toContain(kind);
        const statuses = await tier.write([{ key, entry, mode: 'set' }], hopeless);
        expect(statuses).toHaveLength(1);
      }
    });

    it('answers, and does not reject, after it was closed; closing twice is closing once', async () => {
      const other = await makeSubject();
      await other.tier.close();
      await other.tier.close();
      const waitUntil = { ...call(), deadlineAtMs: other.clock.monotonicMs() + PATIENCE_MS };
      expect(await other.tier.read([freshKey(), freshKey()], waitUntil)).toHaveLength(2);
      const writes: Write[] = [{ key: freshKey(), entry: value('x', 5), mode: 'set' }];
      expect(await other.tier.write(writes, waitUntil)).toHaveLength(1);
      await other.stop?.();
    });
  });
}

function version(ms: number): Version {
  return { eventTimeMs: ms, hlc: { ms, counter: 0 }, origin: 1 };
}

/** A value whose event, issue and fill all happened at `atMs`. */
function valueEntry(nowMs: number, text: string, atMs: number, change: Partial<Entry>): Entry {
  return {
    kind: 'value',
    payload: new TextEncoder().encode(text),
    version: version(atMs),
    fillStart: { ms: atMs, counter: 0 },
    fence: { ms: 0, counter: 0 },
    createdAtMs: nowMs,
    freshUntilMs: nowMs + LIFETIME_MS,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags: NO_TAGS,
    ...change,
  };
}

function textOf(outcome: Outcome): string | undefined {
  return outcome.kind === 'found' ? new TextDecoder().decode(outcome.entry.payload) : undefined;
}

/** A payload may be a Buffer or a plain array; only its bytes matter. As text, because comparing 1 MiB is slow. */
export function plain(outcome: Outcome): unknown {
  if (outcome.kind !== 'found') return outcome;
  return { ...outcome.entry, payload: Buffer.from(outcome.entry.payload).toString('base64') };
}

/** Few different instants, so that ties and all orders come up. */
const reading: fc.Arbitrary<Hlc> = fc.record({ ms: fc.integer({ min: 1, max: 6 }), counter: fc.constantFrom(0, 1) });

export const writeArbitrary = fc.record({
  mode: fc.constantFrom('set' as const, 'fill' as const),
  kind: fc.constantFrom('value' as const, 'absent' as const, 'tombstone' as const),
  eventTimeMs: fc.integer({ min: 1, max: 4 }),
  // The reading zero is that of loaded data that know their own time.
  hlc: fc.oneof(fc.constant<Hlc>({ ms: 0, counter: 0 }), reading),
  origin: fc.constantFrom(1, 2),
  fillStart: reading,
  fence: fc.oneof(fc.constant<Hlc>({ ms: 0, counter: 0 }), reading),
  text: fc.string({ maxLength: 4 }),
  freshMs: fc.integer({ min: 100_000, max: 900_000 }),
  agoMs: fc.integer({ min: 0, max: 1_000 }),
  tags: fc.uniqueArray(fc.constantFrom('a', 'b', 'ж'), { maxLength: 3 }),
});

export function drawnEntry(
  drawn: typeof writeArbitrary extends fc.Arbitrary<infer T> ? T : never,
  nowMs: number,
): Entry {
  const { kind, eventTimeMs, hlc, origin, fillStart, fence, text, freshMs, agoMs, tags } = drawn;
  const known: Version = { eventTimeMs, hlc, origin };
  if (kind === 'tombstone') return tombstone(fence, known, nowMs - agoMs, freshMs);
  return {
    kind,
    payload: kind === 'value' ? new TextEncoder().encode(text) : NO_PAYLOAD,
    version: known,
    fillStart: drawn.mode === 'set' ? hlc : fillStart,
    fence,
    createdAtMs: nowMs - agoMs,
    freshUntilMs: nowMs + freshMs,
    staleWhileRevalidateMs: agoMs,
    staleIfErrorMs: 2 * agoMs,
    tags,
  };
}
