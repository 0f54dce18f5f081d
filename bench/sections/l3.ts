import { measuredRows, ratioRow } from '../harness/comparison.js';
import { type Contender, playRounds } from '../harness/rounds.js';
import { OURS, type Row } from '../row.js';
import type { Bench, Section } from '../section.js';
import type { PeerSubjectName } from '../subjects/peer-clients.js';
import type { TaskOf } from '../tasks.js';
import type { Worker } from '../worker.js';

const SECTION = 'l3';
const SUBJECTS: readonly PeerSubjectName[] = [OURS, 'undici request', 'framed TCP'];
const IN_FLIGHT = 64;
const BATCH = 50;
const BATCHES_IN_FLIGHT = 4;

type ClientWorker = Worker<TaskOf<'peer-client'>>;

/** The owner and the one who asks, each in its process. */
export async function openPeerPair(bench: Bench, subject: PeerSubjectName, keys: number): Promise<ClientWorker> {
  const owner = await bench.open('peer-owner', { subject, keys }, { name: `${subject} owner` });
  const place = await owner.call('place');
  return bench.open('peer-client', { subject, owner: place, keys, seed: bench.seed }, { name: subject });
}

async function run(bench: Bench): Promise<Row[]> {
  const keys = bench.quick ? 2_000 : 100_000;
  const ms = bench.quick ? 150 : 1_000;
  const opened = SUBJECTS.filter((subject) => bench.wants(subject)).map(
    async (subject): Promise<[PeerSubjectName, ClientWorker]> => [subject, await openPeerPair(bench, subject, keys)],
  );
  const workers = new Map(await Promise.all(opened));
  const play = (one: (worker: ClientWorker) => Promise<number>) =>
    playRounds(
      bench,
      [...workers].map(([subject, worker]): Contender => ({ subject, run: () => one(worker) })),
      { rounds: bench.quick ? 2 : 7, warmUps: 1 },
    );
  const common = { section: SECTION, unit: '/s', better: 'higher' as const };
  const get = { ...common, id: 'l3.get', measured: await play((worker) => worker.call('runGet', IN_FLIGHT, ms)) };
  const measured = await play((worker) => worker.call('runGetMany', BATCH, BATCHES_IN_FLIGHT, ms));
  const many = { ...common, id: 'l3.getMany', unit: 'keys/s', measured };
  return [
    ...[get, many].flatMap(measuredRows),
    ...ratioRow(get, { against: ['undici request'], bound: 3, note: `${IN_FLIGHT} in flight` }),
    ...ratioRow(get, { against: ['framed TCP'], bound: 0.7 }),
    ...ratioRow(many, { against: ['framed TCP'], bound: 0.7, note: `${BATCH} keys at a time` }),
  ];
}

export const l3: Section = { name: SECTION, about: 'one peer, two processes: reads and batches', run };
