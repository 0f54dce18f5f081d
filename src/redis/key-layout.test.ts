import { describe, expect, it } from 'vitest';
import { PARTITIONS, partitionOf } from '../core/key.js';
import { KeyLayout, type PartitionKeys } from './key-layout.js';
import { slotOf } from './slot-table.js';

describe('KeyLayout', () => {
  const layout = new KeyLayout('fleetflow:');

  it('keeps the names by which nodes of all releases find each other', () => {
    expect(layout.partitions[42]).toEqual({
      slot: 8_000,
      sequenceKey: 'fleetflow:{42}!seq',
      channel: 'fleetflow:{42}!feed',
      entryPrefix: 'fleetflow:{42}:',
      keyFrom: 16,
      leasePrefix: 'fleetflow:{42}!lease:',
      leaseKeyFrom: 22,
      gravesKey: 'fleetflow:{42}!graves',
      graveTimesKey: 'fleetflow:{42}!grave-times',
    });
    expect(layout.floors).toEqual({
      walkedKey: 'fleetflow:{floors}!walked',
      walkLockKey: 'fleetflow:{floors}!walk-lock',
      slot: 6_823,
      sequenceKey: 'fleetflow:{floors}!seq',
      channel: 'fleetflow:{floors}!feed',
      hashKey: 'fleetflow:{floors}!floors',
    });
  });

  it('finds the key of an entry in its place, and nothing in the places of others', () => {
    const keys = ['vehicle:location:42', '', 'a}b:{7}:c', 'हिन्दी\n:🚚', '!seq'];
    for (const key of keys) {
      const { entryPrefix, leasePrefix, sequenceKey, gravesKey } = layout.partitions[partitionOf(key)] as PartitionKeys;
      expect(layout.keyOf(entryPrefix + key)).toBe(key);
      for (const other of [leasePrefix + key, sequenceKey, gravesKey]) expect(layout.keyOf(other)).toBe(undefined);
      const elsewhere = layout.partitions[(partitionOf(key) + 1) % PARTITIONS] as PartitionKeys;
      expect(layout.keyOf(elsewhere.entryPrefix + key)).toBe(undefined);
      expect(layout.keyOf(`x${entryPrefix}${key}`)).toBe(undefined);
    }
  });

  it('has every partition lie in one slot, whatever is in the keys', () => {
    expect(layout.partitions).toHaveLength(PARTITIONS);
    for (const { slot, sequenceKey, channel, entryPrefix, leasePrefix } of layout.partitions) {
      const ofEntries = [`${entryPrefix}vehicle:{7}`, `${entryPrefix}!seq`, `${entryPrefix}}{x}`];
      const keys = [sequenceKey, channel, ...ofEntries, `${leasePrefix}vehicle:{7}`, `${leasePrefix}}{x}`];
      expect(keys.map(slotOf)).toEqual(keys.map(() => slot));
    }
  });

  it('spreads the partitions over slots of their own', () => {
    expect(new Set(layout.partitions.map(({ slot }) => slot)).size).toBe(PARTITIONS);
  });

  it.each(['a{b', 'a}b', '{}'])('refuses the prefix %j by the name of the field', (prefix) => {
    expect(() => new KeyLayout(prefix)).toThrow(
      expect.objectContaining({ code: 'invalid-config', field: 'redis.prefix' }),
    );
  });
});
