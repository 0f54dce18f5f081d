/** Three nodes of a fleet on real servers, their readers and their trackers. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Stage, setStage } from '../../src/cli/demo/stage.js';
import { StopList } from '../../src/cli/demo/stop-list.js';
import { findFreePort } from '../../src/cli/servers/free-port.js';
import { Histogram } from '../../src/metrics/histogram.js';
import type { NodeSample } from '../../src/node/demo/protocol.js';
import { LiveFeed } from './live-feed.js';

export interface FleetEffort {
  readonly vehicles: number;
  /** Keys, of each node. */
  readonly readsPerSecond: number;
  /** How long is looked on before anything happens, and after it is over. */
  readonly calmMs: number;
  readonly afterMs: number;
}

/** What was read between two moments, by all nodes. */
export interface ReadSpan {
  readonly asked: number;
  readonly failed: number;
  /** Of those: questions that their node had never answered before. */
  readonly failedCold: number;
  readonly stale: number;
  readonly firstError: string | undefined;
  /** Of all kinds of questions but those to the API outside. */
  readonly latencies: Histogram;
}

const NODES = 3;
const SAMPLE_BOUND_MS = 10_000;
const LOCATE_BOUND_MS = 60_000;
const STOP_BOUND_MS = 20_000;
const QUERY_BOUND_MS = 60_000;
const MEMORY_EVERY_MS = 500;

export class FleetStage {
  readonly stage: Stage;
  readonly feed: LiveFeed;
  readonly #stops: StopList;
  readonly #effort: FleetEffort;

  private constructor(stage: Stage, stops: StopList, effort: FleetEffort, seed: number) {
    this.stage = stage;
    this.#stops = stops;
    this.#effort = effort;
    this.feed = new LiveFeed(stage.fleet, stage.nodes, seed);
  }

  /** @param databaseThrough what stands between the nodes and the database, if anything is to */
  static async open(
    effort: FleetEffort,
    seed: number,
    say: (text: string) => void,
    databaseThrough?: (url: string) => Promise<string>,
  ): Promise<FleetStage> {
    const stops = new StopList();
    try {
      const ports = await Promise.all(Array.from({ length: NODES }, () => findFreePort()));
      const stage = await setStage({
        vehicles: effort.vehicles,
        addresses: ports.map((port) => `127.0.0.1:${port}`),
        stops,
        signal: new AbortController().signal,
        onProgress: say,
        ...(databaseThrough !== undefined && { databaseThrough }),
      });
      if (stage.cluster === undefined) throw new Error('there is no Redis to be had');
      return new FleetStage(stage, stops, effort, seed);
    } catch (thrown) {
      await stops.run(STOP_BOUND_MS);
      throw thrown;
    }
  }

  /** Readers and trackers begin. */
  async play(): Promise<void> {
    this.feed.start();
    const { readsPerSecond } = this.#effort;
    await Promise.all(this.stage.nodes.map((node) => node.ask({ kind: 'read', readsPerSecond }, SAMPLE_BOUND_MS)));
  }

  async stopReading(): Promise<void> {
    await Promise.all(this.stage.nodes.map((node) => node.ask({ kind: 'read', readsPerSecond: 0 }, LOCATE_BOUND_MS)));
  }

  samples(): Promise<NodeSample[]> {
    return Promise.all(this.stage.nodes.map((node) => node.ask({ kind: 'sample' }, SAMPLE_BOUND_MS)));
  }

  /** The largest of the nodes, as long as `work` takes, in bytes. */
  async largestDuring(work: Promise<unknown>): Promise<number> {
    let isOver = false;
    const over = work.finally(() => {
      isOver = true;
    });
    let largest = 0;
    while (!isOver) {
      for (const { residentBytes } of await this.samples()) largest = Math.max(largest, residentBytes);
      await sleep(MEMORY_EVERY_MS);
    }
    await over;
    return largest;
  }

  /** How many vehicles some node shows elsewhere than they were last. */
  async mismatches(): Promise<number> {
    const { vehicleIds } = this.feed.oracle;
    const wrong = new Set<string>();
    for (const node of this.stage.nodes) {
      const found = await node.ask({ kind: 'locate', vehicleIds }, LOCATE_BOUND_MS);
      for (const { vehicleId } of this.feed.oracle.compare(found)) wrong.add(vehicleId);
    }
    return wrong.size;
  }

  /** The first column of the first row that the database answers, asked directly. */
  async count(text: string, values: readonly unknown[] = []): Promise<number> {
    const client = new pg.Client({ connectionString: this.stage.databaseUrl, query_timeout: QUERY_BOUND_MS });
    await client.connect();
    try {
      const { rows } = await client.query<{ count: string }>(text, [...values]);
      return Number(rows[0]?.count);
    } finally {
      await client.end();
    }
  }

  async stop(): Promise<void> {
    const complaints = await this.#stops.run(STOP_BOUND_MS);
    if (complaints.length > 0) throw new Error(complaints.join('; '));
  }
}

export function readsBetween(before: readonly NodeSample[], after: readonly NodeSample[]): ReadSpan {
  const latencies = new Histogram();
  for (const [sign, samples] of [
    ['merge', after],
    ['subtract', before],
  ] as const) {
    for (const { reads } of samples) {
      for (const [kind, taken] of Object.entries(reads.durations)) if (kind !== 'eta') latencies[sign](taken);
    }
  }
  const difference = (of: (sample: NodeSample) => number) =>
    after.reduce((sum, sample) => sum + of(sample), 0) - before.reduce((sum, sample) => sum + of(sample), 0);
  return {
    asked: difference(({ reads }) => reads.asked),
    failed: difference(({ reads }) => reads.failed),
    failedCold: difference(({ reads }) => reads.failedCold),
    stale: difference(({ stats }) => stats.staleServed),
    firstError: after.find(({ reads }) => reads.errors.length > 0)?.reads.errors[0],
    latencies,
  };
}
