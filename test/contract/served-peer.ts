import type { Clock } from '../../src/core/clock.js';
import type { CacheError } from '../../src/core/errors.js';
import type { Floor } from '../../src/core/floors.js';
import type { GossipReply, GossipRequest } from '../../src/peer/gossip.js';
import { handOver } from '../../src/peer/handover.js';
import type { HandoverPage, HandoverRequest } from '../../src/peer/handover-format.js';
import type { LeaseQuestion, LeaseReply } from '../../src/peer/lease-wire.js';
import { answerBatch, type PeerService } from '../../src/peer/peer-service.js';
import { SlabPeerStore } from '../../src/peer/slab-store.js';
import type { FloorList, Gossiped, Hello } from '../../src/peer/transport.js';
import type { BatchRequest } from '../../src/peer/wire.js';
import { ANSWER } from './gossip-sample.js';

const STORE_BYTES = 64 * 1_048_576;

/** A peer with a real store that remembers what it was asked. */
export class ServedPeer implements PeerService {
  readonly store: SlabPeerStore;
  readonly batches: BatchRequest[] = [];
  readonly words: LeaseQuestion[] = [];
  readonly asked: Gossiped<GossipRequest>[] = [];
  readonly raised: Floor[] = [];
  readonly handovers: HandoverRequest[] = [];
  readonly hot = new Set<string>();
  refusal: CacheError | undefined;

  constructor(clock: Clock) {
    this.store = new SlabPeerStore(clock, STORE_BYTES);
  }

  batch(request: BatchRequest) {
    this.batches.push(request);
    return answerBatch(this.store, this, request, undefined, { note: (key) => this.hot.has(key) });
  }

  answer(question: LeaseQuestion): LeaseReply {
    this.words.push(question);
    return question.verb === 'acquire' ? { kind: 'busy', leftMs: this.words.length } : { kind: 'noted' };
  }

  hello(): Hello {
    return {
      node: { id: '0000000000ab', address: '127.0.0.1:1', weight: 1 },
      epoch: '0123456789abcdef',
      floors: 'ab.0',
      members: [{ id: '0000000000cd', address: '127.0.0.1:2', weight: 1, status: 'suspect' }],
    };
  }

  async gossip(said: Gossiped<GossipRequest>): Promise<Gossiped<GossipReply>> {
    this.asked.push(said);
    return { floors: 'ab.0', message: ANSWER };
  }

  handover(request: HandoverRequest): HandoverPage {
    this.handovers.push(request);
    return handOver(this.store, { has: (bucket) => bucket % 2 === 0 }, request, this.epoch());
  }

  epoch(): string {
    return this.hello().epoch;
  }

  floors(after: string | undefined): FloorList {
    return { mark: `ab.${this.raised.length}`, floors: this.raised.slice(Number(after?.split('.')[1] ?? 0)) };
  }

  takeFloors(floors: readonly Floor[]): void {
    if (this.refusal !== undefined) throw this.refusal;
    this.raised.push(...floors);
  }
}
