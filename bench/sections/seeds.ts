/** The user's expectations, line by line, each met with a factor of two to spare or not. */
import { Histogram } from '../../src/metrics/histogram.js';
import { type OpenLoopResult, openRate } from '../harness/load.js';
import { median } from '../harness/statistics.js';
import { boundedRow, OURS, type Row } from '../row.js';
import type { Bench, Section } from '../section.js';
import type { TaskOf } from '../tasks.js';
import type { Worker } from '../worker.js';
import { combined } from './combined.js';
import { openPeerPair } from './l3.js';

const SECTION = 'seeds';
const SPARE = 2;

/** DESIGN, section 6, and the latencies of section 1: what the user asked of each level. */
const EXPECTED = {
  local: { perSecond: 100_000, latencyMs: 1 },
  distributed: { perSecond: 50_000, latencyMs: 5 },
  peer: { perSecond: 5_000, latencyMs: 50 },
} as const;
const EXPECTED_COMBINED_PER_SECOND = 75_000;
/** Of all reads: the least that the user expects of L1, and of all levels together. */
const EXPECTED_LOCAL_HITS = 60;
const EXPECTED_HITS = 90;
const EXPECTED_AVAILABLE = 99.9;

const P99 = 0.99;
const P50 = 0.5;

type Level = keyof typeof EXPECTED;

/** Somebody who reads of one level alone. */
interface Reader {
  readonly level: Level;
  /** Reads per second, as many as go. */
  fastest(ms: number): Promise<number>;
  byTheClock(perSecond: number, ms: number): Promise<OpenLoopResult>;
  stop(): Promise<void>;
}

async function readers(bench: Bench): Promise<Reader[]> {
  const keys = bench.quick ? 2_000 : 100_000;
  const [local, distributed, peer] = await Promise.all([
    openLocal(bench, keys),
    openDistributed(bench, keys),
    openPeerPair(bench, OURS, keys),
  ]);
  return [
    {
      level: 'local',
      fastest: async (ms) => 1e9 / (await local.call('runGet', ms)),
      byTheClock: (perSecond, ms) => local.call('runOpenGet', perSecond, ms),
      stop: () => local.stop(),
    },
    {
      level: 'distributed',
      fastest: (ms) => distributed.call('runGet', 256, ms),
      byTheClock: (perSecond, ms) => distributed.call('runOpenGet', perSecond, ms),
      stop: () => distributed.stop(),
    },
    {
      level: 'peer',
      fastest: (ms) => peer.call('runGet', 64, ms),
      byTheClock: (perSecond, ms) => peer.call('runOpenGet', perSecond, ms),
      stop: () => peer.stop(),
    },
  ];
}

async function openLocal(bench: Bench, keys: number): Promise<Worker<TaskOf<'local-cache'>>> {
  const { seed, quick } = bench;
  const options = { subject: OURS, keys, maxEntries: keys, maxBytes: 2 ** 30, seed, quick } as const;
  const worker = await bench.open('local-cache', options, { name: OURS });
  await worker.call('fill');
  return worker;
}

async function openDistributed(bench: Bench, keys: number): Promise<Worker<TaskOf<'redis-client'>>> {
  const options = { subject: OURS, nodes: await bench.redis(), prefix: 'seeds:', keys, seed: bench.seed } as const;
  const worker = await bench.open('redis-client', options, { name: OURS });
  await worker.call('fill');
  return worker;
}

async function levelRows(bench: Bench, reader: Reader): Promise<Row[]> {
  const ms = bench.quick ? 200 : 2_000;
  const { level, fastest, byTheClock } = reader;
  const { perSecond, latencyMs } = EXPECTED[level];
  await fastest(ms);
  const speeds: number[] = [];
  for (let n = 0; n < 3; n++) {
    bench.signal.throwIfAborted();
    speeds.push(await fastest(ms));
  }
  const rate = openRate(perSecond, median(speeds));
  const { latencies } = await byTheClock(rate, ms);
  await reader.stop();
  const histogram = Histogram.from(latencies);
  const p99 = histogram.quantile(P99) ?? Number.NaN;
  const p50 = histogram.quantile(P50) ?? Number.NaN;
  const common = { section: SECTION, subject: OURS };
  return [
    boundedRow({
      ...common,
      id: `seeds.throughput.${level}`,
      value: median(speeds),
      unit: '/s',
      better: 'higher',
      bound: SPARE * perSecond,
      note: `${perSecond}/s expected`,
    }),
    boundedRow({
      ...common,
      id: `seeds.latency.${level}`,
      value: p99,
      unit: 'ms',
      better: 'lower',
      bound: latencyMs / SPARE,
      note: `p99 at ${rate}/s in an open loop, median ${p50.toFixed(3)} ms; ${latencyMs} ms expected`,
    }),
  ];
}

/** From the three nodes with all levels, as they were measured in this run, or else are measured now. */
async function cityRows(bench: Bench): Promise<Row[]> {
  const known = bench.rows.some(({ section }) => section === combined.name);
  const rows = known ? bench.rows : await combined.run(bench);
  const figureFor = (id: string): number => {
    const found = rows.find((row) => row.id === id && row.subject === OURS && row.against === undefined);
    if (found === undefined) throw new Error(`nothing was measured as ${id}`);
    return found.value;
  };
  const local = figureFor('combined.hits.local');
  const distributed = figureFor('combined.hits.distributed');
  const peer = figureFor('combined.hits.peer');
  const available = 100 - figureFor('combined.failed.share');
  const common = { section: SECTION, subject: OURS, unit: '%', better: 'higher' as const };
  return [
    boundedRow({
      ...common,
      id: 'seeds.throughput.combined',
      value: figureFor('combined'),
      unit: 'keys/s',
      bound: SPARE * EXPECTED_COMBINED_PER_SECOND,
      note: `${EXPECTED_COMBINED_PER_SECOND}/s expected`,
    }),
    boundedRow({
      ...common,
      id: 'seeds.hits.local',
      value: local,
      bound: EXPECTED_LOCAL_HITS,
      note: '60 to 70 % expected',
    }),
    {
      ...common,
      id: 'seeds.hits.distributed',
      value: distributed,
      note: '25 to 30 % of all reads expected; fewer where L1 has more',
    },
    {
      ...common,
      id: 'seeds.hits.peer',
      value: peer,
      note: '5 to 8 % of all reads expected; fewer where L1 and L2 have more',
    },
    boundedRow({
      ...common,
      id: 'seeds.hits.overall',
      value: local + distributed + peer,
      bound: 100 - (100 - EXPECTED_HITS) / SPARE,
      note: '90 to 95 % expected; half of the misses that 90 % allow',
    }),
    boundedRow({
      ...common,
      id: 'seeds.availability',
      value: available,
      bound: 100 - (100 - EXPECTED_AVAILABLE) / SPARE,
      note: '99.9 % expected; half of the failures that it allows, nothing being broken',
    }),
  ];
}

async function run(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const reader of await readers(bench)) rows.push(...(await levelRows(bench, reader)));
  return [...rows, ...(await cityRows(bench))];
}

export const seeds: Section = {
  name: SECTION,
  about: "the user's table of expectations, our figure beside each line",
  run,
};
