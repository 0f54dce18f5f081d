/** The process that asks the owner of L3. */
import { zipfOrder } from '../data/zipf.js';
import { closedLoop, type OpenLoopResult, openLoop } from '../harness/load.js';
import { type OwnerPlace, type PeerSubjectName, peerClients } from '../subjects/peer-clients.js';

export interface PeerClientOptions {
  readonly subject: PeerSubjectName;
  readonly owner: OwnerPlace;
  readonly keys: number;
  readonly seed: number;
}

const ORDER_LENGTH = 1 << 18;

export async function open({ subject, owner, keys, seed }: PeerClientOptions) {
  const client = await peerClients[subject](owner, keys);
  const order = zipfOrder(keys, ORDER_LENGTH, seed);
  const placeOf = (n: number): number => order[n & (ORDER_LENGTH - 1)] as number;
  const at = (place: number): number => client.vehicles[place % keys] as number;
  return {
    /** Reads per second. */
    runGet: (inFlight: number, ms: number): Promise<number> =>
      closedLoop(inFlight, ms, (n) => client.get(at(placeOf(n)))),
    /** Keys per second, asked for so many at a time: different ones, for what is asked twice is asked once. */
    async runGetMany(size: number, inFlight: number, ms: number): Promise<number> {
      const batches = await closedLoop(inFlight, ms, (n) =>
        client.getMany(Array.from({ length: size }, (_, i) => at(placeOf(n) + i * 7))),
      );
      return batches * size;
    },
    /** Reads by the clock. */
    runOpenGet: (perSecond: number, ms: number): Promise<OpenLoopResult> =>
      openLoop(perSecond, ms, (n) => client.get(at(placeOf(n)))),
    close: () => client.close(),
  };
}
