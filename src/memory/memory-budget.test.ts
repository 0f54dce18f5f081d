import { describe, expect, it } from 'vitest';
import { memoryTier } from '../../test/memory/memory-tier-harness.js';
import { NOT_HERE } from '../core/local.js';
import { decodedBytes } from './decoded-size.js';
import { ENTRY_OVERHEAD_BYTES } from './entry-size.js';
import { NO_EVICTION } from './no-eviction.js';

const size = (key: string, text: string) => ENTRY_OVERHEAD_BYTES + key.length + text.length + 2;

describe('the budget of a MemoryTier', () => {
  it('counts keys in UTF-8, payloads, tags and an overhead each', () => {
    const { tier, entry, deleted } = memoryTier();
    tier.put('कुंजी', entry('abc'), 'set');
    expect(tier.sizeBytes).toBe(ENTRY_OVERHEAD_BYTES + 15 + 5);
    tier.put('कुंजी', entry('abcdef', 2_000), 'set');
    expect(tier.sizeBytes).toBe(ENTRY_OVERHEAD_BYTES + 15 + 8);
    tier.put('कुंजी', deleted(9_000), 'set');
    expect(tier.sizeBytes).toBe(ENTRY_OVERHEAD_BYTES + 15);
    tier.put('t', entry('', 1, { tags: ['one', 'two'] }), 'set');
    expect(tier.sizeBytes).toBeGreaterThan(2 * ENTRY_OVERHEAD_BYTES + 15 + 1 + 2 + 6);
  });

  it('is never exceeded after a put, in bytes or in entries', () => {
    const { tier, entry } = memoryTier({ maxBytes: 10 * size('key:0', 'v'), maxEntries: 8 });
    for (let i = 0; i < 100; i++) {
      tier.put(`key:${i % 23}`, entry('v'.repeat((i * 37) % 700), i), 'set');
      expect(tier.sizeBytes).toBeLessThanOrEqual(10 * size('key:0', 'v'));
      expect(tier.entries).toBeLessThanOrEqual(8);
    }
    expect(tier.entries).toBeGreaterThan(2);
  });

  it('makes room for what grows in place', () => {
    const { tier, entry } = memoryTier({ maxBytes: 4 * size('k0', 'v'), maxEntries: 100 });
    for (let i = 0; i < 4; i++) tier.put(`k${i}`, entry('v'), 'set');
    tier.read('k3');
    tier.put('k3', entry('v'.repeat(size('k0', 'v') / 2), 2_000), 'set');
    expect(tier.entries).toBe(3);
    expect(tier.read('k3')).not.toBe(NOT_HERE);
  });

  it('does not keep what is larger than all of it, nor the older copy', () => {
    const { tier, entry } = memoryTier({ maxBytes: 4_000 });
    tier.put('k', entry('small', 1_000), 'set');
    expect(tier.put('k', entry('v'.repeat(4_000), 2_000), 'set')).toEqual({ kind: 'stored' });
    expect([tier.read('k'), tier.entries, tier.sizeBytes]).toEqual([NOT_HERE, 0, 0]);
  });

  it('counts what a value takes from when it is kept decoded', () => {
    const { tier, codec, entry } = memoryTier();
    tier.put('k', entry('v'.repeat(100)), 'set');
    const stored = tier.sizeBytes;
    const value = tier.read('k');
    expect(codec.decodings).toBe(1);
    expect(tier.read('k')).toBe(value);
    expect(tier.sizeBytes).toBe(stored - 102 + decodedBytes(value));
    tier.drop('k');
    expect(tier.sizeBytes).toBe(0);
  });

  it('is not exceeded by reading either: others go, and what may not stay decoded is decoded each time', () => {
    const maxBytes = 10 * size('k0', 'v');
    const { tier, entry } = memoryTier({ maxBytes });
    for (let i = 0; i < 10; i++) tier.put(`k${i}`, entry('v'), 'set');
    expect(tier.entries).toBe(10);
    for (let i = 0; i < 100; i++) {
      tier.read(`k${i % 10}`);
      expect(tier.sizeBytes).toBeLessThanOrEqual(maxBytes);
    }
    expect(tier.entries).toBeLessThan(10);
    const tight = memoryTier({ maxBytes: size('k', 'v') });
    tight.tier.put('k', tight.entry('v'), 'set');
    for (let i = 0; i < 3; i++) expect(tight.tier.read('k')).toEqual({ text: 'v' });
    expect([tight.codec.decodings, tight.tier.sizeBytes]).toEqual([3, size('k', 'v')]);
  });

  it('is kept for what is read', () => {
    const { tier, entry } = memoryTier({ maxEntries: 50 });
    for (let i = 0; i < 2_000; i++) {
      tier.put(`once:${i}`, entry('v'), 'set');
      if (tier.read('often') === NOT_HERE) tier.put('often', entry('v'), 'set');
    }
    expect(tier.find('often')?.accessCount).toBeGreaterThan(1_900);
  });

  it('is given back by what is dead, while others are put', () => {
    const { tier, clock, entry } = memoryTier();
    for (let i = 0; i < 200; i++) tier.put(`old:${i}`, entry('v'), 'set');
    clock.advance(60_000);
    for (let i = 0; i < 60; i++) tier.put(`new:${i}`, entry('v'), 'set');
    expect(tier.entries).toBe(60);
    clock.advance(60_000);
    for (let i = 0; i < 60; i++) tier.put('last', entry('v', i), 'set');
    expect(tier.entries).toBe(1);
    expect(tier.sizeBytes).toBe(size('last', 'v'));
  });

  it('refuses limits that are none', () => {
    for (const parts of [{ maxBytes: 0 }, { maxEntries: -1 }, { maxEntries: 1.5 }, { maxBytes: Number.NaN }]) {
      expect(() => memoryTier(parts)).toThrow(/must be a whole number above 0/);
    }
  });
});

describe('without eviction', () => {
  it('declines what does not fit, keeps what is here, and takes again when there is room', () => {
    const { tier, clock, entry } = memoryTier({ eviction: NO_EVICTION, maxEntries: 2 });
    for (const key of ['a', 'b', 'c']) tier.put(key, entry(key), 'set');
    expect(['a', 'b', 'c'].map((key) => tier.read(key) !== NOT_HERE)).toEqual([true, true, false]);
    tier.put('a', entry('newer', 2_000), 'set');
    expect(tier.read('a')).toEqual({ text: 'newer' });
    tier.drop('b');
    tier.put('c', entry('c'), 'set');
    expect(tier.read('c')).toEqual({ text: 'c' });
    clock.advance(60_000);
    tier.put('d', entry('d'), 'set');
    tier.put('d', entry('d'), 'set');
    expect(tier.read('d')).toEqual({ text: 'd' });
  });

  it('gives up a copy that has grown out of the budget', () => {
    const { tier, entry } = memoryTier({ eviction: NO_EVICTION, maxBytes: 2 * size('k', 'v'.repeat(50)) });
    tier.put('j', entry('v'.repeat(50)), 'set');
    tier.put('k', entry('v'.repeat(50)), 'set');
    tier.put('k', entry('v'.repeat(90), 2_000), 'set');
    expect([tier.read('k'), tier.entries]).toEqual([NOT_HERE, 1]);
  });
});
