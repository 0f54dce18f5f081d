import { Histogram } from '../../src/metrics/histogram.js';
import { boundedRow, OURS, type Row } from '../row.js';
import type { Bench, Section, WalLevel } from '../section.js';

const SECTION = 'changes';
const WAL_LEVELS: readonly WalLevel[] = ['logical', 'replica'];
/** What is promised of staleness inside a city; of what others write, it is what we hold ourselves to. */
const STALE_MAX_MS = 1_000;

async function rowsOf(bench: Bench, wal: WalLevel): Promise<Row[]> {
  const [redis, postgres] = await Promise.all([bench.redis(), bench.postgres(wal)]);
  const task = await bench.open('change-feed', { redis, postgres, prefix: `changes-${wal}:` }, { name: OURS });
  const writes = bench.quick ? 5 : 300;
  const stale = new Histogram();
  // The first ones find a reader that is only beginning.
  for (let n = 0; n < 3; n++) await task.call('write');
  for (let n = 0; n < writes; n++) {
    bench.signal.throwIfAborted();
    for (const ms of await task.call('write')) stale.record(ms);
  }
  const transport = await task.call('transport');
  await task.stop();
  const [p50 = Number.NaN, p99 = Number.NaN] = [stale.quantile(0.5), stale.quantile(0.99)];
  const note = `from a commit of somebody else to the last stale read, ${writes} commits, three nodes that read all the time`;
  const row = { section: SECTION, subject: OURS, unit: 'ms', better: 'lower' as const };
  return [
    { ...row, id: `changes.${transport}.p50`, value: p50, note },
    boundedRow({ ...row, id: `changes.${transport}.p99`, value: p99, bound: STALE_MAX_MS }),
  ];
}

async function run(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const wal of WAL_LEVELS) rows.push(...(await rowsOf(bench, wal)));
  return rows;
}

export const changes: Section = {
  name: SECTION,
  about: 'how long reads are stale after somebody else has written to the database: by replication, by the outbox',
  run,
};
