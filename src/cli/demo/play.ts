import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoFigures } from '../../node/demo/demo-figures.js';
import type { PositionReport } from '../../node/demo/protocol.js';
import { seededChance } from '../../node/demo/seeded-random.js';
import type { DemoOptions } from './demo-options.js';
import { type FeedCounts, Feeder } from './feeder.js';
import { feedSimulation, Replay, type Sink } from './feeds.js';
import { clockText, countText } from './figures-text.js';
import { type ForeignWrites, writeAsForeigner } from './foreign-writes.js';
import { isValid, type Mismatch, PositionOracle } from './position-oracle.js';
import { RedisKeeper } from './redis-keeper.js';
import type { ReplayCounts } from './report.js';
import type { Screen } from './screen.js';
import { Simulation } from './simulation.js';
import { clearL2, type Stage } from './stage.js';
import { renderTable } from './table.js';

export interface PlayParts {
  readonly options: DemoOptions;
  readonly stage: Stage;
  readonly figures: DemoFigures;
  readonly pageUrl: string;
  readonly screen: Screen;
  /** Aborted when the run is to end before its time. */
  readonly signal: AbortSignal;
}

/** What came of a run. */
export interface Played {
  readonly feed: FeedCounts;
  readonly replay: ReplayCounts | undefined;
  readonly mismatches: readonly (Mismatch & { readonly node: string })[] | undefined;
  /** Vehicles whose last position was compared, at every node. */
  readonly compared: number;
  /** What became of rows that somebody else changed; undefined when nobody did. */
  readonly foreign: ForeignWrites | undefined;
  readonly nodesLost: number;
  readonly problems: readonly string[];
}

const SECOND_MS = 1_000;
const ANSWER_BOUND_MS = 2_000;
const RECORD_BOUND_MS = 15_000;
const DRAIN_BOUND_MS = 20_000;
/** L2 is emptied at this share of the run, or after this time when the run has no end. */
const CLEAR_AT_SHARE = 0.4;
const CLEAR_AT_MS = 20_000;
/** A file that ends before that has its reads go on for so long without L2. */
const AFTER_CLEAR_MS = 3_000;
/** Within so long after a write was acknowledged, every node must show it. */
const STALENESS_BOUND_MS = 1_000;
const PROBLEMS_KEPT = 20;
const MISMATCHES_SHOWN = 8;
/** Whose details and status somebody else changes near the end. */
const FOREIGN_VEHICLES = 20;
/** Many times what it takes until every node shows it: all servers and nodes of a demo share one machine. */
const FOREIGN_BOUND_MS = 5_000;

/** One run on a stage that is set: feeds positions, has the nodes read, shows the figures, and judges at the end. */
export class Play {
  readonly #parts: PlayParts;
  readonly #figures: DemoFigures;
  readonly #feeder: Feeder;
  readonly #oracle = new PositionOracle();
  readonly #sink: Sink = {
    isFull: () => this.#feeder.isFull,
    offer: (reports) => this.#offer(reports),
  };
  readonly #simulation: Simulation | undefined;
  readonly #replay: Replay | undefined;
  readonly #redis: RedisKeeper | undefined;
  readonly #known = new Set<string>();
  readonly #problems: string[] = [];
  readonly #startedMs = performance.now();
  #nodesLost = 0;
  #l2Cleared = false;
  #replayBroken = false;
  #ending = false;

  constructor(parts: PlayParts) {
    const { options, stage } = parts;
    this.#parts = parts;
    this.#figures = parts.figures;
    this.#feeder = new Feeder({
      targets: stage.nodes.map((node) => ({
        get alive() {
          return node.alive;
        },
        record: (reports) => node.ask({ kind: 'record', reports }, RECORD_BOUND_MS),
      })),
      onRecorded: (reports) => this.#makeKnown(reports),
      onLost: (reports, why) => this.#complain(`${reports} positions were lost: ${why}`),
    });
    const { cluster, database, fleet } = stage;
    this.#redis = cluster && new RedisKeeper(cluster, (text) => this.#figures.log(text));
    if (options.replay === undefined) {
      this.#simulation = new Simulation(fleet, seededChance(fleet.plan.seed), Date.now());
    } else {
      const enter = database.enter.bind(database);
      this.#replay = new Replay({ path: options.replay, speed: options.speed, sink: this.#sink, enter });
    }
  }

  /** Plays until the time is over, the replayed file ends, or it is told to end; judges only what was played out. */
  async run(): Promise<Played> {
    const { options, stage, signal } = this.#parts;
    for (const node of stage.nodes) {
      void node.ended.then(() => this.#nodeEnded(node.name, node.log));
    }
    await this.#sample();
    await this.#setPace(options.readsPerSecond / stage.nodes.length);

    const ended = new AbortController();
    const stop = AbortSignal.any([signal, ended.signal]);
    const feeding = this.#feed(stop, () => ended.abort());
    const showing = this.#show(stop);
    if (options.forMs !== undefined) {
      void sleep(options.forMs, undefined, { signal: stop }).then(
        () => ended.abort(),
        () => {},
      );
    }
    await showing;
    await feeding;
    const verdict = signal.aborted ? undefined : await this.#judge();
    const foreign = signal.aborted ? undefined : await this.#writeAsForeigner();
    this.#ending = true;
    await this.#setPace(0);
    await this.#sample();
    for (const { reads } of this.#figures.samples) for (const error of reads.errors) this.#complain(error);
    return {
      feed: this.#feeder.counts,
      replay: this.#replay && {
        pings: this.#replay.pings,
        badLines: this.#replay.badLines,
        ahead: this.#replay.ahead,
        isBroken: this.#replayBroken,
      },
      mismatches: verdict,
      compared: this.#oracle.vehicleIds.length,
      foreign,
      nodesLost: this.#nodesLost,
      problems: [...this.#problems, ...(this.#replay?.complaints ?? [])],
    };
  }

  async #feed(stop: AbortSignal, onEnd: () => void): Promise<void> {
    if (this.#simulation !== undefined) {
      await feedSimulation(this.#simulation, this.#sink, stop);
    }
    try {
      await this.#replay?.run(stop);
      if (this.#replay !== undefined && !stop.aborted) this.#figures.log('The replayed file has ended');
    } catch (error) {
      this.#replayBroken = true;
      this.#complain(`the replay stopped: ${error instanceof Error ? error.message : error}`);
    }
    if (this.#replay === undefined || stop.aborted) return;
    await this.#drain();
    if (!this.#l2Cleared) {
      await this.#clearL2();
      await sleep(AFTER_CLEAR_MS, undefined, { signal: stop }).catch(() => {});
    }
    onEnd();
  }

  /** Asks the nodes each second how they are, and shows it, until the end; empties L2 on the way. */
  async #show(stop: AbortSignal): Promise<void> {
    const { options, stage, screen, pageUrl } = this.#parts;
    const clearAtMs = options.forMs === undefined ? CLEAR_AT_MS : options.forMs * CLEAR_AT_SHARE;
    for (let second = 1; !stop.aborted; second++) {
      const nextMs = this.#startedMs + second * SECOND_MS - performance.now();
      await sleep(Math.max(0, nextMs), undefined, { signal: stop }).catch(() => {});
      if (stop.aborted) break;
      if (!this.#l2Cleared && performance.now() - this.#startedMs >= clearAtMs) await this.#clearL2();
      await Promise.all([this.#sample(), this.#redis?.look()]);
      const view = {
        page: this.#figures.page(),
        pageUrl,
        nowMs: Date.now(),
        elapsedMs: performance.now() - this.#startedMs,
        forMs: options.forMs,
        feed: this.#feedText(),
        changes: this.#figures.changes(),
        nodes: stage.nodes.map(({ name, pid }) => ({ name, pid, residentBytes: this.#figures.residentBytes(name) })),
        redis: this.#redis && { primaries: this.#redis.primaries, out: this.#figures.outOf('distributed') },
      };
      screen.draw((width, paint) => renderTable(view, width, paint));
    }
  }

  #feedText(): string {
    const replay = this.#replay;
    if (replay === undefined) {
      const activities = this.#simulation?.activities();
      return `${countText(this.#parts.stage.fleet.vehicles.length)} vehicles, ${activities?.moving ?? 0} moving`;
    }
    const at = replay.replayMs === 0 ? '' : `, ${new Date(replay.replayMs).toISOString().slice(0, 16)}Z`;
    return `replay of ${replay.vehicles} vehicles${at}`;
  }

  async #clearL2(): Promise<void> {
    const { cluster } = this.#parts.stage;
    // Tried once, whatever comes of it: a run must not spend itself on it.
    this.#l2Cleared = true;
    if (cluster === undefined) return;
    try {
      const primaries = await clearL2(cluster);
      this.#figures.log(`L2 was emptied on purpose (FLUSHALL on ${primaries} primaries): L3 answers for it now`);
    } catch (error) {
      this.#complain(`L2 could not be emptied: ${error instanceof Error ? error.message : error}`);
    }
  }

  async #sample(): Promise<void> {
    const asked = this.#parts.stage.nodes.map(async (node) => {
      if (!node.alive) return;
      try {
        this.#figures.take(node.name, await node.ask({ kind: 'sample' }, ANSWER_BOUND_MS));
      } catch {
        this.#figures.miss(node.name);
      }
    });
    await Promise.all(asked);
  }

  async #setPace(readsPerSecond: number): Promise<void> {
    const alive = this.#parts.stage.nodes.filter((node) => node.alive);
    const asked = await Promise.allSettled(
      alive.map((node) => node.ask({ kind: 'read', readsPerSecond }, DRAIN_BOUND_MS)),
    );
    for (const one of asked) if (one.status === 'rejected') this.#complain(String(one.reason?.message));
  }

  #offer(reports: readonly PositionReport[]): void {
    const nowMs = Date.now();
    for (const report of reports) this.#oracle.take(report, nowMs);
    this.#feeder.offer(reports);
  }

  /** What is replayed may be asked for as soon as a node has it. */
  #makeKnown(reports: readonly PositionReport[]): void {
    if (this.#replay === undefined) return;
    const nowMs = Date.now();
    const fresh = reports.filter((report) => !this.#known.has(report.vehicleId) && isValid(report, nowMs));
    const vehicleIds = [...new Set(fresh.map(({ vehicleId }) => vehicleId))];
    if (vehicleIds.length === 0) return;
    for (const id of vehicleIds) this.#known.add(id);
    for (const node of this.#parts.stage.nodes) {
      node.ask({ kind: 'know', vehicleIds }, ANSWER_BOUND_MS).catch(() => {});
    }
  }

  async #drain(): Promise<void> {
    const enough = new AbortController();
    const late = sleep(DRAIN_BOUND_MS, undefined, { signal: enough.signal }).then(
      () => this.#feeder.close(),
      () => {},
    );
    await Promise.race([this.#feeder.settle(), late]);
    enough.abort();
  }

  /** Compares what every node shows with what the oracle knows, once the bound on staleness has passed. */
  async #judge(): Promise<(Mismatch & { readonly node: string })[]> {
    await this.#drain();
    for (const id of this.#simulation?.liars ?? []) this.#oracle.forget(id);
    await sleep(STALENESS_BOUND_MS);
    const vehicleIds = this.#oracle.vehicleIds;
    const mismatches: (Mismatch & { readonly node: string })[] = [];
    for (const node of this.#parts.stage.nodes.filter(({ alive }) => alive)) {
      const found = await node.ask({ kind: 'locate', vehicleIds }, DRAIN_BOUND_MS);
      for (const mismatch of this.#oracle.compare(found)) mismatches.push({ ...mismatch, node: node.name });
    }
    for (const { node, vehicleId, expected, found } of mismatches.slice(0, MISMATCHES_SHOWN)) {
      this.#complain(
        `${node} shows vehicle ${vehicleId} ${found === undefined ? 'nowhere' : placeText(found)}, it was last ${placeText(expected)}`,
      );
    }
    return mismatches;
  }

  /** While the nodes still read, somebody else writes to the database, and every node has to show it. */
  async #writeAsForeigner(): Promise<ForeignWrites> {
    const { stage } = this.#parts;
    const every = Math.ceil(stage.fleet.vehicles.length / FOREIGN_VEHICLES);
    const vehicleIds = stage.fleet.vehicles.filter((_, i) => i % every === 0).map(({ id }) => id);
    const readers = stage.nodes
      .filter(({ alive }) => alive)
      .map((node) => ({
        name: node.name,
        describe: (ids: readonly string[]) => node.ask({ kind: 'describe', vehicleIds: ids }, ANSWER_BOUND_MS),
      }));
    const foreign = await writeAsForeigner(stage.database, readers, vehicleIds, FOREIGN_BOUND_MS);
    const { rows, unseen, blind } = foreign;
    if (unseen === 0) this.#figures.log(`Somebody else changed ${rows} rows of the database: every node shows them`);
    else
      this.#complain(`after ${FOREIGN_BOUND_MS} ms ${blind.join(', ')} did not show rows that somebody else changed`);
    return foreign;
  }

  #nodeEnded(name: string, log: string): void {
    if (this.#ending || this.#parts.signal.aborted) return;
    this.#nodesLost += 1;
    this.#figures.end(name);
    this.#figures.log(`${name} has ended by itself`);
    this.#complain(`${name} has ended by itself${log}`);
  }

  #complain(text: string): void {
    if (this.#problems.length < PROBLEMS_KEPT) this.#problems.push(text);
  }
}

function placeText({ lat, lon, at }: { readonly lat: number; readonly lon: number; readonly at: number }): string {
  return `at ${lat},${lon} (${new Date(at).toISOString()}, ${clockText(at)} here)`;
}
