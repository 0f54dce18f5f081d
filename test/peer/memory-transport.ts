import { type Call, waitWithin } from '../../src/core/call.js';
import type { Clock } from '../../src/core/clock.js';
import { CacheError } from '../../src/core/errors.js';
import type { Floor } from '../../src/core/floors.js';
import type { WriteOutcome } from '../../src/core/outcome.js';
import { Batcher } from '../../src/peer/batcher.js';
import { formatFloorList, formatFloors, parseFloorList, parseFloors } from '../../src/peer/control-format.js';
import type { GossipReply, GossipRequest } from '../../src/peer/gossip.js';
import { formatGossip, parseGossipReply, parseGossipRequest } from '../../src/peer/gossip-format.js';
import {
  decodePage,
  encodePage,
  formatHandover,
  type HandoverPage,
  type HandoverRequest,
  parseHandover,
} from '../../src/peer/handover-format.js';
import { formatHot } from '../../src/peer/hot-reads.js';
import type { LeaseQuestion } from '../../src/peer/lease-wire.js';
import { REQUEST_MAX_MS } from '../../src/peer/limits.js';
import type { PeerService } from '../../src/peer/peer-service.js';
import type { FloorList, Gossiped, LeaseOutcome, PeerRead, PeerTransport, TakeRead } from '../../src/peer/transport.js';
import { decodeRequest, encodeReply, type WireWrite } from '../../src/peer/wire.js';

/** Nodes that reach each other without sockets: everything that HTTP does is left out, and nothing else. */
export class MemoryNetwork {
  readonly secret: string;
  readonly #services = new Map<string, PeerService | 'silent'>();
  #addresses = 0;

  constructor(secret: string) {
    this.secret = secret;
  }

  serve(service: PeerService | 'silent', address?: string): string {
    this.#addresses += 1;
    const at = address ?? `10.0.0.1:${this.#addresses}`;
    this.#services.set(at, service);
    return at;
  }

  leave(address: string): void {
    this.#services.delete(address);
  }

  /** Lets the service at `address` answer, some microtasks later, as a network would. */
  async ask<T>(address: string, secret: string, answer: (service: PeerService) => T | Promise<T>): Promise<T> {
    const service = this.#services.get(address);
    await Promise.resolve();
    if (service === undefined) throw new CacheError('level-failed', `peer ${address} cannot be reached`);
    if (service === 'silent') return new Promise<T>(() => {});
    if (secret !== this.secret) {
      throw new CacheError(
        'unauthorized',
        `peer ${address} does not accept our secret: both nodes need the same peers.secret`,
      );
    }
    return answer(service);
  }
}

/** One node's way into a `MemoryNetwork`. */
export class MemoryTransport implements PeerTransport {
  readonly #network: MemoryNetwork;
  readonly #clock: Clock;
  readonly #secret: string;
  readonly #batchers = new Map<string, Batcher>();
  readonly #closing = new AbortController();

  constructor(network: MemoryNetwork, clock: Clock, secret: string) {
    this.#network = network;
    this.#clock = clock;
    this.#secret = secret;
  }

  async read(address: string, keys: readonly string[], call: Call, take?: TakeRead): Promise<readonly PeerRead[]> {
    if (this.#closing.signal.aborted) return keys.map(() => ({ kind: 'failed', error: closedError() }));
    return this.#batcher(address).read(keys, call, take);
  }

  async write(address: string, writes: readonly WireWrite[], call: Call): Promise<readonly WriteOutcome[]> {
    if (this.#closing.signal.aborted) return writes.map(() => ({ kind: 'failed', error: closedError() }));
    return this.#batcher(address).write(writes, call);
  }

  async lease(address: string, questions: readonly LeaseQuestion[], call: Call): Promise<readonly LeaseOutcome[]> {
    if (this.#closing.signal.aborted) return questions.map(() => ({ kind: 'failed', error: closedError() }));
    return this.#batcher(address).lease(questions, call);
  }

  async gossip(address: string, said: Gossiped<GossipRequest>, call: Call): Promise<Gossiped<GossipReply>> {
    const question = formatGossip(said);
    const answer = await this.#ask(address, call, async (service) =>
      formatGossip(await service.gossip(parseGossipRequest(question))),
    );
    return parseGossipReply(answer);
  }

  async handover(address: string, request: HandoverRequest, call: Call): Promise<HandoverPage> {
    const question = formatHandover(request);
    return decodePage(
      await this.#ask(address, call, (service) => encodePage(service.handover(parseHandover(question)))),
    );
  }

  async floors(address: string, mark: string | undefined, call: Call): Promise<FloorList> {
    return parseFloorList(await this.#ask(address, call, (service) => formatFloorList(service.floors(mark))));
  }

  raise(address: string, floors: readonly Floor[], call: Call): Promise<void> {
    const said = formatFloors(floors);
    return this.#ask(address, call, (service) => service.takeFloors(parseFloors(said)));
  }

  forget(address: string): void {
    this.#batchers.delete(address);
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }

  async #ask<T>(address: string, call: Call, answer: (service: PeerService) => T | Promise<T>): Promise<T> {
    if (this.#closing.signal.aborted) throw closedError();
    const answered = this.#network.ask(address, this.#secret, answer);
    return waitWithin(this.#clock, call, `peer ${address}`, answered);
  }

  #batcher(address: string): Batcher {
    let batcher = this.#batchers.get(address);
    if (batcher === undefined) {
      batcher = new Batcher(this.#clock, `peer ${address}`, (body) => {
        const deadlineAtMs = this.#clock.monotonicMs() + REQUEST_MAX_MS;
        const call: Call = { deadlineAtMs, signal: this.#closing.signal, reason: 'read' };
        const copy = Uint8Array.from(body);
        return this.#ask(address, call, (service) => {
          const answer = service.batch(decodeRequest(copy));
          return { body: encodeReply(answer), hot: formatHot(answer.hot) };
        });
      });
      this.#batchers.set(address, batcher);
    }
    return batcher;
  }
}

function closedError(): CacheError {
  return new CacheError('closed', 'the transport is closed');
}
