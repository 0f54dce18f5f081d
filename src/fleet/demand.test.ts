import { describe, expect, it } from 'vitest';
import { Demand } from './demand.js';

describe('Demand', () => {
  it('says at each round what was asked for, until nobody has asked for five rounds', () => {
    const demand = new Demand(10);
    demand.note('7');
    for (let round = 1; round <= 5; round++) expect(demand.due(0)).toEqual(['7']);
    expect(demand.due(0)).toEqual([]);
    expect(demand.size).toBe(0);
  });

  it('keeps what is asked for again', () => {
    const demand = new Demand(10);
    for (let round = 0; round < 20; round++) {
      demand.note('7');
      expect(demand.due(0)).toEqual(['7']);
    }
  });

  it('leaves out what was postponed until its time has come', () => {
    const demand = new Demand(10);
    demand.note('7');
    demand.note('8');
    demand.postpone('7', 1_000);
    expect(demand.due(999)).toEqual(['8']);
    expect(demand.due(1_000)).toEqual(['7', '8']);
  });

  it('takes in no more than its limit, and has room again when others are let go of', () => {
    const demand = new Demand(2);
    for (const id of ['1', '2', '3']) demand.note(id);
    expect(demand.due(0)).toEqual(['1', '2']);
    for (let round = 0; round < 5; round++) demand.due(0);
    demand.note('3');
    expect(demand.due(0)).toEqual(['3']);
  });
});
