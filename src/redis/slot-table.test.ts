import { describe, expect, it } from 'vitest';
import { SLOTS, SlotTable, slotOf } from './slot-table.js';

describe('slotOf', () => {
  it.each([
    // The check value of CRC16/XMODEM is 0x31c3.
    ['123456789', 0x31c3],
    // As `CLUSTER KEYSLOT` of Redis 7.0 answers.
    ['', 0],
    ['foo', 12_182],
    ['somekey', 11_058],
    ['foo{hash_tag}', 2_515],
    ['{user1000}.following', 3_443],
    ['{user1000}.followers', 3_443],
    ['foo{}{bar}', 8_363],
    ['foo{{bar}}zap', 4_015],
    ['foo{bar}{zap}', 5_061],
    ['bar', 5_061],
    ['fleetflow:{42}:vehicle:{7}', 8_000],
    ['ключ', 10_303],
  ])('is the slot of %j', (key, slot) => {
    expect(slotOf(key)).toBe(slot);
  });
});

describe('SlotTable', () => {
  const table = new SlotTable();

  it('knows nobody at first', () => {
    expect(table.ownerOf(0)).toBeUndefined();
    expect(table.owners().size).toBe(0);
    expect(table.uncovered).toBe(SLOTS);
  });

  it('knows the owner of every slot of the ranges, both ends included', () => {
    table.replace([
      { first: 0, last: 5_460, address: 'a:1' },
      { first: 5_461, last: 16_383, address: 'b:2' },
    ]);
    expect([0, 5_460, 5_461, 16_383].map((slot) => table.ownerOf(slot))).toEqual(['a:1', 'a:1', 'b:2', 'b:2']);
    expect(table.owners()).toEqual(new Set(['a:1', 'b:2']));
    expect(table.uncovered).toBe(0);
  });

  it('moves one slot and no other', () => {
    table.move(7, 'c:3');
    expect([6, 7, 8].map((slot) => table.ownerOf(slot))).toEqual(['a:1', 'c:3', 'a:1']);
    expect(table.owners()).toEqual(new Set(['a:1', 'b:2', 'c:3']));
  });

  it('forgets what a new view does not mention', () => {
    table.replace([{ first: 5, last: 5, address: 'a:1' }]);
    expect([4, 5, 6].map((slot) => table.ownerOf(slot))).toEqual([undefined, 'a:1', undefined]);
    expect(table.owners()).toEqual(new Set(['a:1']));
    expect(table.uncovered).toBe(SLOTS - 1);
  });
});
