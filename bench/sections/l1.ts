import { measuredRows, ratioRow } from '../harness/comparison.js';
import { type Contender, playRounds } from '../harness/rounds.js';
import type { Row } from '../row.js';
import type { Bench, Section } from '../section.js';
import type { LocalSubjectName } from '../subjects/local.js';
import type { TaskOf } from '../tasks.js';
import type { Worker } from '../worker.js';
import { measureScale } from './scale.js';

const SECTION = 'l1';
const GIB = 2 ** 30;

type LocalWorker = Worker<TaskOf<'local-cache'>>;

async function openAll(
  bench: Bench,
  names: readonly LocalSubjectName[],
  options: { readonly keys: number; readonly maxEntries: number },
): Promise<Map<LocalSubjectName, LocalWorker>> {
  const { seed, quick } = bench;
  const opened = names
    .filter((name) => bench.wants(name))
    .map(async (subject): Promise<[LocalSubjectName, LocalWorker]> => {
      const settings = { subject, maxBytes: 2 * GIB, seed, quick, ...options };
      const worker = await bench.open('local-cache', settings, { name: subject });
      await worker.call('fill');
      return [subject, worker];
    });
  return new Map(await Promise.all(opened));
}

const hits: Section['run'] = async (bench) => {
  const keys = bench.quick ? 10_000 : 100_000;
  const ms = bench.quick ? 50 : 400;
  const rounds = { rounds: bench.quick ? 2 : 9, warmUps: bench.quick ? 1 : 2 };
  const workers = await openAll(
    bench,
    [
      'fleetflow-cache',
      'lru-cache max',
      'lru-cache ttl',
      ...(bench.quick
        ? []
        : (['lru-cache ttl, resolution 100', 'lru-cache ttl maxSize', 'cacheable', 'layered-loader'] as const)),
      'bentocache',
      'cache-manager',
    ],
    { keys, maxEntries: keys },
  );
  const contenders = (run: (worker: LocalWorker) => Promise<number>, isOne = (_: string) => true): Contender[] =>
    [...workers]
      .filter(([subject]) => isOne(subject))
      .map(([subject, worker]) => ({ subject, run: () => run(worker) }));
  const isSynchronous = (name: string): boolean => /^(?:fleetflow|lru|layered)/.test(name);

  const measuredPeek = await playRounds(
    bench,
    contenders((worker) => worker.call('runPeek', ms), isSynchronous),
    rounds,
  );
  const peek = { section: SECTION, id: 'l1.peek', unit: 'ns', better: 'lower' as const, measured: measuredPeek };
  const measuredGet = await playRounds(
    bench,
    contenders((worker) => worker.call('runGet', ms)),
    rounds,
  );
  const get = { ...peek, id: 'l1.get', measured: measuredGet };
  // An awaited hit of ours beside a synchronous one of lru-cache, as an application would have it.
  const beside = new Map([...measuredPeek].filter(([subject]) => subject.startsWith('lru')));
  const ours = measuredGet.get('fleetflow-cache');
  if (ours !== undefined) beside.set('fleetflow-cache', ours);
  await Promise.all([...workers.values()].map((worker) => worker.stop()));
  return [
    ...measuredRows(peek),
    ...measuredRows(get),
    ...ratioRow(peek, { against: ['lru-cache ttl'], bound: 1.5 }),
    ...ratioRow(
      { ...peek, id: 'l1.peek.plain' },
      { against: ['lru-cache max'], note: 'the aim: 1, one that looks at no TTL' },
    ),
    ...ratioRow(get, { against: ['bentocache'], bound: 15 }),
    ...ratioRow(get, { against: ['cache-manager'], bound: 4 }),
    ...ratioRow({ ...get, id: 'l1.get.ns', measured: beside }, { against: ['lru-cache ttl'], bound: 2, as: 'time' }),
  ];
};

const mix: Section['run'] = async (bench) => {
  const keys = bench.quick ? 10_000 : 100_000;
  const ms = bench.quick ? 50 : 400;
  const rounds = { rounds: bench.quick ? 2 : 9, warmUps: bench.quick ? 1 : 2 };
  const names: readonly LocalSubjectName[] = [
    'fleetflow-cache',
    'lru-cache ttl maxSize',
    ...(bench.quick ? [] : (['lru-cache max', 'bentocache'] as const)),
  ];
  const workers = await openAll(bench, names, { keys, maxEntries: keys / 10 });
  const ratios = new Map<string, number>();
  const measured = await playRounds(
    bench,
    [...workers].map(([subject, worker]) => ({
      subject,
      run: async () => {
        const { nsPerOp, hitRatio } = await worker.call('runMix', ms);
        ratios.set(subject, hitRatio);
        return nsPerOp;
      },
    })),
    rounds,
  );
  await Promise.all([...workers.values()].map((worker) => worker.stop()));
  const comparison = { section: SECTION, id: 'l1.mix', unit: 'ns', better: 'lower' as const, measured };
  const hitRows = [...ratios].map(
    ([subject, value]): Row => ({
      section: SECTION,
      id: 'l1.mix.hits',
      subject,
      value: 100 * value,
      unit: '%',
      better: 'higher',
    }),
  );
  return [
    ...measuredRows(comparison),
    ...hitRows,
    ...ratioRow(comparison, { against: ['lru-cache ttl maxSize'], bound: 1.2 }),
  ];
};

export const l1: Section = {
  name: SECTION,
  about: 'memory of this process: hits, a mix of reads and writes with eviction, hits and misses by size',
  run: async (bench) => [...(await hits(bench)), ...(await mix(bench)), ...(await measureScale(bench, SECTION))],
};
