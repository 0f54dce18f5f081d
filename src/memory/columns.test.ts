import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HLC_ZERO } from '../core/hlc.js';
import { HlcColumn, RareColumn, RepeatedColumn } from './columns.js';

const SLOTS = 8;

/** Writes here and there, and looks at all of it after each. */
function keeps<T>(
  column: { write(at: number, value: T): void; read(at: number): T },
  values: fc.Arbitrary<T>,
  zero: T,
) {
  const model = new Array<T>(SLOTS).fill(zero);
  const writes = fc.sample(fc.tuple(fc.nat(SLOTS - 1), values), 2_000);
  for (let at = 0; at < SLOTS; at++) column.write(at, zero);
  for (const [at, value] of writes) {
    column.write(at, value);
    model[at] = value;
    expect(model.map((_, slot) => column.read(slot))).toEqual(model);
  }
}

describe('a column keeps what was written', () => {
  const hlc = fc.record({ ms: fc.nat({ max: 2 ** 48 - 1 }), counter: fc.nat({ max: 65_535 }) });
  const origin = fc.nat({ max: 2 ** 48 - 1 });

  it('of readings, up to the latest there are', () => {
    keeps(new HlcColumn(SLOTS), fc.oneof(hlc, fc.constant(HLC_ZERO)), HLC_ZERO);
    keeps(new HlcColumn(SLOTS), fc.constant({ ms: 2 ** 48 - 1, counter: 65_535 }), HLC_ZERO);
  });

  it('of rare numbers', () => {
    keeps(new RareColumn(SLOTS), fc.oneof(fc.constant(0), fc.double({ noNaN: true })), 0);
  });

  it('of few different numbers, and of many', () => {
    keeps(new RepeatedColumn(SLOTS), fc.constantFrom(1, 2, 2 ** 48 - 1), 0);
    keeps(new RepeatedColumn(SLOTS), origin, 0);
  });
});
