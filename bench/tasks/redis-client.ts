/** One client of a Redis Cluster, in a process of its own. */
import { zipfOrder } from '../data/zipf.js';
import { closedLoop, type OpenLoopResult, openLoop } from '../harness/load.js';
import { type RemoteSettings, type RemoteSubjectName, remoteSubjects } from '../subjects/remote.js';

export interface RedisClientOptions extends RemoteSettings {
  readonly subject: RemoteSubjectName;
  readonly seed: number;
}

const ORDER_LENGTH = 1 << 18;
const FILL_BATCH = 500;

export async function open(options: RedisClientOptions) {
  const { keys, seed } = options;
  const subject = await remoteSubjects[options.subject](options);
  const order = zipfOrder(keys, ORDER_LENGTH, seed);
  const vehicleOf = (n: number): number => order[n & (ORDER_LENGTH - 1)] as number;
  return {
    async fill(): Promise<void> {
      for (let first = 0; first < keys; first += FILL_BATCH) {
        const length = Math.min(FILL_BATCH, keys - first);
        await subject.fill(Array.from({ length }, (_, i) => first + i));
      }
    },
    /** Reads per second. */
    runGet: (inFlight: number, ms: number): Promise<number> =>
      closedLoop(inFlight, ms, (n) => subject.get(vehicleOf(n))),
    /** Keys per second, asked for so many at a time: different ones, for what is asked twice is asked once. */
    async runGetMany(size: number, inFlight: number, ms: number): Promise<number> {
      const batches = await closedLoop(inFlight, ms, (n) =>
        subject.getMany(Array.from({ length: size }, (_, i) => (vehicleOf(n) + i * 7) % keys)),
      );
      return batches * size;
    },
    /** Writes per second. */
    runSet: (inFlight: number, ms: number): Promise<number> =>
      closedLoop(inFlight, ms, (n) => subject.set(vehicleOf(n))),
    /** Reads by the clock. */
    runOpenGet: (perSecond: number, ms: number): Promise<OpenLoopResult> =>
      openLoop(perSecond, ms, (n) => subject.get(vehicleOf(n))),
    close: () => subject.close(),
  };
}
