import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hlc } from '../../test/core/entries.js';
import { FLOOR_LIFE_MS, FLOOR_OVERTIME_MS, type Floor, Floors } from './floors.js';
import { compileGlob } from './glob.js';
import { compareHlc, type Hlc } from './hlc.js';
import { partitionOf } from './key.js';

const keys = ['vehicle:trips:42:1', 'vehicle:trips:42:2', 'vehicle:trips:7:1', 'route:a:42', 'nearby:vehicles:pune'];
const reading: fc.Arbitrary<Hlc> = fc.record({ ms: fc.integer({ min: 1, max: 6 }), counter: fc.constantFrom(0, 1) });
const floor: fc.Arbitrary<Floor> = fc
  .tuple(
    fc.oneof(
      fc.constant({ scope: 'all' as const, subject: '' }),
      fc.constantFrom(...keys).map((key) => ({ scope: 'partition' as const, subject: String(partitionOf(key)) })),
      fc.constantFrom('a', 'b', 'c').map((subject) => ({ scope: 'tag' as const, subject })),
      fc
        .constantFrom('vehicle:trips:42:*', 'route:*:42', '*', '*:1', 'vehicle:trips:?:1')
        .map((subject) => ({ scope: 'pattern' as const, subject })),
    ),
    reading,
  )
  .map(([what, at]) => ({ ...what, hlc: at }));
const filled = fc.record({ fillStart: reading, tags: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd')) });

/** Every floor ever raised, looked at one by one. */
function passesAll(floors: readonly Floor[], key: string, one: { fillStart: Hlc; tags: readonly string[] }): boolean {
  return floors.every(({ scope, subject, hlc: at }) => {
    const covers =
      scope === 'all' ||
      (scope === 'partition' && Number(subject) === partitionOf(key)) ||
      (scope === 'tag' && one.tags.includes(subject)) ||
      (scope === 'pattern' && compileGlob(subject).matches(key));
    return !covers || compareHlc(one.fillStart, at) > 0;
  });
}

function raised(list: readonly Floor[]): Floors {
  const floors = new Floors();
  for (const one of list) floors.raise(one);
  return floors;
}

/** Few, so that folding is quick to come. */
const MOST = 1_000;
const DAY_MS = 86_400_000;

describe('Floors', () => {
  it('lets pass what a plain list of all floors lets pass', () => {
    fc.assert(
      fc.property(fc.array(floor, { maxLength: 25 }), fc.array(filled, { maxLength: 8 }), (list, entries) => {
        const floors = raised(list);
        for (const key of keys) {
          for (const entry of entries) expect(floors.passes(key, entry)).toBe(passesAll(list, key, entry));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('say the same when another node raises what they list, in any order', () => {
    fc.assert(
      fc.property(fc.array(floor, { maxLength: 25 }), filled, (list, entry) => {
        const floors = raised(list);
        const copy = raised(floors.list().reverse());
        for (const key of keys) expect(copy.passes(key, entry)).toBe(floors.passes(key, entry));
      }),
    );
  });

  it('know news from what is old, and count an epoch for each piece of news', () => {
    const floors = new Floors();
    const tag = (ms: number): Floor => ({ scope: 'tag', subject: 'a', hlc: hlc(ms) });
    expect([floors.raise(tag(5)), floors.raise(tag(5)), floors.raise(tag(4)), floors.raise(tag(6))]).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(floors.raise({ scope: 'all', subject: '', hlc: hlc(6) })).toBe(true);
    expect(floors.raise({ scope: 'pattern', subject: 'x*', hlc: hlc(6) })).toBe(false);
    expect(floors.epoch).toBe(3);
    expect(floors.list()).toEqual([{ scope: 'all', subject: '', hlc: hlc(6) }]);
  });

  it('refuse a malformed pattern and stay as they were', () => {
    const floors = new Floors();
    const wanted = expect.objectContaining({ code: 'invalid-pattern' });
    expect(() => floors.raise({ scope: 'pattern', subject: 'a\\', hlc: hlc(1) })).toThrow(wanted);
    expect([floors.epoch, floors.size]).toEqual([0, 0]);
  });

  it('fold when they are too old, and refuse nobody else who was filled in the last 30 days', () => {
    const days = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat({ max: 90 })).map(([ms, day]) => ms + day * DAY_MS);
    const late = fc.tuple(floor, days).map(([one, ms]): Floor => ({ ...one, hlc: hlc(ms) }));
    const lateFilled = fc.tuple(filled, days).map(([one, ms]) => ({ ...one, fillStart: hlc(ms) }));
    fc.assert(
      fc.property(fc.array(late, { maxLength: 25 }), fc.array(lateFilled, { maxLength: 8 }), (drawn, entries) => {
        const list = [...drawn].sort((a, b) => compareHlc(a.hlc, b.hlc));
        const floors = raised(list);
        const nowMs = list.at(-1)?.hlc.ms ?? 0;
        for (const { scope, hlc: at } of floors.list()) {
          if (scope !== 'all') expect(at.ms).toBeGreaterThan(nowMs - FLOOR_LIFE_MS - FLOOR_OVERTIME_MS);
        }
        for (const key of keys) {
          for (const entry of entries) {
            const wanted = passesAll(list, key, entry);
            if (entry.fillStart.ms > nowMs - FLOOR_LIFE_MS) expect(floors.passes(key, entry)).toBe(wanted);
            else if (!wanted) expect(floors.passes(key, entry)).toBe(false);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('fold when they are too many: bounded, and whatever should be refused still is', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat({ max: 1_000_000 })), (numbers) => {
        const draw = numbers[Symbol.iterator]();
        const number = (): number => draw.next().value as number;
        const floors = new Floors(MOST);
        const list: Floor[] = [];
        for (let i = 0; i < 2 * MOST; i++) {
          const scope = i % 50 === 0 ? 'pattern' : 'tag';
          const one: Floor = { scope, subject: `${i}`, hlc: hlc(number()) };
          list.push(one);
          floors.raise(one);
          expect(floors.size).toBeLessThanOrEqual(MOST);
        }
        for (let i = 0; i < 300; i++) {
          const entry = { fillStart: hlc(number()), tags: [`${number() % list.length}`] };
          const key = `${number() % list.length}`;
          if (floors.passes(key, entry)) expect(passesAll(list, key, entry)).toBe(true);
        }
        // What is filled from now on passes: folding does not shut the cache.
        expect(floors.passes('k', { fillStart: hlc(1_000_001), tags: ['1', '2'] })).toBe(true);
      }),
      { numRuns: 5 },
    );
  });
});
