import { type Contender, playRounds } from '../harness/rounds.js';
import { ratioOf, spreadOf } from '../harness/statistics.js';
import { boundedRow, OURS, type Row } from '../row.js';
import type { Bench } from '../section.js';

const BYTES_MAX = 2 ** 32;
const GROWTH_MAX = 2;
/** A million decoded locations do not fit in the heap that Node takes by itself. */
const NODE_OPTIONS = ['--max-old-space-size=8192'];

/** What a hit and a miss cost by how many there are. */
export async function measureScale(bench: Bench, section: string): Promise<Row[]> {
  const sizes = bench.quick ? [1_000, 10_000] : [10_000, 100_000, 1_000_000];
  const ms = bench.quick ? 50 : 400;
  const { seed, quick } = bench;
  const workers = await Promise.all(
    sizes.map(async (keys) => {
      const options = { subject: OURS, keys, maxEntries: keys, maxBytes: BYTES_MAX, seed, quick } as const;
      const settings = { name: `${OURS} of ${keys}`, nodeOptions: NODE_OPTIONS };
      return { keys, worker: await bench.open('local-cache', options, settings) };
    }),
  );
  for (const { worker } of workers) await worker.call('fill');
  const rows: Row[] = [];
  for (const method of ['runPeek', 'runMiss'] as const) {
    const contenders = workers.map(
      ({ keys, worker }): Contender => ({ subject: String(keys), run: () => worker.call(method, ms) }),
    );
    const measured = await playRounds(bench, contenders, { rounds: bench.quick ? 2 : 7, warmUps: bench.quick ? 1 : 2 });
    const id = method === 'runPeek' ? 'scale.keys.hit' : 'scale.keys.miss';
    const row = { section, id, subject: OURS, better: 'lower' as const };
    for (const [keys, values] of measured) rows.push({ ...row, unit: 'ns', note: `${keys} keys`, ...spreadOf(values) });
    const [first = [], last = []] = [sizes[0], sizes.at(-1)].map((keys) => measured.get(String(keys)));
    const note = `${sizes.at(-1)} keys against ${sizes[0]}`;
    rows.push(boundedRow({ ...row, unit: 'x', ...ratioOf(last, first), bound: GROWTH_MAX, note }));
  }
  await Promise.all(workers.map(({ worker }) => worker.stop()));
  return rows;
}
