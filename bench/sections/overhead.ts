import { measuredRows, ratioRow } from '../harness/comparison.js';
import { type Contender, playRounds } from '../harness/rounds.js';
import { OURS, type Row } from '../row.js';
import type { Bench, Section } from '../section.js';
import type { LocalSubjectName } from '../subjects/local.js';
import type { TaskOf } from '../tasks.js';
import type { Worker } from '../worker.js';

const SECTION = 'overhead';
const WITHOUT: LocalSubjectName = 'fleetflow-cache, metrics off';
const BYTES_MAX = 2 ** 30;

/** What counting costs a hit: all metrics beside none. */
async function run(bench: Bench): Promise<Row[]> {
  const keys = bench.quick ? 10_000 : 100_000;
  const ms = bench.quick ? 50 : 400;
  const { seed, quick } = bench;
  const opened = ([OURS, WITHOUT] as const).map(async (subject): Promise<[string, Worker<TaskOf<'local-cache'>>]> => {
    const options = { subject, keys, maxEntries: keys, maxBytes: BYTES_MAX, seed, quick };
    const worker = await bench.open('local-cache', options, { name: subject });
    await worker.call('fill');
    return [subject, worker];
  });
  const workers = new Map(await Promise.all(opened));
  const rows: Row[] = [];
  for (const method of ['runPeek', 'runGet'] as const) {
    const contenders = [...workers].map(
      ([subject, worker]): Contender => ({ subject, run: () => worker.call(method, ms) }),
    );
    const measured = await playRounds(bench, contenders, {
      rounds: bench.quick ? 3 : 11,
      warmUps: bench.quick ? 1 : 2,
    });
    const id = method === 'runPeek' ? 'overhead.metrics.peek' : 'overhead.metrics.get';
    const comparison = { section: SECTION, id, unit: 'ns', better: 'lower' as const, measured };
    rows.push(...measuredRows(comparison), ...ratioRow(comparison, { against: [WITHOUT], bound: 1.2, as: 'time' }));
  }
  return rows;
}

export const overhead: Section = { name: SECTION, about: 'what metrics cost on the way of a hit', run };
