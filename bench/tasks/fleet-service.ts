/** One of several nodes of a service: its users ask by the clock, while its share of the trackers reports. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Simulation } from '../../src/cli/demo/simulation.js';
import { Histogram, type HistogramSnapshot } from '../../src/metrics/histogram.js';
import { type DemoFleet, makeDemoFleet } from '../../src/node/demo/demo-fleet.js';
import type { PositionReport } from '../../src/node/demo/protocol.js';
import { ReadMix } from '../../src/node/demo/read-mix.js';
import { seededChance } from '../../src/node/demo/seeded-random.js';
import { openLoop } from '../harness/load.js';
import type { Sightings } from '../harness/staleness.js';
import { openOurFleet } from '../subjects/fleet-ours.js';
import { openDatabaseAlone, openLruOverRedis } from '../subjects/fleet-plain.js';
import type { FleetService, FleetSettings, Question, ServiceCounts } from '../subjects/fleet-service.js';

const subjects = {
  'fleetflow-cache': openOurFleet,
  'lru-cache over Redis': openLruOverRedis,
  'no cache': openDatabaseAlone,
} as const satisfies Record<string, (settings: FleetSettings) => Promise<FleetService>>;

export type FleetSubjectName = keyof typeof subjects;

export interface FleetServiceOptions extends FleetSettings {
  readonly subject: FleetSubjectName;
  readonly vehicles: number;
  /** Which node this is, of how many: it takes in the reports of every so many-th vehicle. */
  readonly node: number;
  readonly nodes: number;
  readonly seed: number;
}

export interface LoadResult {
  readonly questions: number;
  /** Keys that were asked for: a map has many, a circle counts as one. */
  readonly keys: number;
  readonly failed: number;
  readonly whyFailed: string | undefined;
  readonly latencies: HistogramSnapshot;
  /** By kind of question, from when it was asked. */
  readonly kinds: ReadonlyMap<Question['kind'], HistogramSnapshot>;
  /** Processor time of this process, its trackers included. */
  readonly cpuMs: number;
  /** What the load changed in them. */
  readonly counts: ServiceCounts;
  /** Positions that were acknowledged, and when. Wall ms, the same clock in all processes. */
  readonly written: Sightings;
  /** Positions that were read, and when the question was asked. */
  readonly read: Sightings;
}

/** The busiest hour of a fleet: 15 h IST. */
const BUSY_HOUR_MS = Date.UTC(2026, 10, 20, 9, 30);
const TURN_MS = 100;
const RECORD_MAX = 500;
const RECORD_TRIES = 5;
/** Of a map, so many positions are compared with what had been acknowledged. */
const LOOKED_AT_MAX = 8;
const WARM_BATCH = 50;
/** Clocks that lie say years that are far ahead. */
const FAR_AHEAD_MS = 86_400_000;

class Log implements Sightings {
  readonly vehicle: number[] = [];
  readonly positionMs: number[] = [];
  readonly atMs: number[] = [];

  add(vehicle: number, positionMs: number, atMs: number): void {
    this.vehicle.push(vehicle);
    this.positionMs.push(positionMs);
    this.atMs.push(atMs);
  }
}

export async function open(options: FleetServiceOptions) {
  const { subject, vehicles, node, nodes, seed } = options;
  const service = await subjects[subject](options);
  const fleet = makeDemoFleet({ vehicles, seed: 1 });
  const ids = fleet.vehicles.map(({ id }) => id);
  const placeOf = new Map(ids.map((id, i) => [id, i]));
  const mix = new ReadMix(fleet, seededChance(seed + node));
  // Lives in the busiest hour, whatever the hour is here.
  const shiftMs = BUSY_HOUR_MS - Date.now();
  const own: DemoFleet = { ...fleet, vehicles: fleet.vehicles.filter((_, i) => i % nodes === node) };
  let written = new Log();
  let feeding: Promise<void> | undefined;
  let isFed = true;

  const record = async (reports: readonly PositionReport[], liars: ReadonlySet<string>): Promise<void> => {
    const newest = await recordedAtLast(service, reports);
    const atMs = nowMs();
    for (const { vehicleId, at } of newest) {
      if (!liars.has(vehicleId)) written.add(placeOf.get(vehicleId) as number, at.getTime(), atMs);
    }
  };
  const feed = async (): Promise<void> => {
    const trackers = new Simulation(own, seededChance(seed + node), Date.now() + shiftMs);
    const liars = new Set(trackers.liars);
    while (isFed) {
      const reports = trackers.advance(Date.now() + shiftMs).map((report) => shifted(report, shiftMs));
      for (let from = 0; from < reports.length; from += RECORD_MAX) {
        await record(reports.slice(from, from + RECORD_MAX), liars);
      }
      await sleep(TURN_MS);
    }
  };

  return {
    address: () => service.address,
    whenJoined: (count: number) => service.whenJoined(count),
    /** Brings what is asked for into what keeps it. */
    async warm(): Promise<void> {
      if (subject === 'fleetflow-cache') return service.warm(ids);
      for (let from = 0; from < ids.length; from += WARM_BATCH) await service.warm(ids.slice(from, from + WARM_BATCH));
    },
    /** Its trackers report from now on. */
    startFeed(): void {
      feeding ??= feed();
    },
    /** @throws Error when a report was not recorded */
    async stopFeed(): Promise<void> {
      isFed = false;
      await feeding;
    },
    async runLoad(perSecond: number, ms: number): Promise<LoadResult> {
      const kinds = new Map<Question['kind'], Histogram>();
      const read = new Log();
      written = new Log();
      const before = service.counts();
      const cpuBefore = process.cpuUsage();
      let questions = 0;
      let keys = 0;
      let failed = 0;
      let whyFailed: string | undefined;
      const { latencies } = await openLoop(perSecond, ms, async () => {
        const question = nextQuestion(mix);
        questions += 1;
        keys += question.kind === 'map' ? question.ids.length : 1;
        const startedMs = nowMs();
        try {
          const positions = await service.ask(question);
          for (const { vehicleId, at } of positions.slice(0, LOOKED_AT_MAX)) {
            read.add(placeOf.get(vehicleId) as number, at.getTime(), startedMs);
          }
        } catch (thrown) {
          failed += 1;
          whyFailed = String(thrown);
        }
        const ofKind = kinds.get(question.kind) ?? new Histogram();
        ofKind.record(nowMs() - startedMs);
        kinds.set(question.kind, ofKind);
      });
      const counts = difference(service.counts(), before);
      const { user, system } = process.cpuUsage(cpuBefore);
      return {
        questions,
        keys,
        failed,
        whyFailed,
        cpuMs: (user + system) / 1_000,
        latencies,
        kinds: new Map([...kinds].map(([kind, ofKind]) => [kind, ofKind.snapshot()])),
        counts,
        written: { ...written },
        read: { ...read },
      };
    },
    /** One map of so many vehicles, so many times, one after the other. @returns how long each took, in ms */
    async pollMap(count: number, times: number): Promise<number[]> {
      const polled = ids.slice(0, count);
      const tookMs: number[] = [];
      for (let n = 0; n < times; n++) {
        const startedMs = performance.now();
        await service.ask({ kind: 'map', ids: polled });
        tookMs.push(performance.now() - startedMs);
      }
      return tookMs;
    },
    close: () => service.close(),
  };
}

/** As trackers' servers do: what was not acknowledged is sent again. */
async function recordedAtLast(service: FleetService, reports: readonly PositionReport[]) {
  for (let tries = 1; ; tries++) {
    try {
      return await service.record(reports);
    } catch (thrown) {
      if (tries === RECORD_TRIES) throw thrown;
    }
  }
}

function nextQuestion(mix: ReadMix): Question {
  for (;;) {
    const question = mix.next();
    if (question.kind !== 'eta') return question;
  }
}

function shifted(report: PositionReport, shiftMs: number): PositionReport {
  const isLie = report.at > Date.now() + shiftMs + FAR_AHEAD_MS;
  return isLie ? report : { ...report, at: Math.round(report.at - shiftMs) };
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function difference(after: ServiceCounts, before: ServiceCounts): ServiceCounts {
  return {
    keys: after.keys - before.keys,
    local: after.local - before.local,
    distributed: after.distributed - before.distributed,
    peer: after.peer - before.peer,
    statements: after.statements - before.statements,
  };
}
