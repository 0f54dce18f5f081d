import { describe, expect, it } from 'vitest';
import { memoryTier } from '../../test/memory/memory-tier-harness.js';
import { NO_PAYLOAD } from '../core/entry.js';
import { NOT_HERE } from '../core/local.js';

const bare = { payload: NO_PAYLOAD };

describe('a put of a value without its bytes', () => {
  it('keeps the very object while there is plenty of room, and counts what it takes', () => {
    const { tier, codec, entry } = memoryTier();
    const copy = Object.freeze({ text: 'v' });
    tier.put('k', entry('', 1, bare), 'set', copy);
    expect(tier.read('k')).toBe(copy);
    expect(codec.decodings).toBe(0);
    const { tier: other, entry: otherEntry } = memoryTier();
    other.put('k', otherEntry('', 1, bare), 'set', Object.freeze({ text: 'v'.repeat(1_000) }));
    expect(other.sizeBytes - tier.sizeBytes).toBeGreaterThan(990);
  });

  it('makes bytes of it where room is short, unless the one before was read as an object', () => {
    const { tier, codec, entry } = memoryTier({ maxBytes: 10_000 });
    for (let n = 0; n < 8; n++) tier.put(`k${n}`, entry('', 1, bare), 'set', Object.freeze({ n }));
    expect(tier.read('k7')).toEqual({ text: { n: 7 } });
    expect(codec.decodings).toBe(1);
    const copy = Object.freeze({ n: 8 });
    tier.put('k7', entry('', 2, bare), 'set', copy);
    expect(tier.read('k7')).toBe(copy);
  });

  it('hands out nothing of it below a floor, past its time or after a newer one', () => {
    const { tier, clock, floors, entry } = memoryTier();
    tier.put('k', entry('', 2, bare), 'set', Object.freeze({ n: 2 }));
    expect(tier.put('k', entry('', 1, bare), 'set', Object.freeze({ n: 1 })).kind).toBe('superseded');
    expect(tier.read('k')).toEqual({ n: 2 });
    floors.raise({ scope: 'all', subject: '', hlc: { ms: 5, counter: 0 } });
    expect(tier.read('k')).toBe(NOT_HERE);
    expect(tier.put('k', entry('', 4, bare), 'set', Object.freeze({ n: 4 })).kind).toBe('superseded');
    tier.put('k', entry('', 6, bare), 'set', Object.freeze({ n: 6 }));
    expect(tier.read('k')).toEqual({ n: 6 });
    tier.doubt();
    expect(tier.read('k')).toBe(NOT_HERE);
    tier.put('k', entry('', 7, bare), 'set', Object.freeze({ n: 7 }));
    clock.advance(60_000);
    expect(tier.read('k')).toBe(NOT_HERE);
  });
});
