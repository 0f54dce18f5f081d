import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProcess } from '../../src/cli/demo/node-process.js';
import { PositionOracle } from '../../src/cli/demo/position-oracle.js';
import { Simulation } from '../../src/cli/demo/simulation.js';
import { Histogram } from '../../src/metrics/histogram.js';
import type { DemoFleet } from '../../src/node/demo/demo-fleet.js';
import type { PositionReport } from '../../src/node/demo/protocol.js';
import { seededChance } from '../../src/node/demo/seeded-random.js';

/** 15 h IST, the busiest hour of a fleet. */
const BUSY_HOUR_MS = Date.UTC(2026, 10, 20, 9, 30);
const TURN_MS = 50;
const BATCH_MAX = 500;
const RECORD_BOUND_MS = 30_000;
/** Before what was refused is sent again. */
const AGAIN_MS = 500;
/** A clock that lies says a year that is far ahead. */
const FAR_AHEAD_MS = 86_400_000;

interface Waiting {
  readonly report: PositionReport;
  /** When the tracker sent it. */
  readonly sentMs: number;
}

export interface Refusals {
  readonly count: number;
  readonly first: string | undefined;
}

/** Reports of one vehicle always go to the same node. */
export function shareOf(vehicleId: string, nodes: number): number {
  return Number(vehicleId.slice(-6)) % nodes;
}

/**
 * What trackers send by themselves, as if it were the busiest hour: each node takes in a share of the vehicles, in
 * order. What a node does not acknowledge is sent to it again, until it does; nothing is given up.
 */
export class LiveFeed {
  /** Where each vehicle must be in the end, by all that was sent. */
  readonly oracle = new PositionOracle();
  readonly #nodes: readonly NodeProcess[];
  readonly #trackers: Simulation;
  readonly #shiftMs = BUSY_HOUR_MS - Date.now();
  readonly #queues: Waiting[][];
  /** Their reports are taken to be five minutes old when they arrive, whenever that is: nobody knows where they end. */
  readonly #liars: ReadonlySet<string>;
  #latencies = new Histogram();
  #refusals = { count: 0, first: undefined as string | undefined };
  #acknowledged = 0;
  #isOn = true;
  #running: Promise<unknown> | undefined;

  constructor(fleet: DemoFleet, nodes: readonly NodeProcess[], seed: number) {
    this.#nodes = nodes;
    this.#trackers = new Simulation(fleet, seededChance(seed), Date.now() + this.#shiftMs);
    this.#queues = nodes.map(() => []);
    this.#liars = new Set(this.#trackers.liars);
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Reports that no node has acknowledged yet. */
  get waiting(): number {
    return this.#queues.reduce((sum, queue) => sum + queue.length, 0);
  }

  start(): void {
    this.#running = Promise.all([this.#send(), ...this.#nodes.map((node, share) => this.#pump(node, share))]);
  }

  /** From when a tracker sent a report to when its node had acknowledged it, of those since the last time. */
  takeLatencies(): Histogram {
    const taken = this.#latencies;
    this.#latencies = new Histogram();
    return taken;
  }

  takeRefusals(): Refusals {
    const taken = this.#refusals;
    this.#refusals = { count: 0, first: undefined };
    return taken;
  }

  /** Trackers fall silent. Resolves when what they sent has been acknowledged. */
  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#running;
  }

  async #send(): Promise<void> {
    while (this.#isOn) {
      const nowMs = Date.now();
      for (const given of this.#trackers.advance(nowMs + this.#shiftMs)) {
        const isLie = given.at > nowMs + this.#shiftMs + FAR_AHEAD_MS;
        const report = isLie ? given : { ...given, at: Math.round(given.at - this.#shiftMs) };
        if (!this.#liars.has(report.vehicleId)) this.oracle.take(report, nowMs);
        this.#queues[shareOf(report.vehicleId, this.#nodes.length)]?.push({ report, sentMs: nowMs });
      }
      await sleep(TURN_MS);
    }
  }

  async #pump(node: NodeProcess, share: number): Promise<void> {
    const queue = this.#queues[share] as Waiting[];
    while (this.#isOn || queue.length > 0) {
      const batch = queue.slice(0, BATCH_MAX);
      if (batch.length === 0) {
        await sleep(TURN_MS / 10);
        continue;
      }
      try {
        await node.ask({ kind: 'record', reports: batch.map(({ report }) => report) }, RECORD_BOUND_MS);
        queue.splice(0, batch.length);
        this.#acknowledged += batch.length;
        const nowMs = Date.now();
        for (const { sentMs } of batch) this.#latencies.record(nowMs - sentMs);
      } catch (thrown) {
        this.#refusals.count += 1;
        this.#refusals.first ??= String(thrown);
        await sleep(AGAIN_MS);
      }
    }
  }
}
