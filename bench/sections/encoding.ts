import { measuredRows } from '../harness/comparison.js';
import { type Measured, playRounds } from '../harness/rounds.js';
import { ratioOf } from '../harness/statistics.js';
import { OURS, type Row } from '../row.js';
import type { Bench, Section } from '../section.js';

const SECTION = 'encoding';
const COMPRESSED = `${OURS}, compressed`;
const SUBJECTS = [OURS, COMPRESSED] as const;
const SIZES_KIB = [1, 4, 16, 64];

/** What compression costs and saves, by the size of a value. It is off unless somebody turns it on. */
async function run(bench: Bench): Promise<Row[]> {
  const ms = bench.quick ? 10 : 200;
  const rounds = bench.quick ? 3 : 11;
  const sizesBytes = SIZES_KIB.map((kib) => kib * 1_024);
  const workers = await Promise.all(
    SUBJECTS.map(async (subject) => {
      const isCompressed = subject === COMPRESSED;
      return { subject, worker: await bench.open('encoding', { isCompressed, sizesBytes }, { name: subject }) };
    }),
  );
  const rows: Row[] = [];
  for (const sizeBytes of sizesBytes) {
    const size = `${sizeBytes / 1_024}KiB`;
    const measures = [
      { id: 'encoding.encode', unit: 'ns', method: 'runEncode', rounds, warmUps: 2 },
      { id: 'encoding.decode', unit: 'ns', method: 'runDecode', rounds, warmUps: 2 },
      { id: 'encoding.size', unit: 'B', method: 'keptBytes', rounds: 1, warmUps: 0 },
    ] as const;
    for (const { id, unit, method, ...times } of measures) {
      const contenders = workers.map(({ subject, worker }) => ({
        subject,
        run: () => (method === 'keptBytes' ? worker.call(method, sizeBytes) : worker.call(method, sizeBytes, ms)),
      }));
      const measured = await playRounds(bench, contenders, times);
      const comparison = { section: SECTION, id: `${id}.${size}`, unit, better: 'lower' as const, measured };
      rows.push(...measuredRows(comparison), shareRow(comparison.id, measured));
    }
  }
  return rows;
}

/** How many times what is measured is what it is without compression. */
function shareRow(id: string, measured: Measured): Row {
  const [plain, compressed] = SUBJECTS.map((subject) => measured.get(subject) ?? []) as [number[], number[]];
  const ratio = ratioOf(compressed, plain);
  return { section: SECTION, id, subject: COMPRESSED, against: OURS, unit: 'x', better: 'lower', ...ratio };
}

export const encoding: Section = {
  name: SECTION,
  about: 'what compression costs and saves, by the size of a value',
  run,
};
