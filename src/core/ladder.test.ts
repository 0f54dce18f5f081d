import { describe, expect, it } from 'vitest';
import { absentEntry, deletion, hlc, NOW_MS, valueEntry } from '../../test/core/entries.js';
import { climb } from './ascent.js';
import type { Call } from './call.js';
import type { Entry } from './entry.js';
import { Floors } from './floors.js';
import type { Answer, Held, LadderParts } from './ladder.js';
import { type Level, MISS, type Outcome, type SkipReason } from './outcome.js';
import { NULL_RECORDER } from './recorder.js';
import type { Rung } from './tier.js';

/**
 * Every outcome of three tiers, with and without a source, and everything that may be held: about 200,000 climbs, each
 * against an oracle that knows entries only as the few numbers below.
 */
interface Copy {
  readonly kind: 'value' | 'absent' | 'tombstone';
  readonly version: number;
  readonly filled: number;
  readonly fence?: number;
  /** Open windows; `fresh` needs none, `dead` has none. */
  readonly is: 'fresh' | 'swr' | 'sie' | 'both' | 'dead';
  readonly belowFloor?: true;
  readonly doubted?: true;
  /** Whoever has it may have lost something newer. */
  readonly unsure?: true;
}
type Case = Copy | 'miss' | 'failed' | { readonly skipped: SkipReason };

const fresh: Copy = { kind: 'value', version: 20, filled: 20, is: 'fresh' };
const tierCases: readonly Case[] = [
  fresh,
  { ...fresh, unsure: true },
  { ...fresh, version: 5 },
  { ...fresh, kind: 'absent' },
  { ...fresh, filled: 10 },
  { ...fresh, version: 10, filled: 19, fence: 18, is: 'both' },
  { ...fresh, belowFloor: true },
  { ...fresh, version: 10, is: 'both' },
  { ...fresh, version: 30, is: 'sie' },
  { ...fresh, version: 40, is: 'dead' },
  { kind: 'tombstone', version: 1, filled: 1, fence: 15, is: 'fresh' },
  'miss',
  'failed',
  { skipped: 'breaker-open' },
  { skipped: 'overloaded' },
  { skipped: 'no-time' },
  { skipped: 'not-ready' },
  { skipped: 'no-owner' },
];
const loaded: Copy = { kind: 'value', version: 2, filled: 2, is: 'fresh' };
const FLOOR = 100;

const sourceCases: readonly (Case | undefined)[] = [
  undefined,
  loaded,
  { ...loaded, kind: 'absent', belowFloor: true },
  'miss',
  'failed',
];
const heldCases: readonly (Copy | undefined)[] = [
  undefined,
  { kind: 'value', version: 10, filled: 12, is: 'swr' },
  { kind: 'value', version: 10, filled: 12, is: 'sie' },
  { kind: 'value', version: 10, filled: 17, fence: 11, is: 'both' },
  { kind: 'tombstone', version: 1, filled: 1, fence: 15, is: 'fresh' },
  { kind: 'value', version: 10, filled: 12, is: 'both', doubted: true },
  { kind: 'value', version: 10, filled: 17, is: 'fresh', doubted: true },
  { kind: 'value', version: 25, filled: 17, is: 'fresh', doubted: true },
];
const tierLevels: readonly Level[] = ['distributed', 'peer', 'sister'];

interface Expected {
  /** Who answers, with which version; undefined when nobody does. */
  readonly from: Level | undefined;
  readonly version: number | undefined;
  readonly stale: boolean;
  readonly revalidate: boolean;
  readonly missed: readonly Level[];
  readonly errors: readonly Level[];
}

interface Asked {
  readonly missed: Level[];
  readonly errors: Level[];
  answer: { readonly copy: Copy; readonly level: Level } | undefined;
  best: { readonly copy: Copy; readonly level: Level } | undefined;
  isUnsure: boolean;
  /** Something older was said of what is held and doubted. */
  standsIn: boolean;
}

function askTiers(tiers: readonly Case[], held: Copy | undefined): Asked {
  const best = held?.kind === 'value' ? { copy: held, level: 'local' as Level } : undefined;
  const asked: Asked = { missed: [], errors: [], answer: undefined, best, isUnsure: false, standsIn: false };
  let fence = held?.fence ?? 0;
  let isDeleted = false;
  for (const [i, one] of tiers.entries()) {
    const level = tierLevels[i] as Level;
    if (isDeleted || one === 'miss') {
      asked.missed.push(level);
    } else if (one === 'failed' || 'skipped' in one) {
      if (one === 'failed') asked.errors.push(level);
      asked.isUnsure = true;
    } else {
      fence = Math.max(fence, one.fence ?? 0);
      asked.best = aboveFence(asked.best, fence);
      isDeleted = one.kind === 'tombstone';
      const use = useOf(one, fence, asked.best?.copy);
      if (use === 'answer') return { ...asked, answer: { copy: one, level } };
      asked.missed.push(level);
      if (use === 'hold') asked.best = { copy: one, level };
      if (isStoodInFor(one, asked.best?.copy)) return { ...asked, standsIn: true };
    }
  }
  return asked;
}

function aboveFence(best: Asked['best'], fence: number): Asked['best'] {
  return best !== undefined && best.copy.filled <= fence ? undefined : best;
}

function useOf(one: Copy, fence: number, best: Copy | undefined): 'answer' | 'hold' | 'none' {
  if (one.kind === 'tombstone' || one.is === 'dead' || one.filled <= fence || one.belowFloor) return 'none';
  if (one.is === 'fresh') return one.version >= (best?.version ?? 0) ? 'answer' : 'none';
  const isBetter = best?.doubted === true ? one.version >= best.version : one.version > (best?.version ?? 0);
  return isBetter ? 'hold' : 'none';
}

function isStoodInFor(one: Copy, best: Copy | undefined): boolean {
  if (best?.doubted !== true || best.is !== 'fresh') return false;
  return one.kind !== 'tombstone' && one.is !== 'dead' && one.version < best.version;
}

function expected(tiers: readonly Case[], source: Case | undefined, held: Copy | undefined): Expected {
  const { missed, errors, answer, best, isUnsure, standsIn } = askTiers(tiers, held);
  const says = (from?: Level, copy?: Copy, stale = false, revalidate = false): Expected => ({
    from,
    version: copy?.version,
    stale,
    revalidate,
    missed,
    errors,
  });
  if (answer !== undefined) return says(answer.level, answer.copy, isUnsure || answer.copy.unsure === true);
  const isDoubted = best?.copy.doubted === true;
  if (standsIn || (isDoubted && isUnsure && best.copy.is === 'fresh')) return says(best?.level, best?.copy, true);
  const mayRevalidate = source !== undefined && (!isDoubted || isUnsure);
  if (best !== undefined && mayRevalidate && (best.copy.is === 'swr' || best.copy.is === 'both')) {
    return says(best.level, best.copy, true, true);
  }
  if (source === 'miss') {
    missed.push('source');
    return says();
  }
  if (source === 'failed') errors.push('source');
  else if (source !== undefined) return says('source', source as Copy);
  const isOpen = best?.copy.is === 'sie' || best?.copy.is === 'both' || best?.copy.is === 'fresh';
  return isOpen && (isUnsure || source === 'failed') ? says(best?.level, best?.copy, true) : says();
}

/** The fence of a delete lies above the floor, like everything that is not below it. */
function copyOf({ kind, version, filled, fence = 0, is, belowFloor }: Copy): Entry {
  const known = hlc(fence === 0 ? 0 : FLOOR + fence);
  if (kind === 'tombstone') return { ...deletion(1, version), fence: known };
  const make = kind === 'value' ? valueEntry : absentEntry;
  return make(version, {
    fillStart: hlc(belowFloor ? filled : FLOOR + filled),
    fence: known,
    freshUntilMs: is === 'fresh' ? NOW_MS + 1 : NOW_MS - 100,
    staleWhileRevalidateMs: is === 'swr' || is === 'both' ? 101 : 100,
    staleIfErrorMs: is === 'sie' || is === 'both' ? 101 : 100,
    tags: belowFloor ? ['floored'] : [],
  });
}

function outcomeOf(one: Case): Outcome {
  if (one === 'miss') return MISS;
  if (one === 'failed') return { kind: 'failed', error: new Error('out') };
  if ('skipped' in one) return { kind: 'skipped', why: one.skipped };
  return { kind: 'found', entry: copyOf(one), ...(one.unsure === true && { unsure: true }) };
}

const call: Call = { deadlineAtMs: 1_000, signal: undefined, reason: 'read' };

function parts(change: Partial<LadderParts> = {}): LadderParts {
  const floors = new Floors();
  floors.raise({ scope: 'tag', subject: 'floored', hlc: hlc(FLOOR) });
  return {
    floors,
    recorder: { ...NULL_RECORDER, missedAt() {} },
    monotonicMs: () => 0,
    follow: () => {},
    wallMs: () => NOW_MS,
    ...change,
  };
}

function rung(level: Level, outcomeFor: (key: string) => Outcome, asked: string[][] = []): Rung {
  return {
    level,
    read: async (keys) => {
      asked.push([...keys]);
      return keys.map(outcomeFor);
    },
  };
}

/** The same rung, that tells of each key as its outcome comes: the last one first. */
function askable({ level, read }: Rung): Rung {
  return {
    level,
    read,
    ask: (keys, call, held, taker) => {
      void read(keys, call, undefined, held).then((outcomes) => {
        for (const at of [...keys.keys()].reverse()) taker.take(outcomes[at] as Outcome, at);
      });
    },
  };
}

function climbed(
  keys: readonly string[],
  rungs: readonly Rung[],
  held: (key: string) => Held | undefined,
  by: Call,
  given: LadderParts,
): Promise<readonly Answer[]> {
  return new Promise((resolve, reject) => {
    climb(keys, rungs, held, by, given, (answers) => {
      if (answers instanceof Error) reject(answers);
      else resolve(answers);
    });
  });
}

function summary(answer: Answer): Expected {
  return {
    from: answer.level,
    version: answer.entry?.version.eventTimeMs,
    stale: answer.stale,
    revalidate: answer.revalidate,
    missed: answer.missed.map(({ level }) => level),
    errors: answer.errors.map(({ level }) => level),
  };
}

describe('the ladder', () => {
  it.each([
    ['with a promise', (one: Rung) => one],
    ['one by one', askable],
  ])('answers every combination of outcomes, told %s, held copies and sources as it says', async (_, told) => {
    const outcomes = tierCases.map(outcomeOf);
    const helds = heldCases.map(
      (copy): Held | undefined => copy && { entry: copyOf(copy), level: 'local', doubted: copy.doubted === true },
    );
    const combinations = tierCases.flatMap((_, a) => tierCases.flatMap((_, b) => tierCases.map((_, c) => [a, b, c])));
    let checked = 0;
    for (const [sourceCase, heldCase] of sourceCases.flatMap((one) => heldCases.map((held) => [one, held] as const))) {
      const rungs = tierLevels.map((level, i) =>
        told(rung(level, (key) => outcomes[Number(key.split(',')[i])] as Outcome)),
      );
      if (sourceCase !== undefined) rungs.push(rung('source', () => outcomeOf(sourceCase)));
      const keys = combinations.map((indexes) => indexes.join());
      const held = helds[heldCases.indexOf(heldCase)];
      const answers = await climbed(keys, rungs, () => held, call, parts());
      for (const [i, answer] of answers.entries()) {
        const tiers = (combinations[i] as number[]).map((index) => tierCases[index] as Case);
        const wanted = expected(tiers, sourceCase, heldCase);
        checked += 1;
        // Compared as text first: an assertion for each would take minutes.
        if (JSON.stringify(summary(answer)) === JSON.stringify(wanted)) continue;
        expect(summary(answer), JSON.stringify({ tiers, sourceCase, heldCase })).toEqual(wanted);
      }
    }
    expect(checked).toBe(18 ** 3 * 5 * 8);
  });

  it('asks a rung once for all keys that are still open, and nobody when none is', async () => {
    const asked: string[][] = [];
    const found: Outcome = { kind: 'found', entry: valueEntry(1) };
    const near = rung('distributed', (key) => (key === 'a' ? found : MISS), asked);
    const far = rung('peer', (key) => (key === 'b' ? found : MISS), asked);
    const last = rung('source', () => found, asked);
    await climbed(['a', 'b', 'c'], [near, far, last], () => undefined, call, parts());
    expect(asked).toEqual([['a', 'b', 'c'], ['b', 'c'], ['c']]);
    asked.length = 0;
    await climbed(['a'], [near, far, last], () => undefined, call, parts());
    expect(asked).toEqual([['a']]);
  });

  it('passes on that a key is hot from whoever answered, and from nobody else', async () => {
    const hotStale: Outcome = { kind: 'found', entry: copyOf({ ...fresh, version: 10, is: 'both' }), hot: true };
    const cold: Outcome = { kind: 'found', entry: copyOf(fresh) };
    const hot: Outcome = { ...cold, hot: true };
    const hotOf = async (...outcomes: readonly [Outcome, Outcome]) => {
      const rungs = [rung('distributed', () => outcomes[0]), rung('peer', () => outcomes[1])];
      return (await climbed(['k'], rungs, () => undefined, call, parts()))[0]?.hot;
    };
    expect(await hotOf(MISS, hot)).toBe(true);
    expect(await hotOf(MISS, cold)).toBe(false);
    expect(await hotOf(hotStale, cold)).toBe(false);
    expect(await hotOf(MISS, MISS)).toBe(false);
    // What the source found there before it loaded.
    const [answer] = await climbed(['k'], [rung('source', () => hot)], () => undefined, call, parts());
    expect(answer?.hot).toBe(true);
  });

  it('does not let a copy that fell below a floor while it asked stand in for a failure', async () => {
    const given = parts();
    const held: Held = { entry: copyOf({ ...fresh, is: 'sie' }), level: 'local', value: 'old' };
    const broken = rung('distributed', () => {
      given.floors.raise({ scope: 'all', subject: '', hlc: hlc(1_000) });
      return { kind: 'failed', error: new Error('out') };
    });
    const [answer] = await climbed(['k'], [broken], () => held, call, given);
    expect(answer).toMatchObject({ entry: undefined, stale: false });
  });

  it('counts misses, failures and skips of each level, and times each asking', async () => {
    const counted: string[] = [];
    const recorder: LadderParts['recorder'] = {
      hit() {},
      miss() {},
      missedAt: (level) => counted.push(`miss ${level}`),
      duration: (operation, ms) => counted.push(`${operation} ${ms}`),
      error: (level, type) => counted.push(`${type} ${level}`),
    };
    let nowMs = 0;
    const failed: Outcome = { kind: 'failed', error: Object.assign(new Error('x'), { code: 'ECONNRESET' }) };
    const rungs = [
      rung('distributed', () => failed),
      rung('peer', () => ({ kind: 'skipped', why: 'no-owner' })),
      rung('source', () => MISS),
    ];
    await climbed(['k'], rungs, () => undefined, call, parts({ recorder, monotonicMs: () => nowMs++ }));
    expect(counted).toEqual([
      'ECONNRESET distributed',
      'get:distributed 1',
      'no-owner peer',
      'get:peer 1',
      'miss source',
      'get:source 1',
    ]);
  });

  it('goes on when the last key has been told, and hears of none twice', async () => {
    const found: Outcome = { kind: 'found', entry: valueEntry(1) };
    const near: Rung = {
      ...rung('distributed', () => MISS),
      ask: (keys, _call, _held, taker) => {
        taker.take(MISS, 0);
        taker.take(found, 0);
        queueMicrotask(() => taker.take(found, 1));
        expect(keys).toEqual(['a', 'b']);
      },
    };
    const asked: string[][] = [];
    const answers = await climbed(['a', 'b'], [near, rung('peer', () => found, asked)], () => undefined, call, parts());
    expect(asked).toEqual([['a']]);
    expect(answers.map(({ level }) => level)).toEqual(['peer', 'distributed']);
  });

  it('ends with what a rung throws, that should not', async () => {
    const broken: Rung = {
      ...rung('distributed', () => MISS),
      ask: () => {
        throw new Error('broken');
      },
    };
    await expect(climbed(['k'], [broken], () => undefined, call, parts())).rejects.toThrow('broken');
    const rejecting: Rung = { level: 'distributed', read: () => Promise.reject(new Error('rejected')) };
    await expect(climbed(['k'], [rejecting], () => undefined, call, parts())).rejects.toThrow('rejected');
  });
});
