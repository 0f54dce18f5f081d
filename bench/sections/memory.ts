import { boundedRow, OURS, type Row } from '../row.js';
import type { Bench, Section } from '../section.js';
import type { MemoryUseOptions } from '../tasks/memory-use.js';

const SECTION = 'memory';
const GIB = 2 ** 30;
const NODE_OPTIONS = ['--expose-gc'];
const DATA: MemoryUseOptions['subject'] = 'data alone';
const LRU: MemoryUseOptions['subject'] = 'lru-cache ttl maxSize';
const SUBJECTS: readonly MemoryUseOptions['subject'][] = [
  DATA,
  OURS,
  'lru-cache max',
  LRU,
  'bentocache',
  'cache-manager',
  'layered-loader',
];

interface PerEntry {
  readonly stored: number;
  readonly read: number;
}

/** Bytes per entry, each in a process of its own. */
async function perEntry(bench: Bench): Promise<Row[]> {
  const count = bench.quick ? 20_000 : 200_000;
  const measure = async (subject: MemoryUseOptions['subject']): Promise<[string, PerEntry]> => {
    const options = { subject, maxEntries: count, maxBytes: 4 * GIB };
    const worker = await bench.open('memory-use', options, { name: subject, nodeOptions: NODE_OPTIONS });
    const stored = await worker.call('runFill', count);
    const read = await worker.call('runReadAll');
    await worker.stop();
    return [subject, { stored, read }];
  };
  const subjects = (bench.quick ? SUBJECTS.slice(0, 4) : SUBJECTS).filter((name) => name === DATA || bench.wants(name));
  const measured = new Map<string, PerEntry>();
  // Two at a time: bytes do not depend on who else is busy.
  for (let first = 0; first < subjects.length; first += 2) {
    bench.signal.throwIfAborted();
    const pair = await Promise.all(subjects.slice(first, first + 2).map(measure));
    for (const [subject, perEntry] of pair) measured.set(subject, perEntry);
  }
  const row = { section: SECTION, unit: 'B', better: 'lower' as const };
  const rows = [...measured].flatMap(([subject, { stored, read }]): Row[] => [
    { ...row, id: 'mem.entry.stored', subject, value: stored },
    { ...row, id: 'mem.entry.read', subject, value: read },
  ]);
  return [...rows, ...overheadRows(measured, 'stored'), ...overheadRows(measured, 'read')];
}

/** What each takes above its keys and values as an application would hold them. */
function overheadRows(measured: ReadonlyMap<string, PerEntry>, when: keyof PerEntry): Row[] {
  const [alone, ours, theirs] = [DATA, OURS, LRU].map((name) => measured.get(name)?.[when]);
  if (alone === undefined || ours === undefined || theirs === undefined) return [];
  const note = `above the data alone: ${Math.round(ours - alone)} B against ${Math.round(theirs - alone)} B`;
  const row = {
    section: SECTION,
    id: `mem.entry.${when}`,
    subject: OURS,
    against: LRU,
    unit: 'x',
    better: 'lower' as const,
  };
  return [boundedRow({ ...row, value: (ours - alone) / (theirs - alone), bound: 1, note })];
}

const BUDGET_SPARE = 1.1;
const DELAY_MAX = 2;
const OPS_PER_SECOND = 20_000;
/** Half as many again as fit. */
const VEHICLES_PER_MIB = 3_000;

/** A whole budget of locations in one process. */
async function residence(bench: Bench): Promise<Row[]> {
  const budgetMiB = bench.quick ? 8 : 256;
  const ms = bench.quick ? 500 : 10_000;
  const vehicles = budgetMiB * VEHICLES_PER_MIB;
  const options = { budgetMiB, vehicles, opsPerSecond: OPS_PER_SECOND, seed: bench.seed };
  const worker = await bench.open('resident-node', options, { name: OURS, nodeOptions: NODE_OPTIONS });
  const idleMs = await worker.call('runIdle', ms);
  await worker.call('fill');
  await worker.call('runLoad', ms / 4);
  const loadedMs = await worker.call('runLoad', ms);
  const { residentMiB, uncollectedMiB, entries, sizeMiB, heapMiB } = await worker.call('residence');
  await worker.stop();
  const row = { section: SECTION, subject: OURS, better: 'lower' as const };
  const note = `${entries} entries, ${sizeMiB.toFixed(1)} MiB by its own count, ${heapMiB.toFixed(1)} MiB of live objects`;
  return [
    boundedRow({ ...row, id: 'mem.resident', unit: 'MiB', value: residentMiB, bound: budgetMiB * BUDGET_SPARE, note }),
    {
      ...row,
      id: 'mem.resident.uncollected',
      unit: 'MiB',
      value: uncollectedMiB,
      note: 'with what the garbage collector has not given back yet: what it leaves is for its heap limit to say',
    },
    { ...row, id: 'mem.loop.empty', unit: 'ms', value: idleMs, note: 'p99.9 of the event loop delay, nothing cached' },
    {
      ...row,
      id: 'mem.loop.full',
      unit: 'ms',
      value: loadedMs,
      note: `the same, full, at ${OPS_PER_SECOND} operations per second`,
    },
    boundedRow({
      ...row,
      id: 'mem.loop',
      unit: 'x',
      value: loadedMs / idleMs,
      bound: DELAY_MAX,
      note: 'full against empty',
    }),
  ];
}

/** What a node keeps for all: the same load on a store with a hundred entries, and on one that is full and evicts. */
async function peerStore(bench: Bench): Promise<Row[]> {
  const budgetMiB = bench.quick ? 16 : 512;
  const ms = bench.quick ? 500 : 10_000;
  const options = { budgetMiB, opsPerSecond: OPS_PER_SECOND };
  const nodeOptions = { nodeOptions: NODE_OPTIONS };
  const empty = await bench.open('peer-store', options, { name: `${OURS} empty`, ...nodeOptions });
  const full = await bench.open('peer-store', options, { name: `${OURS} full`, ...nodeOptions });
  await full.call('fill');
  for (const worker of [empty, full]) await worker.call('runLoad', ms / 4);
  const delays: { empty: number; full: number }[] = [];
  for (let round = 0; round < (bench.quick ? 1 : 3); round++) {
    delays.push({ empty: await empty.call('runLoad', ms), full: await full.call('runLoad', ms) });
  }
  const { residentMiB, entries } = await full.call('residence');
  await Promise.all([empty.stop(), full.stop()]);
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] as number;
  const row = { section: SECTION, subject: OURS, better: 'lower' as const };
  const note = `what a peer keeps for all, ${entries} entries`;
  const emptyMs = median(delays.map((one) => one.empty));
  const fullMs = median(delays.map((one) => one.full));
  return [
    boundedRow({ ...row, id: 'mem.peer', unit: 'MiB', value: residentMiB, bound: budgetMiB * BUDGET_SPARE, note }),
    { ...row, id: 'mem.peer.loop.empty', unit: 'ms', value: emptyMs, note: 'p99.9 of the event loop delay' },
    { ...row, id: 'mem.peer.loop.full', unit: 'ms', value: fullMs, note: 'the same load, full and evicting' },
    boundedRow({
      ...row,
      id: 'mem.peer.loop',
      unit: 'x',
      value: median(delays.map((one) => one.full / one.empty)),
      bound: DELAY_MAX,
      note: 'full against empty',
    }),
  ];
}

export const memory: Section = {
  name: SECTION,
  about: 'bytes per entry; resident memory and event loop of a full budget',
  run: async (bench) => [...(await perEntry(bench)), ...(await residence(bench)), ...(await peerStore(bench))],
};
