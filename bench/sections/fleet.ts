import { Histogram } from '../../src/metrics/histogram.js';
import { DemoDatabase } from '../../src/node/demo/demo-database.js';
import { makeDemoFleet } from '../../src/node/demo/demo-fleet.js';
import { stalenessOf } from '../harness/staleness.js';
import { median } from '../harness/statistics.js';
import { boundedRow, OURS, type Row } from '../row.js';
import type { Bench, Section } from '../section.js';
import type { FleetSubjectName, LoadResult } from '../tasks/fleet-service.js';
import type { TaskOf } from '../tasks.js';
import type { Worker } from '../worker.js';

const SECTION = 'fleet';
const SUBJECTS: readonly FleetSubjectName[] = ['no cache', 'lru-cache over Redis', OURS];
const NODES = 3;
/** Staleness inside a city has a hard bound (P1). */
const STALE_MAX_MS = 1_000;
/** The platform expects 90 to 95 %. */
const EXPECTED_HITS = 90;
/** A map of a whole operator comes in tens of milliseconds. */
const POLL_MAX_MS = 100;

interface Size {
  readonly vehicles: number;
  readonly questionsPerSecond: number;
  readonly warmMs: number;
  readonly loadMs: number;
  readonly polled: number;
  readonly polls: number;
}

/** 20,000 vehicles, the largest operator has 12,000; the map polls of a city ask for some hundred keys a second each. */
const FULL: Size = {
  vehicles: 20_000,
  questionsPerSecond: 450,
  warmMs: 10_000,
  loadMs: 30_000,
  polled: 12_000,
  polls: 21,
};
const QUICK: Size = { vehicles: 300, questionsPerSecond: 90, warmMs: 300, loadMs: 1_000, polled: 200, polls: 3 };

type ServiceWorker = Worker<TaskOf<'fleet-service'>>;

interface Played {
  readonly subject: FleetSubjectName;
  readonly loads: readonly LoadResult[];
  readonly pollsMs: readonly number[];
}

async function run(bench: Bench): Promise<Row[]> {
  const size = bench.quick ? QUICK : FULL;
  await seed(bench, size);
  const rows: Row[] = [];
  // What the others take in a second says nothing, and a quick run is to end within a minute.
  const subjects: readonly FleetSubjectName[] = bench.quick ? [OURS] : SUBJECTS.filter((one) => bench.wants(one));
  for (const subject of subjects) {
    bench.signal.throwIfAborted();
    rows.push(...rowsOf(await play(bench, subject, size), size));
  }
  // One measure of all subjects after the other, as all sections print them.
  const ids = [...new Set(rows.map(({ id }) => id))];
  return ids.flatMap((id) => rows.filter((row) => row.id === id));
}

async function seed(bench: Bench, { vehicles }: Size): Promise<void> {
  const database = new DemoDatabase(await bench.postgres('replica'), bench.signal);
  try {
    await database.migrate();
    await database.seed(makeDemoFleet({ vehicles, seed: 1 }), () => {});
  } finally {
    await database.close();
  }
}

/** The whole city of one subject, from its start to its end. */
async function play(bench: Bench, subject: FleetSubjectName, size: Size): Promise<Played> {
  const nodes = await openNodes(bench, subject, size);
  const [first] = nodes as [ServiceWorker];
  await first.call('warm');
  const all = <T>(one: (node: ServiceWorker) => Promise<T>): Promise<T[]> => Promise.all(nodes.map(one));
  await all((node) => node.call('startFeed'));
  const perNode = size.questionsPerSecond / NODES;
  await all((node) => node.call('runLoad', perNode, size.warmMs));
  const loads = await all((node) => node.call('runLoad', perNode, size.loadMs));
  const pollsMs = await first.call('pollMap', size.polled, size.polls);
  await all((node) => node.call('stopFeed'));
  await all((node) => node.stop());
  return { subject, loads, pollsMs };
}

async function openNodes(bench: Bench, subject: FleetSubjectName, { vehicles }: Size): Promise<ServiceWorker[]> {
  const [redis, postgres] = await Promise.all([bench.redis(), bench.postgres('replica')]);
  const prefix = `fleet-${subject.replaceAll(' ', '-')}:`;
  const openNode = (node: number, seeds: readonly string[]): Promise<ServiceWorker> => {
    const options = { subject, redis, postgres, prefix, seeds, vehicles, node, nodes: NODES, seed: bench.seed };
    return bench.open('fleet-service', options, { name: `${subject} node ${node + 1}` });
  };
  const first = await openNode(0, []);
  const seeds = [await first.call('address')];
  const others = await Promise.all(Array.from({ length: NODES - 1 }, (_, i) => openNode(i + 1, seeds)));
  const nodes = [first, ...others];
  await Promise.all(nodes.map((node) => node.call('whenJoined', NODES)));
  return nodes;
}

function rowsOf({ subject, loads, pollsMs }: Played, size: Size): Row[] {
  const latencies = new Histogram();
  const kinds = new Map<string, Histogram>();
  for (const load of loads) {
    latencies.merge(load.latencies);
    for (const [kind, ofKind] of load.kinds) {
      const all = kinds.get(kind) ?? new Histogram();
      all.merge(ofKind);
      kinds.set(kind, all);
    }
  }
  const sum = (of: (load: LoadResult) => number) => loads.reduce((total, load) => total + of(load), 0);
  const row = (id: string, value: number, unit: string, better: Row['better'], note?: string): Row => ({
    section: SECTION,
    id: `fleet.${id}`,
    subject,
    value,
    unit,
    better,
    ...(note !== undefined && { note }),
  });
  /** What is promised is promised of ours. */
  const bounded = (one: Row, bound: number): Row => (subject === OURS ? boundedRow({ ...one, bound }) : one);
  const shareOfKeys = (level: 'local' | 'distributed' | 'peer') =>
    (100 * sum(({ counts }) => counts[level])) / sum(({ counts }) => counts.keys);
  const [local, distributed, peer] = [shareOfKeys('local'), shareOfKeys('distributed'), shareOfKeys('peer')];
  const statements = sum(({ counts }) => counts.statements);
  const keys = sum((load) => load.keys);
  const failed = sum((load) => load.failed);
  const questions = sum((load) => load.questions);
  const { looked, stale, late, worstMs } = stalenessOf(
    loads.map(({ written }) => written),
    loads.map(({ read }) => read),
    STALE_MAX_MS,
  );
  const quantile = (p: number) => latencies.quantile(p) ?? Number.NaN;
  const whyFailed = loads.find((load) => load.whyFailed !== undefined)?.whyFailed;
  const rate = `${size.questionsPerSecond} questions/s in an open loop, ${size.vehicles} vehicles`;
  return [
    row('hits.local', local, '%', 'higher'),
    row('hits.distributed', distributed, '%', 'higher'),
    row('hits.peer', peer, '%', 'higher'),
    bounded(row('hits', local + distributed + peer, '%', 'higher'), EXPECTED_HITS),
    row('statements', (1_000 * statements) / keys, 'per 1,000 keys', 'lower', `${statements} for ${keys} keys`),
    row(
      'cpu',
      (1_000 * sum(({ cpuMs }) => cpuMs)) / keys,
      'us per key',
      'lower',
      'of the three nodes, trackers included',
    ),
    row('latency.p50', quantile(0.5), 'ms', 'lower', rate),
    row('latency.p99', quantile(0.99), 'ms', 'lower'),
    row('latency.p99.9', quantile(0.999), 'ms', 'lower'),
    ...[...kinds].map(([kind, all]) => {
      const [p50 = Number.NaN, p99 = Number.NaN] = [all.quantile(0.5), all.quantile(0.99)];
      return row(`latency.${kind}`, p99, 'ms', 'lower', `p99, median ${p50.toFixed(2)} ms`);
    }),
    bounded(
      row(
        'poll',
        median(pollsMs),
        'ms',
        'lower',
        `${size.polled} vehicles, longest ${Math.max(...pollsMs).toFixed(0)} ms`,
      ),
      POLL_MAX_MS,
    ),
    row('stale', (100 * stale) / looked, '%', 'lower', `older than acknowledged, ${stale} of ${looked}`),
    bounded(
      row('stale.late', (100 * late) / looked, '%', 'lower', `for more than 1 s; at most ${worstMs.toFixed(0)} ms`),
      0,
    ),
    bounded(
      row(
        'failed',
        (100 * failed) / questions,
        '%',
        'lower',
        `${failed} of ${questions}${whyFailed ? `; ${whyFailed}` : ''}`,
      ),
      0,
    ),
  ];
}

export const fleet: Section = {
  name: SECTION,
  about: 'the workload of a fleet on three nodes: with nothing, with lru-cache over Redis, with ours',
  run,
};
