import { setTimeout as sleep } from 'node:timers/promises';
import { measuredRows, ratioRow } from '../harness/comparison.js';
import { type Contender, playRounds } from '../harness/rounds.js';
import { spreadOf } from '../harness/statistics.js';
import { boundedRow, OURS, type Row } from '../row.js';
import type { Bench, Section } from '../section.js';
import { PATIENT_DEADLINES, redisConfig } from '../subjects/fleet-config.js';
import type { RemoteSubjectName } from '../subjects/remote.js';
import type { TaskOf } from '../tasks.js';
import type { Worker } from '../worker.js';

const SECTION = 'l2';
const IN_FLIGHT = 256;
const BATCH = 100;

type ClientWorker = Worker<TaskOf<'redis-client'>>;

/** The bounds are of plain ioredis; what it does when it collects the commands of a tick stands beside them. */
const IOREDIS: readonly RemoteSubjectName[] = ['ioredis 6'];
const PIPELINED: readonly RemoteSubjectName[] = ['ioredis 6, auto-pipelining'];
const SUBJECTS: readonly RemoteSubjectName[] = [
  OURS,
  ...IOREDIS,
  ...PIPELINED,
  'node-redis cluster, timeout 0',
  'node-redis cluster, defaults',
  'node-redis direct',
];
/** What a smoke test leaves out. */
const SLOW: readonly RemoteSubjectName[] = ['node-redis cluster, defaults', ...PIPELINED];

/** Reads and writes of one client of the cluster. */
async function transfers(bench: Bench): Promise<Row[]> {
  const nodes = await bench.redis();
  const keys = bench.quick ? 2_000 : 100_000;
  const ms = bench.quick ? 150 : 1_000;
  const workers = new Map<RemoteSubjectName, ClientWorker>();
  for (const subject of SUBJECTS) {
    if (!bench.wants(subject) || (bench.quick && SLOW.includes(subject))) continue;
    const prefix = `${subject.replaceAll(/[^a-z0-9]+/g, '-')}:`;
    const options = { subject, nodes, prefix, keys, seed: bench.seed };
    const worker = await bench.open('redis-client', options, { name: subject });
    await worker.call('fill');
    workers.set(subject, worker);
  }
  const play = (run: (worker: ClientWorker) => Promise<number>) =>
    playRounds(
      bench,
      [...workers].map(([subject, worker]): Contender => ({ subject, run: () => run(worker) })),
      { rounds: bench.quick ? 2 : 7, warmUps: 1 },
    );

  const common = { section: SECTION, unit: '/s', better: 'higher' as const };
  const get = { ...common, id: 'l2.get', measured: await play((one) => one.call('runGet', IN_FLIGHT, ms)) };
  const many = {
    ...common,
    id: 'l2.getMany',
    unit: 'keys/s',
    measured: await play((one) => one.call('runGetMany', BATCH, 1, ms)),
  };
  const set = { ...common, id: 'l2.set', measured: await play((one) => one.call('runSet', IN_FLIGHT, ms)) };
  await Promise.all([...workers.values()].map((worker) => worker.stop()));
  return [
    ...[get, many, set].flatMap(measuredRows),
    ...ratioRow(get, { against: IOREDIS, bound: 1.6 }),
    ...ratioRow(get, { against: PIPELINED }),
    ...ratioRow(get, { against: ['node-redis cluster, timeout 0'], bound: 1.5 }),
    ...ratioRow(get, { against: ['node-redis direct'], bound: 0.55 }),
    ...ratioRow(many, { against: IOREDIS, bound: 4, note: `${BATCH} keys at a time` }),
    ...ratioRow(many, { against: PIPELINED, note: `${BATCH} keys at a time` }),
    ...ratioRow(set, { against: IOREDIS, bound: 1, note: 'fenced, sequenced and published, against plain SET PX' }),
    ...ratioRow(set, { against: PIPELINED, note: 'fenced, sequenced and published, against plain SET PX' }),
    ...ratioRow(set, { against: ['node-redis direct'], note: 'what coherence leaves of a plain SET PX' }),
  ];
}

const NODES = 4;
const CALLERS = 100;
const LOAD_MS = 50;

/** Callers on several nodes ask at once for one key that nobody has. */
async function loads(bench: Bench): Promise<Row[]> {
  const nodes = await bench.redis();
  const config = { redis: redisConfig(nodes, 'loads:'), deadlines: PATIENT_DEADLINES };
  const workers = await Promise.all(
    Array.from({ length: NODES }, (_, i) => bench.open('fleet-node', { config }, { name: `${OURS} node ${i + 1}` })),
  );
  // Whatever a node does when it begins is done: nobody may be told to wait for a lease then.
  await sleep(1_000);
  const counts: number[] = [];
  for (let n = 0; n < (bench.quick ? 3 : 20); n++) {
    bench.signal.throwIfAborted();
    const asked = workers.map((worker) => worker.call('load', `cold:${n}`, CALLERS / NODES, LOAD_MS));
    counts.push((await Promise.all(asked)).reduce((a, b) => a + b, 0));
  }
  await Promise.all(workers.map((worker) => worker.stop()));
  const row = {
    section: SECTION,
    id: 'l2.getOrLoad',
    subject: OURS,
    unit: 'loads',
    better: 'lower' as const,
    value: Math.max(...counts),
    low: Math.min(...counts),
    high: Math.max(...counts),
    bound: 1,
    exact: true as const,
    note: `${CALLERS} callers on ${NODES} nodes, the worst of ${counts.length} keys`,
  };
  return [boundedRow(row)];
}

const READS = 100;
const FLAT_MAX = 2;

/** A tag is invalidated: it may not matter how many entries have it. */
async function tags(bench: Bench): Promise<Row[]> {
  const nodes = await bench.redis();
  const sizes = bench.quick ? [1_000, 10_000] : [10_000, 100_000, 1_000_000];
  const times = bench.quick ? 3 : 9;
  const config = { redis: redisConfig(nodes, 'tags:'), nearCache: false, deadlines: PATIENT_DEADLINES };
  const worker = await bench.open('fleet-node', { config }, { name: OURS });
  const rows: Row[] = [];
  let from = 0;
  for (const size of sizes) {
    const tag = `of-${size}`;
    bench.say(`storing ${size} entries under a tag`);
    await worker.call('fillTagged', from, size, tag);
    const vehicles = Array.from({ length: READS }, (_, i) => from + Math.floor((i * size) / READS));
    const deleteMs: number[] = [];
    const readMs: number[] = [];
    for (let n = 0; n < times; n++) {
      bench.signal.throwIfAborted();
      const took = await worker.call('invalidate', tag, vehicles);
      deleteMs.push(took.deleteMs);
      readMs.push(took.readMs);
    }
    from += size;
    const row = { section: SECTION, subject: OURS, unit: 'ms', better: 'lower' as const, note: `${size} entries` };
    rows.push(
      { ...row, id: 'l2.tag.delete', ...spreadOf(deleteMs) },
      { ...row, id: 'l2.tag.read', ...spreadOf(readMs) },
    );
  }
  await worker.stop();
  return [...rows, ...['l2.tag.delete', 'l2.tag.read'].map((id) => flatRow(id, rows, sizes))];
}

function flatRow(id: string, rows: readonly Row[], sizes: readonly number[]): Row {
  const own = rows.filter((row) => row.id === id);
  const value = (own.at(-1)?.value ?? Number.NaN) / (own[0]?.value ?? Number.NaN);
  const note = `${sizes.at(-1)} entries against ${sizes[0]}`;
  return boundedRow({
    section: SECTION,
    id: `${id}.flat`,
    subject: OURS,
    unit: 'x',
    better: 'lower',
    value,
    bound: FLAT_MAX,
    note,
  });
}

export const l2: Section = {
  name: SECTION,
  about: 'a Redis Cluster of three primaries: reads, batches, writes, loads of many callers, tags by size',
  run: async (bench) => [...(await transfers(bench)), ...(await loads(bench)), ...(await tags(bench))],
};
