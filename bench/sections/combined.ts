import { measuredRows, ratioRow } from '../harness/comparison.js';
import { type Contender, playRounds } from '../harness/rounds.js';
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
  const nodes: NodeWorker[] = [];
  const seeds: string[] = [];
  for (let i = 0; i < NODES; i++) {
    const options = { subject, redis, prefix: `city-${subject}:`, seeds: [...seeds], vehicles, seed: bench.seed + i };
    const node = await bench.open('city-node', options, { name: `${subject} node ${i + 1}` });
    seeds.push(await node.call('address'));
    nodes.push(node);
  }
  await Promise.all(nodes.map((node) => node.call('whenJoined', NODES)));
  await (nodes[0] as NodeWorker).call('fill');
  return nodes;
}

async function sumOf(nodes: readonly NodeWorker[], one: (node: NodeWorker) => Promise<number>): Promise<number> {
  return (await Promise.all(nodes.map(one))).reduce((a, b) => a + b, 0);
}

async function run(bench: Bench): Promise<Row[]> {
  const vehicles = bench.quick ? 1_000 : 10_000;
  const ms = bench.quick ? 300 : 3_000;
  const cities = new Map<CitySubjectName, NodeWorker[]>();
  for (const subject of SUBJECTS)
    if (bench.wants(subject)) cities.set(subject, await openCity(bench, subject, vehicles));
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
    ...shareRows(before, after),
  ];
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
