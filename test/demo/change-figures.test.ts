import { describe, expect, it } from 'vitest';
import { addChanges } from '../../src/node/demo/change-figures.js';
import { changesOf } from './sample-page.js';

describe('the change feeds of several nodes', () => {
  it('are one: counts are sums, and what is behind is what the node says that reads', () => {
    const nodes = [
      { name: 'a', changes: changesOf({ state: 'standby', transport: undefined, changes: 3, lagBytes: 9_999 }) },
      { name: 'b', changes: changesOf({ state: 'reading', transport: 'outbox', changes: 4, known: 2, lagRows: 7 }) },
    ];
    expect(addChanges(nodes)).toMatchObject({
      reader: 'b',
      state: 'reading',
      transport: 'outbox',
      changes: 7,
      known: 2,
      lagRows: 7,
      lagBytes: undefined,
    });
  });

  it('say what is wrong when none reads', () => {
    const nodes = [
      { name: 'a', changes: changesOf({ state: 'connecting' }) },
      { name: 'b', changes: changesOf({ state: 'connecting', lastError: 'no route to it' }) },
    ];
    expect(addChanges(nodes)).toMatchObject({ reader: undefined, lastError: 'no route to it' });
    expect(addChanges([])).toBeUndefined();
  });
});
