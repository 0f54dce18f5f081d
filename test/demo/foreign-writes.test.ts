import { describe, expect, it } from 'vitest';
import { type RecordReader, writeAsForeigner } from '../../src/cli/demo/foreign-writes.js';
import type { FoundRecords } from '../../src/node/demo/protocol.js';

const IDS = ['1', '2'];
const BOUND_MS = 50;

interface Row {
  model: string;
  odometerKm: number;
}

/** A database of two vehicles, and nodes that show some moment of it. */
function open() {
  const rows = new Map(IDS.map((id): [string, Row] => [id, { model: 'Prima', odometerKm: 1_000 }]));
  const now = () => [...rows].map(([vehicleId, row]): FoundRecords => ({ vehicleId, ...row }));
  const before = now();
  const database = {
    changeRows: (ids: readonly string[], to: Row) => {
      for (const id of ids) rows.set(id, to);
      return Promise.resolve(2 * ids.length);
    },
  };
  const node = (name: string, show: (asked: number) => readonly FoundRecords[]): RecordReader => {
    let asked = 0;
    return { name, describe: async () => show(asked++) };
  };
  return { database, node, now, before };
}

describe('what somebody else writes', () => {
  it('is seen when every node has come to show it, sooner or later', async () => {
    const { database, node, now, before } = open();
    const nodes = [node('a', now), node('b', (asked) => (asked < 3 ? before : now()))];
    const { rows, unseen, seenAfterMs, blind } = await writeAsForeigner(database, nodes, IDS, 20_000);
    expect({ rows, unseen, blind }).toEqual({ rows: 4, unseen: 0, blind: [] });
    expect(seenAfterMs).toBeGreaterThan(0);
  });

  it('is counted row by row where a node goes on with what was before, or does not answer', async () => {
    const { database, node, now, before } = open();
    const half = node('half', () => [...before.slice(0, 1), ...now().slice(1)]);
    const silent = node('silent', () => {
      throw new Error('no answer');
    });
    const foreign = await writeAsForeigner(database, [node('a', now), half, silent], IDS, BOUND_MS);
    expect(foreign).toEqual({ rows: 4, unseen: 2 + 4, seenAfterMs: undefined, blind: ['half', 'silent'] });
  });
});
