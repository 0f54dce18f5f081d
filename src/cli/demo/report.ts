import { cpus, totalmem, type } from 'node:os';
import type { DemoFigures } from '../../node/demo/demo-figures.js';
import type { FeedCounts } from './feeder.js';
import type { ForeignWrites } from './foreign-writes.js';

/** One figure, and, where it has a bound, whether it keeps to it. */
export interface ReportRow {
  readonly section: string;
  readonly id: string;
  readonly subject: 'fleetflow-cache';
  readonly value: number;
  readonly unit: string;
  readonly bound?: string;
  readonly ok?: boolean;
}

export interface Report {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryBytes: number;
    readonly os: string;
    readonly node: string;
  };
  readonly command: string;
  /** When the run began, ISO 8601. */
  readonly at: string;
  /** Whether the run came to the end that it was to have. */
  readonly complete: boolean;
  readonly rows: readonly ReportRow[];
  /** What went wrong, the first few times. */
  readonly problems: readonly string[];
}

export interface ReplayCounts {
  readonly pings: number;
  readonly badLines: number;
  /** Pings from the future, which were left out. */
  readonly ahead: number;
  /** The file could not be read to its end. */
  readonly isBroken: boolean;
}

/** What the report is made of. */
export interface ReportFacts {
  readonly figures: Pick<DemoFigures, 'page' | 'totals' | 'questions' | 'changes'>;
  readonly feed: FeedCounts;
  readonly replay: ReplayCounts | undefined;
  /** How many wrong positions the nodes showed at the end; undefined when nobody looked. */
  readonly mismatches: number | undefined;
  readonly compared: number;
  /** Undefined when nobody else wrote. */
  readonly foreign: ForeignWrites | undefined;
  readonly nodesLost: number;
  /** Whether the run came to its end: one that was cut short need not have seen everything. */
  readonly complete: boolean;
  /** What is left after everything was stopped. */
  readonly processesLeft: number;
  readonly foldersLeft: number;
}

type Bound = `${'>=' | '<='} ${number}`;

export function reportRows(facts: ReportFacts): ReportRow[] {
  return [
    ...readRows(facts),
    ...levelRows(facts),
    ...writeRows(facts),
    ...positionRows(facts),
    ...changeRows(facts),
    ...foreignRows(facts),
    row('end', 'nodes-lost', facts.nodesLost, 'processes', '<= 0'),
    row('end', 'processes-left', facts.processesLeft, 'processes', '<= 0'),
    row('end', 'folders-left', facts.foldersLeft, 'folders', '<= 0'),
  ];
}

function readRows({ figures, complete }: ReportFacts): ReportRow[] {
  const { reads, readsPerSecond, hitRate, databaseReads } = figures.totals();
  const { failedReads, staleServed } = figures.page().totals;
  return [
    row('reads', 'failed', failedReads, 'reads', '<= 0'),
    row('reads', 'count', reads, 'reads', complete ? '>= 1' : undefined),
    row('reads', 'rate', round(readsPerSecond), 'reads/s'),
    row('reads', 'stale', staleServed, 'reads'),
    ...known('reads', 'hit-rate', hitRate, 'share of reads'),
    ...figures
      .questions()
      .flatMap(({ kind, count, p50Ms, p99Ms }) => [
        row('questions', `${kind}.count`, count, 'questions'),
        ...known('questions', `${kind}.p50`, p50Ms, 'ms'),
        ...known('questions', `${kind}.p99`, p99Ms, 'ms'),
      ]),
    row('database', 'queries', databaseReads, 'queries'),
    ...known('database', 'queries-per-1000-reads', reads > 0 ? (databaseReads * 1_000) / reads : undefined, 'queries'),
  ];
}

function levelRows({ figures, complete }: ReportFacts): ReportRow[] {
  const { hits } = figures.totals();
  return figures
    .page()
    .levels.filter(({ state }) => state !== 'none')
    .flatMap(({ level, overall }) => [
      row('levels', `${level}.hits`, hits[level], 'reads', complete ? '>= 1' : undefined),
      ...known('levels', `${level}.hit-rate`, overall.hitRate ?? undefined, 'share of reads'),
      ...known('levels', `${level}.p50`, overall.p50Ms ?? undefined, 'ms'),
      ...known('levels', `${level}.p99`, overall.p99Ms ?? undefined, 'ms'),
    ]);
}

function writeRows({ feed }: ReportFacts): ReportRow[] {
  return [
    row('writes', 'offered', feed.offered, 'positions'),
    row('writes', 'newest', feed.newest, 'positions'),
    row('writes', 'history', feed.history, 'positions'),
    row('writes', 'duplicates', feed.duplicates, 'positions'),
    row('writes', 'ghosts', feed.ghosts, 'positions'),
    row('writes', 'jumps', feed.jumps, 'positions'),
    row('writes', 'clamped', feed.clamped, 'positions'),
    row('writes', 'rejected', feed.rejected, 'positions'),
    row('writes', 'lost', feed.lost, 'positions', '<= 0'),
  ];
}

function positionRows({ replay, mismatches, compared }: ReportFacts): ReportRow[] {
  const section = replay === undefined ? 'positions' : 'replay';
  return [
    ...(replay === undefined
      ? []
      : [
          row('replay', 'pings', replay.pings, 'pings'),
          row('replay', 'bad-lines', replay.badLines, 'lines'),
          row('replay', 'future-clocks', replay.ahead, 'pings'),
          row('replay', 'broken-files', replay.isBroken ? 1 : 0, 'files', '<= 0'),
        ]),
    ...(mismatches === undefined
      ? []
      : [
          row(section, 'vehicles-compared', compared, 'vehicles', '>= 1'),
          row(section, 'final-positions', mismatches, 'mismatches', '<= 0'),
        ]),
  ];
}

/** What others write, and what comes back of what the nodes write. */
function changeRows({ figures, complete }: ReportFacts): ReportRow[] {
  const changes = figures.changes();
  if (changes === undefined) return [];
  const { reader, transport = 'unknown', lagMs } = changes;
  return [
    row('changes', `readers.${transport}`, reader === undefined ? 0 : 1, 'nodes', complete ? '>= 1' : undefined),
    row('changes', 'events', changes.changes, 'rows', complete ? '>= 1' : undefined),
    row('changes', 'invalidated', changes.deleted + changes.deletedPatterns, 'entries and patterns'),
    row('changes', 'positions', changes.positions, 'positions'),
    row('changes', 'known', changes.known, 'positions'),
    row('changes', 'started-over', changes.startedOver, 'times'),
    row('changes', 'reconnects', changes.reconnects, 'times'),
    ...known('changes', 'lag-bytes', changes.lagBytes, 'bytes'),
    ...known('changes', 'lag-rows', changes.lagRows, 'rows'),
    ...known('changes', 'lag-age', lagMs, 'ms'),
  ];
}

function foreignRows({ foreign }: ReportFacts): ReportRow[] {
  if (foreign === undefined) return [];
  return [
    row('demo', 'foreign.rows', foreign.rows, 'rows', '>= 1'),
    row('demo', 'foreign.unseen', foreign.unseen, 'rows', '<= 0'),
    ...known('demo', 'foreign.seen-after', foreign.seenAfterMs, 'ms'),
  ];
}

function known(section: string, id: string, value: number | undefined, unit: string): ReportRow[] {
  return value === undefined ? [] : [row(section, id, round(value), unit)];
}

function row(section: string, id: string, value: number, unit: string, bound?: Bound): ReportRow {
  const plain = { section, id, subject: 'fleetflow-cache', value, unit } as const;
  return bound === undefined ? plain : { ...plain, bound, ok: keeps(value, bound) };
}

function keeps(value: number, bound: Bound): boolean {
  const limit = Number(bound.slice(3));
  return bound.startsWith('>=') ? value >= limit : value <= limit;
}

/** Four significant digits are more than was measured. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}

export function machineOf(): Report['machine'] {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryBytes: totalmem(),
    os: `${type()} ${process.arch}`,
    node: process.version,
  };
}
