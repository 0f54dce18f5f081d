import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheError } from '../core/errors.js';
import type { VehicleIdInput } from './domain.js';
import { checkVehicleId, checkVehicleIds } from './vehicle-id.js';

const LARGEST = 18_446_744_073_709_551_615n;

describe('checkVehicleId', () => {
  it('gives one text for every way to write an unsigned 64-bit number', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: LARGEST }), (id) => {
        expect(checkVehicleId(id)).toBe(String(id));
        expect(checkVehicleId(String(id))).toBe(String(id));
        if (id <= BigInt(Number.MAX_SAFE_INTEGER)) expect(checkVehicleId(Number(id))).toBe(String(id));
      }),
      { examples: [[0n], [LARGEST], [9_999_999_999_999_999_999n], [10_000_000_000_000_000_000n]] },
    );
  });

  it('takes negative zero for zero', () => {
    expect(checkVehicleId(-0)).toBe('0');
  });

  it.each([
    ['a negative bigint', -1n],
    ['a bigint beyond 64 bits', LARGEST + 1n],
    ['a negative number', -5],
    ['a fraction', 1.5],
    ['a number that is not exact', 2 ** 53],
    ['not a number', Number.NaN],
    ['nothing', ''],
    ['leading zeros', '007'],
    ['a sign', '+7'],
    ['a negative text', '-7'],
    ['spaces', ' 7'],
    ['a line end', '7\n'],
    ['an exponent', '1e3'],
    ['hex', '0x10'],
    ['a number plate', 'MH12AB1234'],
    ['a wildcard', '*'],
    ['text beyond 64 bits', String(LARGEST + 1n)],
    ['21 digits', '1'.repeat(21)],
    ['null', null as unknown as VehicleIdInput],
    ['undefined', undefined as unknown as VehicleIdInput],
    ['an object', {} as unknown as VehicleIdInput],
  ])('refuses %s, naming the field', (_what, input) => {
    expect(() => checkVehicleId(input)).toThrow(CacheError);
    expect(() => checkVehicleId(input)).toThrow(
      expect.objectContaining({
        code: 'invalid-value',
        field: 'vehicleId',
        message: expect.stringContaining('vehicleId'),
      }),
    );
  });
});

describe('checkVehicleIds', () => {
  it('names every vehicle once, in order', () => {
    expect(checkVehicleIds([7, '42', 7n, 42])).toEqual(['7', '42']);
  });

  it('refuses what is not a list', () => {
    expect(() => checkVehicleIds('42' as unknown as string[])).toThrow(expect.objectContaining({ field: 'ids' }));
  });
});
