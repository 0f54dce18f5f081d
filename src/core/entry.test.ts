import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { absentEntry, deletion, hlc, NOW_MS, valueEntry, version } from '../../test/core/entries.js';
import { deadAtMs, type Entry, freshness, mergeEntries, tombstone, type WriteMode } from './entry.js';
import { compareHlc, HLC_ZERO, type Hlc } from './hlc.js';
import type { Version } from './version.js';
import { compareVersions, loadedVersion } from './version.js';

const small = fc.integer({ min: 1, max: 6 });
const reading: fc.Arbitrary<Hlc> = fc.record({ ms: small, counter: fc.constantFrom(0, 1) });
const anyVersion: fc.Arbitrary<Version> = fc.record({
  eventTimeMs: fc.integer({ min: 0, max: 3 }),
  hlc: reading,
  origin: fc.constantFrom(1, 2),
});

/** Sets and deletes as nodes issue them: a set has no fence, a delete knows some version. */
const set = fc
  .record({ version: anyVersion, issued: reading })
  .map(({ version: of, issued }) => valueEntry(1, { version: of, fillStart: issued, kind: 'value' }));
const remove = fc
  .record({ known: anyVersion, fence: reading })
  .map(({ known, fence }) => tombstone(fence, known, NOW_MS, 1_000));
const change = fc.oneof(set, remove);
/** What a source or a slower level said. It may know of a delete; it was asked after it. */
const fill = fc
  .record({ version: anyVersion, fillStart: reading, fence: fc.oneof(fc.constant(HLC_ZERO), reading) })
  .map(({ version: of, fillStart, fence }) =>
    valueEntry(1, { version: of, fillStart, fence: compareHlc(fence, fillStart) < 0 ? fence : HLC_ZERO }),
  );

/** What two levels must agree on. */
function state(entry: Entry | undefined): unknown {
  if (entry === undefined) return undefined;
  const isVisible = entry.kind !== 'tombstone';
  return { isVisible, fence: entry.fence, version: entry.version, issued: isVisible ? entry.fillStart : undefined };
}

function stateAfter(writes: readonly Entry[], start?: Entry): Entry | undefined {
  return writes.reduce<Entry | undefined>((held, one) => mergeEntries(held, one, 'set').entry, start);
}

describe('mergeEntries of sets and deletes', () => {
  it('ends in one state, in whatever order and however often they arrive', () => {
    const shuffled = fc
      .array(change, { minLength: 1, maxLength: 6 })
      .chain((writes) =>
        fc.tuple(fc.constant(writes), fc.shuffledSubarray([...writes, ...writes], { minLength: 2 * writes.length })),
      );
    fc.assert(
      fc.property(shuffled, ([writes, again]) => {
        expect(state(stateAfter(again))).toEqual(state(stateAfter(writes)));
      }),
      { numRuns: 3_000 },
    );
  });

  it('is associative: a state from elsewhere says the same as the writes that made it', () => {
    const writes = fc.array(change, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(writes, writes, (here, there) => {
        const elsewhere = stateAfter(there) as Entry;
        expect(state(mergeEntries(stateAfter(here), elsewhere, 'set').entry)).toEqual(
          state(stateAfter([...here, ...there])),
        );
      }),
      { numRuns: 3_000 },
    );
  });

  it('says accepted exactly when the write is what a reader sees', () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), change, (writes, one) => {
        const held = stateAfter(writes);
        const { entry, accepted } = mergeEntries(held, one, 'set');
        if (!accepted) return;
        if (one.kind === 'tombstone') expect(entry.fence).toEqual(one.fence);
        else expect(entry).toMatchObject({ kind: 'value', version: one.version, fillStart: one.fillStart });
      }),
      { numRuns: 2_000 },
    );
  });
});

it('what was issued or asked for at or before a delete is never visible after it, whatever else happens', () => {
  const step = fc.oneof(
    fc.record({ entry: change, mode: fc.constant<WriteMode>('set') }),
    fc.record({ entry: fill, mode: fc.constant<WriteMode>('fill') }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      let held: Entry | undefined;
      let latest = HLC_ZERO;
      for (const { entry, mode } of steps) {
        held = mergeEntries(held, entry, mode).entry;
        if (compareHlc(entry.fence, latest) > 0) latest = entry.fence;
        expect(held.fence).toEqual(latest);
        if (held.kind !== 'tombstone') expect(compareHlc(held.fillStart, latest)).toBeGreaterThan(0);
      }
    }),
    { numRuns: 5_000 },
  );
});

describe('mergeEntries of a fill', () => {
  it('passes a tombstone if it was asked for after the delete, however old its data', () => {
    const deleted = deletion(10, 9);
    expect(mergeEntries(deleted, valueEntry(3, { fillStart: hlc(10) }), 'fill')).toMatchObject({ accepted: false });
    const { entry, accepted } = mergeEntries(deleted, valueEntry(3, { fillStart: hlc(10, 1) }), 'fill');
    expect(accepted).toBe(true);
    expect(entry).toMatchObject({ kind: 'value', version: version(3), fence: hlc(10) });
  });

  it.each<[string, Entry, boolean]>([
    ['newer data', valueEntry(8), true],
    ['the same data asked for later', valueEntry(7, { fillStart: hlc(9) }), true],
    ['the same data', valueEntry(7), false],
    ['the same data asked for before', valueEntry(7, { fillStart: hlc(6) }), false],
    ['older data asked for later', valueEntry(6, { fillStart: hlc(9) }), false],
    ['a newer absence', absentEntry(8), true],
  ])('against a live entry, %s: %s', (_, incoming, accepted) => {
    const merged = mergeEntries(valueEntry(7), incoming, 'fill');
    expect(merged.accepted).toBe(accepted);
    expect(merged.entry).toMatchObject(accepted ? incoming : valueEntry(7));
  });

  it('that tells of a delete takes away what was there before it, however new that is', () => {
    const old = valueEntry(7, { fillStart: hlc(5) });
    const { entry, accepted } = mergeEntries(old, valueEntry(6, { fillStart: hlc(13), fence: hlc(12) }), 'fill');
    expect(accepted).toBe(true);
    expect(entry).toMatchObject({ version: version(6), fence: hlc(12) });
  });
});

it('a delete leaves the newest data version, so that older data issued later stay out and newer ones come in', () => {
  const deleted = stateAfter([valueEntry(8), deletion(20)]) as Entry;
  expect(deleted).toMatchObject({ kind: 'tombstone', version: version(8), fence: hlc(20) });
  const issuedLater = (at: number) => valueEntry(at, { fillStart: hlc(30) });
  expect(mergeEntries(deleted, issuedLater(7), 'set')).toMatchObject({ accepted: false, entry: { kind: 'tombstone' } });
  expect(mergeEntries(deleted, issuedLater(9), 'set')).toMatchObject({ accepted: true, entry: { kind: 'value' } });
});

it('a tombstone lasts as long as the longer of the delete and what it deleted', () => {
  const long = valueEntry(1, { freshUntilMs: NOW_MS + 900_000_000 });
  expect(stateAfter([long, deletion(5)])?.freshUntilMs).toBe(NOW_MS + 900_000_000);
  expect(stateAfter([valueEntry(1), deletion(5)])?.freshUntilMs).toBe(NOW_MS + 86_400_000);
});

it.each([
  [0, 0, 0, 'fresh'],
  [59_999, 0, 0, 'fresh'],
  [60_000, 0, 0, 'dead'],
  [60_000, 1, 0, 'stale'],
  [60_001, 1, 0, 'dead'],
  [60_001, 1, 5, 'stale'],
  [60_005, 1, 5, 'dead'],
])('%d ms after it was made, with windows of %d and %d ms, an entry of a minute is %4$s', (ageMs, swr, sie, is) => {
  const entry = valueEntry(1, { staleWhileRevalidateMs: swr, staleIfErrorMs: sie });
  expect(freshness(entry, NOW_MS + ageMs)).toBe(is);
  expect(deadAtMs(entry)).toBe(NOW_MS + 60_000 + Math.max(swr, sie));
});

it('versions decide between two sets, and nothing else', () => {
  fc.assert(
    fc.property(set, set, (a, b) => {
      if (compareVersions(a.version, b.version) === 0) return;
      const newer = compareVersions(a.version, b.version) > 0 ? a : b;
      expect(mergeEntries(a, b, 'set').entry).toBe(newer);
      expect(mergeEntries(b, a, 'set').entry).toBe(newer);
    }),
  );
});

describe('mergeEntries of loaded data that know their own time', () => {
  const held = valueEntry(1, { version: { ...version(700), eventTimeMs: 500 }, fillStart: hlc(700) });
  const loaded = (eventTimeMs: number, fillStartMs: number) =>
    valueEntry(1, { version: loadedVersion(eventTimeMs), fillStart: hlc(fillStartMs) });

  it('renews what was set with that time, and keeps its version', () => {
    const { entry, accepted } = mergeEntries(held, loaded(500, 900), 'fill');
    expect(accepted).toBe(true);
    expect(entry.version).toEqual(held.version);
    expect(entry.fillStart).toEqual(hlc(900));
  });

  it('is refused when it was asked for before that set, or is older', () => {
    expect(mergeEntries(held, loaded(500, 600), 'fill').accepted).toBe(false);
    expect(mergeEntries(held, loaded(499, 900), 'fill').accepted).toBe(false);
  });

  it('replaces older data', () => {
    expect(mergeEntries(held, loaded(501, 900), 'fill').entry.version).toEqual(loadedVersion(501));
  });
});
