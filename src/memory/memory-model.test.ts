import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { Codec, Readers } from '../core/codec.js';
import { type Entry, mergeEntries, NO_PAYLOAD, type WriteMode } from '../core/entry.js';
import { FeedLeases } from '../core/feed-lease.js';
import { type Floor, Floors } from '../core/floors.js';
import { type Hlc, laterHlc } from '../core/hlc.js';
import { partitionOf } from '../core/key.js';
import { NOT_HERE } from '../core/local.js';
import { compareVersions } from '../core/version.js';
import { AdaptiveEviction } from './adaptive-eviction.js';
import { MemoryTier } from './memory-tier.js';

const KEYS = ['a', 'b', 'c:1', 'c:2'];
const TAGS = ['t', 'u'];

/** What a key may hold. There is more than one possibility as soon as entries may have been evicted in between. */
interface Possible {
  readonly entry: Entry;
  /** Monotonic. */
  readonly freshUntilMs: number;
  readonly doubted: boolean;
}

/** The tier as one would explain it: a list, no slots, no stamps, no laziness. */
class Model {
  readonly #clock: VirtualClock;
  readonly #floors: Floors;
  readonly #mayEvict: boolean;
  #held = new Map<string, readonly Possible[]>();

  constructor(clock: VirtualClock, floors: Floors, mayEvict: boolean) {
    this.#clock = clock;
    this.#floors = floors;
    this.#mayEvict = mayEvict;
  }

  possible(key: string): readonly Possible[] {
    return (this.#held.get(key) ?? []).filter((possible) => this.#isAlive(key, possible));
  }

  put(key: string, entry: Entry, mode: WriteMode): void {
    if (!this.#floors.passes(key, provenBy(entry))) return;
    const aheadMs = this.aheadMs();
    const before = this.possible(key);
    const starts = this.#mayEvict || before.length === 0 ? [undefined, ...before] : before;
    const after = starts.map((held): Possible => {
      const current = held && { ...held.entry, freshUntilMs: held.freshUntilMs + aheadMs };
      const merged = mergeEntries(current, entry, mode);
      const isSame = merged.entry.kind === entry.kind && compareVersions(merged.entry.version, entry.version) === 0;
      const confirmed = merged.accepted || (mode === 'fill' && isSame);
      const doubted = held?.doubted === true && !confirmed;
      return { entry: merged.entry, freshUntilMs: merged.entry.freshUntilMs - aheadMs, doubted };
    });
    this.#held.set(key, after);
  }

  doubt(isDoubted: (key: string) => boolean): void {
    for (const [key, held] of this.#held) {
      if (isDoubted(key)) {
        this.#held.set(
          key,
          held.map((one) => ({ ...one, doubted: true })),
        );
      }
    }
  }

  forget(isForgotten: (key: string) => boolean): void {
    this.#held = new Map([...this.#held].filter(([key]) => !isForgotten(key)));
  }

  aheadMs(): number {
    return this.#clock.wallMs() - this.#clock.monotonicMs();
  }

  isFresh(possible: Possible): boolean {
    return this.#clock.monotonicMs() < possible.freshUntilMs;
  }

  #isAlive(key: string, { entry, freshUntilMs }: Possible): boolean {
    const staleMs = Math.max(entry.staleWhileRevalidateMs, entry.staleIfErrorMs);
    return this.#clock.monotonicMs() < freshUntilMs + staleMs && this.#floors.passes(key, provenBy(entry));
  }
}

function provenBy(entry: Entry) {
  return entry.kind === 'tombstone' ? { ...entry, fillStart: laterHlc(entry.fence, entry.fillStart) } : entry;
}

/** A payload is a number that no other put has; every third cannot be frozen, every fifth only for many readers. */
const codec: Codec = {
  encode: (value) => new TextEncoder().encode(String(value)),
  copy: () => undefined,
  decode(bytes, readers: Readers = 'many') {
    const value = Number(new TextDecoder().decode(bytes));
    return { value: { value }, frozen: value % 3 !== 0 && (value % 5 !== 0 || readers === 'many') };
  },
};

const small = fc.integer({ min: 1, max: 30 });
const key = fc.constantFrom(...KEYS);
const put = fc.record({
  do: fc.constant('put' as const),
  key,
  kind: fc.constantFrom<Entry['kind']>('value', 'value', 'value', 'absent', 'tombstone'),
  mode: fc.constantFrom<WriteMode>('set', 'fill'),
  eventTimeMs: small,
  issuedMs: small,
  fillMs: small,
  fenceMs: fc.integer({ min: 0, max: 20 }),
  ttlMs: fc.oneof(fc.integer({ min: -5, max: 60 }), fc.constant(300)),
  staleMs: fc.constantFrom(0, 0, 30),
  tags: fc.subarray(TAGS),
  bytes: fc.integer({ min: 1, max: 200 }),
});
const floor = fc.oneof(
  fc.constant({ scope: 'all', subject: '' } as const),
  fc.constantFrom(...TAGS).map((subject) => ({ scope: 'tag', subject }) as const),
  key.map((one) => ({ scope: 'partition', subject: String(partitionOf(one)) }) as const),
  fc.constantFrom('c:*', '?', 'c:2').map((subject) => ({ scope: 'pattern', subject }) as const),
);
const step = fc.oneof(
  { weight: 8, arbitrary: put },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('read' as const, 'find' as const), key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 40 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('jump' as const), ms: fc.integer({ min: -1_000, max: 1_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('raise' as const), floor, ms: fc.integer({ min: 1, max: 20 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('drop' as const, 'doubt' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('dropAll' as const, 'doubtAll' as const) }) },
);
const steps = fc.array(step, { minLength: 10, maxLength: 100, size: 'max' });
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const at = (ms: number): Hlc => ({ ms, counter: 0 });

function play(played: readonly Step[], maxBytes: number, maxEntries: number): void {
  const mayEvict = maxEntries < KEYS.length;
  const clock = new VirtualClock();
  const floors = new Floors();
  const tier = new MemoryTier({
    clock,
    codec,
    floors,
    eviction: new AdaptiveEviction(1, maxEntries),
    maxBytes,
    maxEntries,
    leases: new FeedLeases(false),
  });
  const model = new Model(clock, floors, mayEvict);
  let puts = 0;

  const entryOf = (one: Extract<Step, { do: 'put' }>): Entry => ({
    kind: one.kind,
    payload: one.kind === 'value' ? codec.encode(String(++puts).padStart(one.bytes, '0')) : NO_PAYLOAD,
    version: { eventTimeMs: one.eventTimeMs, hlc: at(one.issuedMs), origin: 1 },
    fillStart: at(one.fillMs),
    // A value that its own fence hides is never written.
    fence: at(one.kind === 'tombstone' ? one.fenceMs : Math.min(one.fenceMs, one.fillMs - 1)),
    createdAtMs: clock.wallMs(),
    freshUntilMs: clock.wallMs() + one.ttlMs,
    staleWhileRevalidateMs: one.staleMs,
    staleIfErrorMs: 0,
    tags: one.tags,
  });
  const checkRead = (read: unknown, possible: readonly Possible[]) => {
    const visible = possible.filter((one) => model.isFresh(one) && !one.doubted && one.entry.kind !== 'tombstone');
    const allowed = visible.map(({ entry }) =>
      entry.kind === 'value' ? codec.decode(entry.payload).value : undefined,
    );
    if (mayEvict || visible.length < possible.length || possible.length === 0) allowed.push(NOT_HERE);
    expect(allowed).toContainEqual(read);
  };

  for (const one of played) {
    switch (one.do) {
      case 'put': {
        const entry = entryOf(one);
        model.put(one.key, entry, one.mode);
        tier.put(one.key, entry, one.mode);
        expect(tier.sizeBytes).toBeLessThanOrEqual(maxBytes);
        expect(tier.entries).toBeLessThanOrEqual(maxEntries);
        break;
      }
      case 'read':
        checkRead(tier.read(one.key), model.possible(one.key));
        expect(tier.sizeBytes).toBeLessThanOrEqual(maxBytes);
        break;
      case 'find': {
        const possible = model.possible(one.key);
        const found = tier.find(one.key);
        const known = possible.map(({ entry, freshUntilMs, doubted }) => ({
          entry: { ...entry, payload: NO_PAYLOAD, freshUntilMs: freshUntilMs + model.aheadMs() },
          trusted: !doubted,
        }));
        if (found !== undefined) expect(known).toContainEqual({ entry: found.entry, trusted: found.trusted });
        else if (!mayEvict) expect(known).toEqual([]);
        if (found?.entry.kind === 'value') {
          expect(possible.map(({ entry }) => codec.decode(entry.payload).value)).toContainEqual(found.value);
        }
        break;
      }
      case 'advance':
        clock.advance(one.ms);
        break;
      case 'jump':
        clock.jumpWall(one.ms);
        break;
      case 'raise': {
        const raised: Floor = { ...one.floor, hlc: at(one.ms) };
        floors.raise(raised);
        break;
      }
      case 'drop':
        tier.drop(one.key);
        model.forget((other) => other === one.key);
        break;
      case 'doubt':
        tier.doubt(partitionOf(one.key));
        model.doubt((other) => partitionOf(other) === partitionOf(one.key));
        break;
      case 'doubtAll':
        tier.doubt();
        model.doubt(() => true);
        break;
      case 'dropAll':
        tier.dropAll();
        model.forget(() => true);
        break;
    }
  }
  for (const one of KEYS) tier.drop(one);
  expect([tier.sizeBytes, tier.entries]).toEqual([0, 0]);
}

describe('MemoryTier', () => {
  it('with room for everything, answers as a simple model does', () => {
    fc.assert(
      fc.property(steps, (played) => play(played, 1_000_000, 100)),
      { numRuns: 500 },
    );
  });

  it('short of room, answers nothing rather than what the model would not allow', () => {
    fc.assert(
      fc.property(steps, (played) => play(played, 1_200, 3)),
      { numRuns: 500 },
    );
  });
});
