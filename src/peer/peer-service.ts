import type { Floor } from '../core/floors.js';
import { bucketOf } from '../core/key.js';
import type { Doubts } from './doubts.js';
import type { GossipReply, GossipRequest } from './gossip.js';
import type { HandoverPage, HandoverRequest } from './handover-format.js';
import type { HotReads } from './hot-reads.js';
import type { LeaseQuestion, LeaseReply } from './lease-wire.js';
import { BATCH_BYTES_MAX } from './limits.js';
import type { PeerStore, StoredEntry } from './peer-store.js';
import type { FloorList, Gossiped, Hello } from './transport.js';
import type { BatchReply, BatchRequest, WireRead } from './wire.js';

/** What a node answers to others, whatever way the question came. */
export interface PeerService {
  /** From the own store, and never by asking further: a request hops once. */
  batch(request: BatchRequest): BatchAnswer;
  hello(): Hello;
  handover(request: HandoverRequest): HandoverPage;
  gossip(said: Gossiped<GossipRequest>): Promise<Gossiped<GossipReply>>;
  /** Of the placement by which this node finds owners. */
  epoch(): string;
  floors(after: string | undefined): FloorList;
  /** @throws CacheError `level-failed` when the sender's clock is too far ahead to be followed */
  takeFloors(floors: readonly Floor[]): void;
}

/** Its reads lie where they are kept: encode it before anything else is written there. */
export interface BatchAnswer extends BatchReply<StoredEntry> {
  /** Places of the reads whose keys are asked for often, and are here beyond doubt. */
  readonly hot: readonly number[];
}

/** Whoever knows what an owner has to say about leases. */
export interface LeaseCounter {
  answer(question: LeaseQuestion): LeaseReply;
}

/** Answers a batch from a store. What does not fit into one reply is put off: the other side asks again. */
export function answerBatch(
  store: PeerStore,
  counter: LeaseCounter,
  { reads, writes, leases }: BatchRequest,
  doubts?: Pick<Doubts, 'has' | 'size'>,
  hotReads?: HotReads,
): BatchAnswer {
  // Writes first: who asks for both in one request wants to read what it wrote, and be told of it.
  const outcomes = writes.map(({ key, bytes, mode }) => store.write(key, bytes, mode));
  const replies = leases.map((question) => counter.answer(question));
  const isSure = doubts === undefined || doubts.size === 0;
  let room = BATCH_BYTES_MAX;
  const hot: number[] = [];
  const answers = reads.map((key, place): WireRead<StoredEntry> => {
    if (room <= 0) return 'later';
    const entry = store.find(key);
    if (entry === undefined) return 'miss';
    room -= entry.length;
    if (!isSure && doubts.has(bucketOf(key))) return { doubted: entry };
    if (hotReads?.note(key) === true) hot.push(place);
    return entry;
  });
  return { reads: answers, writes: outcomes, leases: replies, hot };
}
