import { describe, expect, it } from 'vitest';
import { memoryTier } from '../../test/memory/memory-tier-harness.js';
import { NOT_HERE } from '../core/local.js';
import { NO_EVICTION } from './no-eviction.js';

const ENTRIES = 100;

/** Puts as many entries, each asked for once, as there is room for twenty times over. */
function flood({ tier, entry }: ReturnType<typeof memoryTier>): void {
  for (let i = 0; i < 20 * ENTRIES; i++) {
    tier.put(`once:${i}`, entry('v'), 'fill');
    tier.read(`once:${i}`);
  }
}

describe('what comes with word that many ask for it', () => {
  it('is kept in a memory that is full, through any number of others that are asked for once', () => {
    const here = memoryTier({ maxEntries: ENTRIES });
    flood(here);
    here.tier.put('hot', here.entry('v'), 'fill', undefined, true);
    here.tier.put('cold', here.entry('v'), 'fill');
    flood(here);
    expect(here.tier.read('hot')).toEqual({ text: 'v' });
    expect(here.tier.read('cold')).toBe(NOT_HERE);
    expect(here.tier.entries).toBe(ENTRIES);
  });

  it('is kept when the word comes with the very data that are here already', () => {
    const here = memoryTier({ maxEntries: ENTRIES });
    here.tier.put('hot', here.entry('v'), 'fill');
    here.tier.put('hot', here.entry('v'), 'fill', undefined, true);
    flood(here);
    expect(here.tier.read('hot')).toEqual({ text: 'v' });
  });

  it('may be used no longer than everything else', () => {
    const { tier, clock, entry } = memoryTier({ holdMaxMs: 5_000 });
    tier.put('hot', entry('v'), 'fill', undefined, true);
    clock.advance(4_999);
    expect(tier.read('hot')).toEqual({ text: 'v' });
    clock.advance(1);
    expect(tier.read('hot')).toBe(NOT_HERE);
  });

  it('goes when it is dropped, doubted or deleted, as everything else', () => {
    const { tier, entry, deleted } = memoryTier();
    for (const end of ['dropped', 'doubted', 'deleted'] as const) {
      tier.put(end, entry('v'), 'fill', undefined, true);
      expect(tier.read(end)).toEqual({ text: 'v' });
      if (end === 'dropped') tier.drop(end);
      else if (end === 'doubted') tier.doubt();
      else tier.put(end, deleted(9_000), 'set');
      expect(tier.read(end)).toBe(NOT_HERE);
    }
  });

  it('is not kept beyond the budget where nothing is evicted', () => {
    const here = memoryTier({ maxEntries: ENTRIES, eviction: NO_EVICTION });
    flood(here);
    here.tier.put('hot', here.entry('v'), 'fill', undefined, true);
    expect(here.tier.read('hot')).toBe(NOT_HERE);
    expect(here.tier.entries).toBe(ENTRIES);
  });
});
