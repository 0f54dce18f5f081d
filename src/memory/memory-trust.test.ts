import { describe, expect, it } from 'vitest';
import { memoryTier } from '../../test/memory/memory-tier-harness.js';
import { NO_PAYLOAD } from '../core/entry.js';
import { FEED_LEASE_MS, FeedLeases } from '../core/feed-lease.js';
import { partitionOf } from '../core/key.js';
import { NOT_HERE } from '../core/local.js';

describe('trust', () => {
  it('is what a hit needs: without it the copy is found, but not handed out', () => {
    const leases = new FeedLeases(true);
    const { tier, clock, entry } = memoryTier({ leases });
    tier.put('k', entry('v'), 'set');
    expect([tier.read('k'), tier.find('k')?.trusted]).toEqual([NOT_HERE, false]);
    leases.renew(partitionOf('k'), clock.monotonicMs());
    expect([tier.read('k'), tier.find('k')?.trusted]).toEqual([{ text: 'v' }, true]);
    clock.advance(FEED_LEASE_MS);
    expect([tier.read('k'), tier.find('k')?.value]).toEqual([NOT_HERE, { text: 'v' }]);
  });

  it('is over for a stalled process too, whose other clock has not been read again', () => {
    const leases = new FeedLeases(true);
    const { tier, clock, entry } = memoryTier({ leases, recentMs: () => 5_000 });
    tier.put('k', entry('v'), 'set');
    leases.renew(partitionOf('k'), clock.monotonicMs());
    expect(tier.read('k')).toEqual({ text: 'v' });
    clock.advance(FEED_LEASE_MS);
    expect(tier.read('k')).toBe(NOT_HERE);
  });

  it('ends when a copy was held for as long as it may, and begins anew when it is confirmed', () => {
    const { tier, clock, entry } = memoryTier({ holdMaxMs: 1_000 });
    tier.put('k', entry('v', 1_000), 'set');
    clock.advance(999);
    expect(tier.read('k')).toEqual({ text: 'v' });
    clock.advance(1);
    expect(tier.read('k')).toBe(NOT_HERE);
    tier.put('k', entry('v', 1_000), 'fill');
    expect(tier.find('k')).toMatchObject({ trusted: true, heldSinceMs: clock.wallMs() });
    clock.advance(999);
    expect(tier.read('k')).toEqual({ text: 'v' });
  });
});

describe('a doubt', () => {
  it('concerns what came before it, and only of its partition: found, but not handed out', () => {
    const { tier, entry } = memoryTier();
    const keys = Array.from({ length: 600 }, (_, i) => `key:${i}`);
    for (const key of keys) tier.put(key, entry(key), 'set');
    for (const key of keys.slice(0, 300)) tier.read(key);
    const partition = partitionOf('key:7');
    tier.doubt(partition);
    for (const key of keys) {
      expect(tier.read(key) === NOT_HERE).toBe(partitionOf(key) === partition);
      expect(tier.find(key)).toMatchObject({ value: { text: key }, trusted: partitionOf(key) !== partition });
    }
    tier.drop('key:7');
    tier.put('key:7', entry('again'), 'set');
    expect(tier.read('key:7')).toEqual({ text: 'again' });
    tier.doubt();
    expect(keys.filter((key) => tier.read(key) !== NOT_HERE)).toEqual([]);
    expect(tier.entries).toBe(600);
  });

  it('hides an absent entry as well', () => {
    const { tier, absent } = memoryTier();
    tier.put('k', absent(), 'fill');
    tier.doubt(partitionOf('k'));
    expect(tier.read('k')).toBe(NOT_HERE);
    tier.put('k', absent(), 'fill');
    expect(tier.read('k')).toBeUndefined();
  });

  it('is over when a fill brings the very entry, which is neither kept again nor decoded again', () => {
    const { tier, clock, codec, entry } = memoryTier();
    tier.put('k', entry('v', 1_000), 'set');
    const value = tier.read('k');
    const sizeBytes = tier.sizeBytes;
    tier.doubt(partitionOf('k'));
    clock.advance(500);
    expect(tier.put('k', entry('v', 1_000), 'fill').kind).toBe('superseded');
    expect(tier.read('k')).toBe(value);
    expect(tier.find('k')).toMatchObject({ trusted: true, heldSinceMs: clock.wallMs() });
    expect([codec.decodings, tier.sizeBytes]).toEqual([1, sizeBytes]);
  });

  it('is over when a fill brings the same data, asked for earlier or with a later fence', () => {
    const { tier, at, entry } = memoryTier();
    tier.put('k', entry('v', 1_000, { fillStart: at(1_500) }), 'fill');
    const value = tier.read('k');
    for (const older of [{ fillStart: at(1_200) }, { fillStart: at(1_200), fence: at(1_100) }]) {
      tier.doubt(partitionOf('k'));
      tier.put('k', entry('v', 1_000, older), 'fill');
      expect(tier.read('k')).toBe(value);
    }
    expect(tier.find('k')?.entry).toMatchObject({ fillStart: at(1_500), fence: at(1_100) });
  });

  it('is over when a level says without the payload that it has the same, and not for something else', () => {
    const { tier, clock, entry, deleted } = memoryTier();
    tier.put('k', entry('v', 1_000), 'set');
    const value = tier.read('k');
    tier.doubt(partitionOf('k'));
    clock.advance(500);
    tier.confirm('other', entry('v', 1_000));
    tier.confirm('k', entry('v', 999));
    tier.confirm('k', { ...deleted(5_000), version: entry('v', 1_000).version });
    expect(tier.find('k')?.trusted).toBe(false);
    tier.confirm('k', entry('', 1_000, { payload: NO_PAYLOAD }));
    expect(tier.read('k')).toBe(value);
    expect(tier.find('k')).toMatchObject({ trusted: true, heldSinceMs: clock.wallMs() });
    expect([tier.find('other'), tier.entries]).toEqual([undefined, 1]);
  });

  it('stays when what comes is older, or tells only of a delete before it', () => {
    const { tier, entry, deleted } = memoryTier();
    tier.put('k', entry('v', 5_000), 'set');
    tier.doubt(partitionOf('k'));
    tier.put('k', entry('older', 4_000), 'fill');
    tier.put('k', entry('v', 5_000), 'set');
    tier.put('k', deleted(3_000), 'set');
    expect(tier.read('k')).toBe(NOT_HERE);
    expect(tier.find('k')).toMatchObject({ value: { text: 'v' }, trusted: false });
  });

  it('is over when something newer takes the place', () => {
    const { tier, entry } = memoryTier();
    for (const mode of ['set', 'fill'] as const) {
      tier.put(mode, entry('old', 1_000), mode);
      tier.doubt();
      tier.put(mode, entry('new', 2_000), mode);
      expect(tier.read(mode)).toEqual({ text: 'new' });
    }
  });
});
