import type { CacheStats, LevelState, LevelStats } from '../../core/cache.js';
import type { Clock } from '../../core/clock.js';
import type { Level } from '../../core/outcome.js';
import type { FleetStats } from '../../fleet/stats.js';
import { changeFamilies } from '../../metrics/change-families.js';
import { renderExposition } from '../../metrics/exposition.js';
import { cacheFamilies } from '../../metrics/families.js';
import { fleetFamilies } from '../../metrics/fleet-families.js';
import { Histogram } from '../../metrics/histogram.js';
import { hitRateOf, LEVELS, mergeSnapshots, perSecond, readsOf, subtractSnapshot } from '../../metrics/snapshot.js';
import type { PageData, PageLogLine, PageTotals } from '../page-data.js';
import { PageFigures } from '../page-figures.js';
import { addChanges, type ChangeFigures } from './change-figures.js';
import { LevelHistory } from './level-history.js';
import type { NodeSample } from './protocol.js';

export interface DemoFiguresOptions {
  readonly title: string;
  readonly city: string;
  /** In the order in which they are shown. */
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
  readonly clock: Clock;
  /** Told of every line of the log. */
  readonly onLog: (line: PageLogLine) => void;
}

/** How long the fleet took to answer one kind of question. */
export interface QuestionFigures {
  readonly kind: string;
  readonly count: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

/** What was read since the first sample of each node. */
export interface ReadTotals {
  readonly reads: number;
  /** Over the whole time. */
  readonly readsPerSecond: number;
  /** Share of the reads, 0 to 1, that were answered without the source. */
  readonly hitRate: number | undefined;
  readonly hits: Readonly<Record<Level, number>>;
  readonly databaseReads: number;
}

interface NodeState {
  readonly name: string;
  readonly address: string;
  ok: boolean;
  /** What it had counted when it was first asked: its warm-up is no part of the figures. */
  baseline: NodeSample | undefined;
  sample: NodeSample | undefined;
  takenAtMs: number;
  writesPerSecond: number;
  databaseReadsPerSecond: number;
  source: LevelState;
}

const LOG_MAX = 50;

/** The figures of all nodes together, as the table, the page and the report show them. */
export class DemoFigures {
  readonly #options: DemoFiguresOptions;
  readonly #figures = new PageFigures();
  readonly #history: LevelHistory;
  readonly #nodes = new Map<string, NodeState>();
  readonly #log: PageLogLine[] = [];
  readonly #startedAtMs: number;

  constructor(options: DemoFiguresOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.wallMs();
    this.#history = new LevelHistory((text) => this.log(text));
    for (const { name, address } of options.nodes) {
      this.#nodes.set(name, {
        name,
        address,
        ok: false,
        baseline: undefined,
        sample: undefined,
        takenAtMs: 0,
        writesPerSecond: 0,
        databaseReadsPerSecond: 0,
        source: 'ok',
      });
    }
  }

  /** A node told how it is. */
  take(name: string, sample: NodeSample): void {
    const node = this.#node(name);
    const nowMs = this.#options.clock.monotonicMs();
    const seconds = (nowMs - node.takenAtMs) / 1_000;
    const before = node.sample;
    if (before !== undefined && seconds > 0) {
      node.writesPerSecond = (recordedOf(sample) - recordedOf(before)) / seconds;
      node.databaseReadsPerSecond = (sample.databaseReads - before.databaseReads) / seconds;
      node.source = sourceState(before.stats, sample.stats) ?? node.source;
    }
    node.ok = true;
    node.sample = sample;
    node.takenAtMs = nowMs;
    node.baseline ??= sample;
    this.#figures.push(name, subtractSnapshot(sample.snapshot, node.baseline.snapshot));
    const source = { level: 'source', state: node.source, out: [] } as const;
    this.#history.take(name, [...sample.health.levels, source], this.#options.clock.wallMs());
  }

  /** A node did not answer. */
  miss(name: string): void {
    const node = this.#node(name);
    node.ok = false;
    node.writesPerSecond = 0;
    node.databaseReadsPerSecond = 0;
    this.#figures.pause(name);
  }

  /** A node has ended: what the levels are like is for the others to say. */
  end(name: string): void {
    this.miss(name);
    this.#history.forget(name, this.#options.clock.wallMs());
  }

  log(text: string): void {
    const line = { atMs: this.#options.clock.wallMs(), text };
    this.#log.unshift(line);
    if (this.#log.length > LOG_MAX) this.#log.pop();
    this.#options.onLog(line);
  }

  get samples(): readonly NodeSample[] {
    return [...this.#nodes.values()].flatMap(({ sample }) => (sample === undefined ? [] : [sample]));
  }

  residentBytes(name: string): number | undefined {
    return this.#node(name).sample?.residentBytes;
  }

  /** The parts of a level that do not answer now, by any node. */
  outOf(level: Level): readonly string[] {
    return this.#history.outOf(level);
  }

  page(): PageData {
    const { title, city, clock } = this.#options;
    return {
      title,
      city,
      uptimeMs: clock.wallMs() - this.#startedAtMs,
      nodes: [...this.#nodes.values()].map(({ name, address, ok, sample }) => ({
        name,
        address,
        ok,
        readsPerSecond: this.#figures.readsPerSecond(name),
        entries: sumOf(sample, 'entries'),
        sizeBytes: sumOf(sample, 'sizeBytes'),
        members: membersOf(sample),
      })),
      totals: this.#pageTotals(),
      levels: this.#figures.levels({
        ...this.#history.states(),
        local: { state: 'ok', sinceMs: this.#startedAtMs },
      }),
      log: this.#log,
    };
  }

  totals(): ReadTotals {
    const nodes = [...this.#nodes.values()].flatMap(({ baseline, sample }) =>
      baseline === undefined || sample === undefined ? [] : [{ baseline, sample }],
    );
    const counted = mergeSnapshots(
      nodes.map(({ baseline, sample }) => subtractSnapshot(sample.snapshot, baseline.snapshot)),
    );
    const reads = readsOf(counted);
    return {
      reads,
      readsPerSecond: perSecond(reads, counted),
      hitRate: hitRateOf(counted),
      hits: counted.hits,
      databaseReads: nodes.reduce((sum, one) => sum + one.sample.databaseReads - one.baseline.databaseReads, 0),
    };
  }

  /** Undefined before the first sample. */
  changes(): ChangeFigures | undefined {
    return addChanges(
      [...this.#nodes.values()].flatMap(({ name, ok, sample }) =>
        sample === undefined ? [] : [{ name, changes: ok ? sample.changes : { ...sample.changes, state: 'closed' } }],
      ),
    );
  }

  /** By kind of question, the most frequent first. */
  questions(): readonly QuestionFigures[] {
    const byKind = new Map<string, Histogram>();
    for (const { reads } of this.samples) {
      for (const [kind, duration] of Object.entries(reads.durations)) {
        const known = byKind.get(kind);
        if (known === undefined) byKind.set(kind, Histogram.from(duration));
        else known.merge(duration);
      }
    }
    return [...byKind]
      .map(([kind, histogram]) => ({
        kind,
        count: histogram.count,
        p50Ms: histogram.quantile(0.5),
        p99Ms: histogram.quantile(0.99),
      }))
      .sort((a, b) => b.count - a.count);
  }

  /** Of all nodes as if they were one. */
  metricsText(version: string): string {
    const [first, ...others] = this.samples.map(({ stats }) => stats);
    if (first === undefined) return '';
    const snapshot = mergeSnapshots(this.samples.map((sample) => sample.snapshot));
    const stats = others.reduce(addStats, first);
    const fleet = this.samples.map((sample) => sample.fleet).reduce(addFleets);
    const cache = cacheFamilies({ snapshot, stats, version, runtime: process.version });
    const changes = this.changes();
    return renderExposition([...cache, ...fleetFamilies(fleet), ...(changes ? changeFamilies(changes) : [])]);
  }

  health(): { readonly ok: boolean; readonly [detail: string]: unknown } {
    const nodes = [...this.#nodes.values()].map(({ name, ok, sample }) => ({ name, ok, ...sample?.health }));
    return { ok: nodes.every(({ ok }) => ok), nodes };
  }

  stats(): unknown {
    return Object.fromEntries([...this.#nodes.values()].map(({ name, sample }) => [name, sample?.stats ?? null]));
  }

  #pageTotals(): PageTotals {
    const nodes = [...this.#nodes.values()];
    const sum = (of: (node: NodeState) => number) => nodes.reduce((total, node) => total + of(node), 0);
    const { readsPerSecond, hitRate, reads } = this.#figures.reads();
    const databaseReads = sum((node) => node.databaseReadsPerSecond);
    return {
      readsPerSecond,
      writesPerSecond: sum((node) => node.writesPerSecond),
      hitRate,
      databaseQueriesPer1000Reads: readsPerSecond > 0 ? (databaseReads * 1_000) / readsPerSecond : null,
      reads,
      failedReads: sum(({ sample }) => sample?.reads.failed ?? 0),
      staleServed: sum(({ sample }) => sample?.stats.staleServed ?? 0),
    };
  }

  #node(name: string): NodeState {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  }
}

/** Positions that were kept. */
function recordedOf({ fleet }: NodeSample): number {
  return fleet.newest + fleet.history;
}

/** Nodes that it sees answer, itself included. */
function membersOf(sample: NodeSample | undefined): number | null {
  const peer = sample?.health.levels.find(({ level }) => level === 'peer');
  return peer === undefined ? null : peer.parts - peer.out.length;
}

function sumOf(sample: NodeSample | undefined, what: 'entries' | 'sizeBytes'): number | null {
  if (sample === undefined) return null;
  const { local, peer } = sample.stats.levels;
  return (local?.[what] ?? 0) + (peer?.[what] ?? 0);
}

/** What the loads between two samples say about the source; undefined when there was none. */
function sourceState(before: CacheStats, after: CacheStats): LevelState | undefined {
  const loads = after.loads - before.loads;
  const errors = after.loadErrors - before.loadErrors;
  if (loads + errors === 0) return undefined;
  if (errors === 0) return 'ok';
  return errors >= loads ? 'out' : 'degraded';
}

function addStats(a: CacheStats, b: CacheStats): CacheStats {
  const levels: Partial<Record<Level, LevelStats>> = {};
  for (const level of LEVELS) {
    const sum = addLevels(a.levels[level], b.levels[level]);
    if (sum !== undefined) levels[level] = sum;
  }
  return {
    ...a,
    loads: a.loads + b.loads,
    loadErrors: a.loadErrors + b.loadErrors,
    staleServed: a.staleServed + b.staleServed,
    clampedEventTimes: a.clampedEventTimes + b.clampedEventTimes,
    hotAnswers: a.hotAnswers + b.hotAnswers,
    invalidValues: a.invalidValues + b.invalidValues,
    levels,
  };
}

function addFleets(a: FleetStats, b: FleetStats): FleetStats {
  const sums = Object.keys(a).map((name) => [name, a[name as keyof FleetStats] + b[name as keyof FleetStats]]);
  return Object.fromEntries(sums) as FleetStats;
}

function addLevels(a: LevelStats | undefined, b: LevelStats | undefined): LevelStats | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const size = (x: number | undefined, y: number | undefined) =>
    x === undefined && y === undefined ? undefined : (x ?? 0) + (y ?? 0);
  return {
    hits: a.hits + b.hits,
    misses: a.misses + b.misses,
    errors: a.errors + b.errors,
    skipped: a.skipped + b.skipped,
    sizeBytes: size(a.sizeBytes, b.sizeBytes),
    entries: size(a.entries, b.entries),
    state: worseOf(a.state, b.state),
  };
}

function worseOf(a: LevelState, b: LevelState): LevelState {
  return a === b ? a : 'degraded';
}
