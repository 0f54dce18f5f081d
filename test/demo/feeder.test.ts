import { describe, expect, it } from 'vitest';
import { Feeder } from '../../src/cli/demo/feeder.js';
import type { PositionReport, RecordedCounts } from '../../src/node/demo/protocol.js';

const NOTHING: RecordedCounts = { newest: 0, history: 0, duplicates: 0, ghosts: 0, jumps: 0, rejected: 0, clamped: 0 };

function reportOf(vehicleId: string, at: number): PositionReport {
  return { vehicleId, at, lat: 19, lon: 72, speedKmh: 0, engineOn: true };
}

/** A node that remembers what it was given; `failures` of its first answers fail. */
class RememberingNode {
  readonly recorded: PositionReport[] = [];
  readonly batches: number[] = [];
  alive = true;
  failures = 0;
  #underWay = 0;
  overlapped = false;

  async record(reports: readonly PositionReport[]): Promise<RecordedCounts> {
    this.overlapped ||= this.#underWay > 0;
    this.#underWay += 1;
    await Promise.resolve();
    this.#underWay -= 1;
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error('the database is away');
    }
    this.recorded.push(...reports);
    this.batches.push(reports.length);
    return { ...NOTHING, newest: reports.length };
  }
}

function feeding(nodes: readonly RememberingNode[]) {
  const recorded: PositionReport[] = [];
  const lost: string[] = [];
  const feeder = new Feeder({
    targets: nodes,
    onRecorded: (reports) => void recorded.push(...reports),
    onLost: (count, why) => void lost.push(`${count}: ${why}`),
  });
  return { feeder, recorded, lost };
}

describe('the feeder', () => {
  it('sends the positions of a vehicle to one node, in order, one batch at a time', async () => {
    const nodes = [new RememberingNode(), new RememberingNode(), new RememberingNode()];
    const { feeder, recorded } = feeding(nodes);
    for (let at = 0; at < 300; at++) {
      feeder.offer(Array.from({ length: 10 }, (_, i) => reportOf(String(100_001 + i), at)));
    }
    await feeder.settle();
    expect(recorded).toHaveLength(3_000);
    for (const node of nodes) {
      expect(node.overlapped).toBe(false);
      for (const id of new Set(node.recorded.map(({ vehicleId }) => vehicleId))) {
        const times = node.recorded.filter(({ vehicleId }) => vehicleId === id).map(({ at }) => at);
        expect(times).toEqual(Array.from({ length: 300 }, (_, at) => at));
      }
    }
  });

  it('sends no more than 500 at once', async () => {
    const node = new RememberingNode();
    const { feeder } = feeding([node]);
    feeder.offer(Array.from({ length: 1_200 }, (_, at) => reportOf('1', at)));
    await feeder.settle();
    expect(node.batches).toEqual([500, 500, 200]);
  });

  it('says when it is full, and when it no longer is', async () => {
    const { feeder } = feeding([new RememberingNode()]);
    feeder.offer(Array.from({ length: 6_000 }, (_, at) => reportOf('1', at)));
    expect(feeder.isFull).toBe(true);
    await feeder.settle();
    expect(feeder.isFull).toBe(false);
  });

  it('sends again what failed, before what comes after it', async () => {
    const node = new RememberingNode();
    node.failures = 2;
    const { feeder, lost } = feeding([node]);
    feeder.offer([reportOf('1', 1)]);
    feeder.offer([reportOf('1', 2)]);
    await feeder.settle();
    expect(node.recorded.map(({ at }) => at)).toEqual([1, 2]);
    expect(lost).toEqual([]);
    expect(feeder.counts).toMatchObject({ offered: 2, newest: 2, lost: 0 });
  });

  it('gives up after four tries, and says what was lost and why', async () => {
    const node = new RememberingNode();
    node.failures = 4;
    const { feeder, lost } = feeding([node]);
    feeder.offer([reportOf('1', 1)]);
    await feeder.settle();
    expect(lost).toEqual(['1: the database is away']);
    expect(feeder.counts).toMatchObject({ offered: 1, newest: 0, lost: 1 });
  });

  it('turns to the next node when one has ended', async () => {
    const nodes = [new RememberingNode(), new RememberingNode()];
    nodes[0]!.alive = false;
    const { feeder } = feeding(nodes);
    feeder.offer([reportOf('100000', 1), reportOf('100001', 1)]);
    await feeder.settle();
    expect(nodes[0]!.recorded).toHaveLength(0);
    expect(nodes[1]!.recorded).toHaveLength(2);
  });
});
