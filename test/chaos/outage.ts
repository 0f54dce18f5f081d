/** After an outage of the network 2,000 trackers send, at once, what they kept for three hours, the newest first. */
import { setTimeout as sleep } from 'node:timers/promises';
import { boundedRow, OURS, type Row } from '../../bench/row.js';
import type { NodeProcess } from '../../src/cli/demo/node-process.js';
import type { DemoVehicle } from '../../src/node/demo/demo-fleet.js';
import type { PositionReport } from '../../src/node/demo/protocol.js';
import { type FleetEffort, FleetStage } from './fleet-stage.js';
import { shareOf } from './live-feed.js';

export interface OutageEffort extends FleetEffort {
  readonly silent: number;
  /** That each of them kept. */
  readonly kept: number;
}

export const FULL: OutageEffort = {
  vehicles: 20_000,
  readsPerSecond: 3_000,
  calmMs: 30_000,
  afterMs: 10_000,
  silent: 2_000,
  kept: 369,
};
export const QUICK: OutageEffort = {
  vehicles: 300,
  readsPerSecond: 200,
  calmMs: 3_000,
  afterMs: 1_000,
  silent: 60,
  kept: 50,
};

const HOURS_MS = 3 * 3_600_000;
const BATCH = 500;
/** Batches of one node that are under way at a time. */
const UNDER_WAY = 2;
const POSITIONS_PER_SECOND_MAX = 40_000;
const RECORD_BOUND_MS = 60_000;
const TRIES = 20;
const AGAIN_MS = 250;
/** No tracker of the simulation says it: what is in the database with this speed was sent here. */
const MARK_KMH = 41.25;
/** Newer than what the database knew of a vehicle before anything was played. */
const NEWEST_AGE_MS = 1_000;
/** About 20 km/h. */
const STEP_DEG = 0.0015;
/** What a node may take: the budgets that it has by default, and a tenth; and what a process takes that is empty. */
const BUDGET_BYTES = 1.1 * (256 + 512) * 2 ** 20;

/** Live positions may take this many times what they take in calm. */
const LIVE_TIMES = 3;

export async function playOutage(effort: OutageEffort, seed: number, say: (text: string) => void): Promise<Row[]> {
  const city = await FleetStage.open(effort, seed, say);
  try {
    const { feed } = city;
    await city.play();
    await sleep(effort.calmMs);
    // What came while everything was cold is not what is compared with.
    feed.takeLatencies();
    await sleep(effort.calmMs);
    const calm = feed.takeLatencies();
    const before = await city.samples();
    say(`calm: ${calm.count} live positions`);

    const returned = city.stage.fleet.vehicles.slice(0, effort.silent);
    const endMs = Date.now();
    const startedMs = performance.now();
    const burst = sendKept(city.stage.nodes, returned, effort.kept, endMs, (report) =>
      feed.oracle.take(report, Date.now()),
    );
    const largest = await city.largestDuring(burst);
    const { refused, firstRefusal } = await burst;
    const seconds = (performance.now() - startedMs) / 1_000;
    const during = feed.takeLatencies();
    say(`the burst took ${seconds.toFixed(1)} s`);

    await sleep(effort.afterMs);
    await city.stopReading();
    await feed.stop();
    const after = await city.samples();
    const sent = effort.silent * effort.kept;
    const kept = await city.count('select count(*) from vehicle_location_history where speed_kmh = $1', [MARK_KMH]);
    const failed = after.reduce((sum, { reads }) => sum + reads.failed, 0);
    const asked = after.reduce((sum, { reads }) => sum + reads.asked, 0);
    const [calmP99 = Number.NaN, duringP99 = Number.NaN] = [calm.quantile(0.99), during.quantile(0.99)];
    const calmBytes = Math.max(...before.map(({ residentBytes }) => residentBytes));
    const row = (id: string, value: number, unit: string, note?: string): Row => ({
      section: 'outage',
      id: `outage.${id}`,
      subject: OURS,
      value,
      unit,
      better: 'lower',
      ...(note !== undefined && { note }),
    });
    const exact = (one: Row): Row => ({ ...boundedRow({ ...one, bound: 0 }), exact: true });
    const refusals = `${refused} batches were refused and sent again${firstRefusal ? `: ${firstRefusal}` : ''}`;
    return [
      { ...row('sent', sent, 'positions', refusals), better: 'higher' },
      { ...row('rate', sent / seconds, '/s'), better: 'higher' },
      exact(row('lost', sent - kept, 'positions', 'acknowledged, and not in the database')),
      exact(row('wrong', await city.mismatches(), 'vehicles', 'shown elsewhere than they were last, on any node')),
      exact(
        row(
          'failed',
          failed,
          'questions',
          `of ${asked}; ${after.flatMap(({ reads }) => reads.errors)[0] ?? 'no errors'}`,
        ),
      ),
      row('live.calm.p99', calmP99, 'ms', 'from a tracker to its acknowledgement'),
      boundedRow({
        ...row('live.p99', duringP99, 'ms', 'the same while history comes in'),
        bound: LIVE_TIMES * calmP99,
      }),
      boundedRow({
        ...row('memory', largest / 2 ** 20, 'MiB', `the largest node; ${(calmBytes / 2 ** 20).toFixed(0)} before`),
        bound: BUDGET_BYTES / 2 ** 20,
      }),
    ];
  } finally {
    await city.stop();
  }
}

/** As trackers do: each sends its newest first; all of them at once. */
async function sendKept(
  nodes: readonly NodeProcess[],
  vehicles: readonly DemoVehicle[],
  kept: number,
  endMs: number,
  onSent: (report: PositionReport) => void,
): Promise<{ refused: number; firstRefusal: string | undefined }> {
  let refused = 0;
  let firstRefusal: string | undefined;
  const pace = new Pace(POSITIONS_PER_SECOND_MAX);
  const sendBatch = async (node: NodeProcess, reports: readonly PositionReport[]): Promise<void> => {
    for (let tries = 1; ; tries++) {
      try {
        await node.ask({ kind: 'record', reports }, RECORD_BOUND_MS);
        return;
      } catch (thrown) {
        refused += 1;
        firstRefusal ??= String(thrown);
        if (tries === TRIES) throw thrown;
        await sleep(AGAIN_MS);
      }
    }
  };
  await Promise.all(
    nodes.map(async (node, share) => {
      const own = vehicles.filter(({ id }) => shareOf(id, nodes.length) === share);
      const batches = batchesOf(own, kept, endMs);
      const worker = async (): Promise<void> => {
        for (const reports of batches) {
          await pace.wait(reports.length);
          for (const report of reports) onSent(report);
          await sendBatch(node, reports);
        }
      };
      await Promise.all(Array.from({ length: UNDER_WAY }, worker));
    }),
  );
  return { refused, firstRefusal };
}

/** Lazily: all of them together would be hundreds of megabytes. */
function* batchesOf(vehicles: readonly DemoVehicle[], kept: number, endMs: number): Generator<PositionReport[]> {
  const everyMs = Math.floor(HOURS_MS / kept);
  let batch: PositionReport[] = [];
  for (let back = 1; back <= kept; back++) {
    for (const { id, lat, lon } of vehicles) {
      batch.push({
        vehicleId: id,
        lat: lat + back * STEP_DEG,
        lon,
        speedKmh: MARK_KMH,
        engineOn: true,
        at: endMs - NEWEST_AGE_MS - (back - 1) * everyMs,
        history: true,
      });
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

/** No more than so many a second, on average. */
class Pace {
  readonly #perMs: number;
  #freeAtMs = performance.now();

  constructor(perSecond: number) {
    this.#perMs = perSecond / 1_000;
  }

  async wait(count: number): Promise<void> {
    const nowMs = performance.now();
    const startMs = Math.max(nowMs, this.#freeAtMs);
    this.#freeAtMs = startMs + count / this.#perMs;
    if (startMs > nowMs) await sleep(startMs - nowMs);
  }
}
