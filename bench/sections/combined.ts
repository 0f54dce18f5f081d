import { Histogram } from '../../src/metrics/histogram.js';
import { measuredRows, ratioRow } from '../harness/comparison.js';
import { openRate } from '../harness/load.js';
import { type Contender, playRounds } from '../harness/rounds.js';
import { median } from '../harness/statistics.js';
import { boundedRow, OURS, type Row } from '../row.js';
import type { Bench, Section } from '../section.js';
import type { CitySubjectName, LevelCounts } from '../subjects/city.js';
import type { TaskOf } from '../tasks.js';
import type { Worker } from '../worker.js';

const SECTION = 'combined';
const SUBJECTS: readonly CitySubjectName[] = [OURS, 'bentocache'];
const NODES = 3;
const IN_FLIGHT = 64;
/** What the platform asks for. */
const EXPECTED_PER_SECOND = 75_000;

type NodeWorker = Worker<TaskOf<'city-node'>>;

async function openCity(bench: Bench, subject: CitySubjectName, vehicles: number): Promise<NodeWorker[]> {
  const redis = await bench.redis();
  const questionCount = bench.quick ? 1 << 11 : 1 << 15;
  const openNode = (i: number, seeds: readonly string[]): Promise<NodeWorker> => {
    const options = {
      subject,
      redis,
      prefix: `city-${subject}:`,
      seeds,
      vehicles,
      questionCount,
      seed: bench.seed + i,
    };
    return bench.open('city-node', options, { name: `${subject} node ${i + 1}` });
  };
  const first = await openNode(0, []);
  const seeds = [await first.call('address')];
  const others = await Promise.all(Array.from({ length: NODES - 1 }, (_, i) => openNode(i + 1, seeds)));
  const nodes = [first, ...others];
  await Promise.all(nodes.map((node) => node.call('whenJoined', NODES)));
  await first.call('fill');
  return nodes;
}

async function sumOf(nodes: readonly NodeWorker[], one: (node: NodeWorker) => Promise<number>): Promise<number> {
  return (await Promise.all(nodes.map(one))).reduce((a, b) => a + b, 0);
}

async function run(bench: Bench): Promise<Row[]> {
  const vehicles = bench.quick ? 500 : 10_000;
  const ms = bench.quick ? 300 : 3_000;
  const opened = SUBJECTS.filter((subject) => bench.wants(subject)).map(
    async (subject): Promise<[CitySubjectName, NodeWorker[]]> => [subject, await openCity(bench, subject, vehicles)],
  );
  const cities = new Map(await Promise.all(opened));
  const contenders = [...cities].map(
    ([subject, nodes]): Contender => ({
      subject,
      run: () => sumOf(nodes, (node) => node.call('runReads', IN_FLIGHT, ms)),
    }),
  );
  await playRounds(bench, contenders, { rounds: 0, warmUps: bench.quick ? 1 : 2 });
  const ours = cities.get(OURS) ?? [];
  const before = await levelsOf(ours);
  const measured = await playRounds(bench, contenders, { rounds: bench.quick ? 2 : 5, warmUps: 0 });
  const after = await levelsOf(ours);
  const failedRows: Row[] = [];
  for (const [subject, nodes] of cities) failedRows.push(await failedRow(subject, nodes));
  const comparison = { section: SECTION, id: 'combined', unit: 'keys/s', better: 'higher' as const, measured };
  const [measuredOurs, ...others] = measuredRows(comparison);
  const note = `${NODES} nodes, ${vehicles} vehicles, the fleet's questions while positions come in`;
  return [
    boundedRow({ ...(measuredOurs as Row), bound: EXPECTED_PER_SECOND, note }),
    ...others,
    ...ratioRow(comparison, { against: ['bentocache'], bound: 5 }),
    ...failedRows,
    await lateRow(ours),
    await latencyRow(ours, openRate(EXPECTED_PER_SECOND, median(measured.get(OURS) ?? [])), ms),
    ...shareRows(before, after),
  ];
}

/** What a question takes when the users ask by the clock for as much as the platform expects. */
async function latencyRow(nodes: readonly NodeWorker[], keysPerSecond: number, ms: number): Promise<Row> {
  const runs = await Promise.all(nodes.map((node) => node.call('runOpenReads', keysPerSecond / NODES, ms)));
  const all = new Histogram();
  for (const { latencies } of runs) all.merge(latencies);
  const [p50 = Number.NaN, p99 = Number.NaN] = [all.quantile(0.5), all.quantile(0.99)];
  const note = `p99 of a question at ${keysPerSecond} keys/s in an open loop, median ${p50.toFixed(3)} ms`;
  return { section: SECTION, id: 'combined.latency', subject: OURS, unit: 'ms', better: 'lower', value: p99, note };
}

/** The share of the writes that Redis did not take at once, and that the recovery queue has taken. */
async function lateRow(nodes: readonly NodeWorker[]): Promise<Row> {
  const told = await Promise.all(nodes.map((node) => node.call('writes')));
  const written = told.reduce((sum, one) => sum + one.written, 0);
  const late = told.reduce((sum, one) => sum + one.late, 0);
  const why = told.find(({ whyLate }) => whyLate !== undefined)?.whyLate;
  const note = `${late} of ${written} writes waited for Redis${why === undefined ? '' : `; ${why}`}`;
  const value = (100 * late) / written;
  return { section: SECTION, id: 'combined.late.share', subject: OURS, unit: '%', better: 'lower', value, note };
}

/** The share of the keys that were asked for and not there, though they had been put there. */
async function failedRow(subject: CitySubjectName, nodes: readonly NodeWorker[]): Promise<Row> {
  const failed = await sumOf(nodes, (node) => node.call('failed'));
  const asked = await sumOf(nodes, (node) => node.call('asked'));
  const row = {
    section: SECTION,
    id: 'combined.failed.share',
    subject,
    unit: '%',
    better: 'lower' as const,
    value: (100 * failed) / asked,
    note: `${failed} of ${asked} reads`,
  };
  return subject === OURS ? boundedRow({ ...row, bound: 0 }) : row;
}

async function levelsOf(nodes: readonly NodeWorker[]): Promise<LevelCounts> {
  const sum = { reads: 0, local: 0, distributed: 0, peer: 0 };
  for (const counts of await Promise.all(nodes.map((node) => node.call('levels')))) {
    if (counts === undefined) continue;
    for (const name of Object.keys(sum) as (keyof LevelCounts)[]) sum[name] += counts[name];
  }
  return sum;
}

/** Which level answered the reads between two counts. */
function shareRows(before: LevelCounts, after: LevelCounts): Row[] {
  const reads = after.reads - before.reads;
  return (['local', 'distributed', 'peer'] as const).map((level) => ({
    section: SECTION,
    id: `combined.hits.${level}`,
    subject: OURS,
    unit: '%',
    better: 'higher',
    value: (100 * (after[level] - before[level])) / reads,
  }));
}

export const combined: Section = { name: SECTION, about: "three nodes, all levels, the fleet's read mix", run };
