import { Pool } from 'undici';
import { type Call, waitWithin } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import type { Entry } from '../core/entry.js';
import { CacheError, toError } from '../core/errors.js';
import type { Floor } from '../core/floors.js';
import type { WriteOutcome } from '../core/outcome.js';
import { Batcher, type Sent } from './batcher.js';
import { formatFloors, parseFloorList } from './control-format.js';
import type { DriftGate } from './drift.js';
import type { GossipReply, GossipRequest } from './gossip.js';
import { formatGossip, parseGossipReply } from './gossip-format.js';
import { decodePage, formatHandover, type HandoverPage, type HandoverRequest } from './handover-format.js';
import { exchange, type HttpReply } from './http-exchange.js';
import type { LeaseQuestion } from './lease-wire.js';
import { EPOCH_HEADER, HOPS_HEADER, REPLY_BYTES_MAX, REQUEST_MAX_MS } from './limits.js';
import { hostHeaderOf } from './request-signature.js';
import { RequestSigner, type UnsignedRequest } from './request-signer.js';
import type { FloorList, Gossiped, LeaseOutcome, PeerRead, PeerTransport, TakeRead } from './transport.js';
import type { WireWrite } from './wire.js';

export interface HttpTransportOptions {
  readonly clock: Clock;
  readonly chance: Chance;
  /** Signed with. */
  readonly secret: string;
  readonly drift: DriftGate;
  /** Told when something that a peer answered is refused for its clock. */
  readonly onDrift?: (address: string) => void;
  /** Told of every reply, whatever it says and whoever waits for it. */
  readonly onReply?: (address: string) => void;
  /** Told when a peer could not be reached at all, or took too long, whoever asked. */
  readonly onUnreachable?: (address: string) => void;
  /** Of the placement by which this node finds owners. */
  readonly epoch?: () => string;
  /** Told when a peer answers out of another epoch. */
  readonly onEpoch?: (address: string) => void;
}

/** Two for batches; the others so that gossip does not wait behind them. */
const CONNECTIONS_MAX = 4;
/** Below what the server waits (30 s): the side that sends must be the first to give up an idle connection. */
const KEEP_ALIVE_MS = 20_000;
/** Requests besides batches that may be under way to one peer. */
const CONTROL_MAX = 64;
/** How long requests under way may take to end when the transport is closed. */
const CLOSE_MAX_MS = 1_000;

/** Asks other nodes over HTTP/1.1: a few kept connections per peer, reads and writes in adaptive batches. */
export class HttpPeerTransport implements PeerTransport {
  readonly #options: HttpTransportOptions;
  readonly #signer: RequestSigner;
  readonly #peers = new Map<string, HttpPeer>();
  #closed = false;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
    this.#signer = new RequestSigner(options.secret, options.clock, options.chance);
  }

  read(address: string, keys: readonly string[], call: Call, take?: TakeRead): Promise<readonly PeerRead[]> {
    if (this.#closed) return Promise.resolve(keys.map(() => ({ kind: 'failed', error: closedError() })));
    return this.#peer(address).batcher.read(keys, call, take);
  }

  write(address: string, writes: readonly WireWrite[], call: Call): Promise<readonly WriteOutcome[]> {
    if (this.#closed) return Promise.resolve(writes.map(() => ({ kind: 'failed', error: closedError() })));
    return this.#peer(address).batcher.write(writes, call);
  }

  lease(address: string, questions: readonly LeaseQuestion[], call: Call): Promise<readonly LeaseOutcome[]> {
    if (this.#closed) return Promise.resolve(questions.map(() => ({ kind: 'failed', error: closedError() })));
    return this.#peer(address).batcher.lease(questions, call);
  }

  async gossip(address: string, said: Gossiped<GossipRequest>, call: Call): Promise<Gossiped<GossipReply>> {
    const headers = { 'content-type': 'application/json' };
    const body = formatGossip(said);
    const request = { method: 'POST', path: '/internal/cache/gossip', headers, body } as const;
    const askedAtMs = this.#options.clock.wallMs();
    const { body: answer, time } = await this.#control(address, call, request);
    this.#checked(address, (drift) => drift.checkAnswered(Number(time), askedAtMs));
    return parseGossipReply(answer.toString('utf8'));
  }

  async handover(address: string, handover: HandoverRequest, call: Call): Promise<HandoverPage> {
    const headers = { 'content-type': 'application/json' };
    const body = formatHandover(handover);
    const request = { method: 'POST', path: '/internal/cache/handover', headers, body } as const;
    const page = decodePage((await this.#control(address, call, request)).body);
    this.#checked(address, (drift) => {
      for (const { bytes } of page.entries) drift.checkEncoded(bytes);
      for (const { marks } of page.buckets) {
        drift.checkReading(marks.fence);
        drift.checkReading(marks.fillStart);
      }
    });
    return page;
  }

  async floors(address: string, mark: string | undefined, call: Call): Promise<FloorList> {
    const path = mark === undefined ? '/internal/cache/floors' : `/internal/cache/floors?after=${mark}`;
    const { body } = await this.#control(address, call, { method: 'GET', path });
    const list = parseFloorList(body.toString('utf8'));
    this.#checked(address, (drift) => {
      for (const { hlc } of list.floors) drift.checkReading(hlc);
    });
    return list;
  }

  async raise(address: string, floors: readonly Floor[], call: Call): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    const body = formatFloors(floors);
    await this.#control(address, call, { method: 'POST', path: '/internal/cache/floors', headers, body });
  }

  forget(address: string): void {
    const peer = this.#peers.get(address);
    if (peer === undefined) return;
    this.#peers.delete(address);
    void peer.close(this.#options.clock);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const peers = [...this.#peers.values()];
    this.#peers.clear();
    await Promise.all(peers.map((peer) => peer.close(this.#options.clock)));
  }

  #control(address: string, call: Call, request: ControlRequest): Promise<HttpReply> {
    if (this.#closed) return Promise.reject(closedError());
    return waitWithin(this.#options.clock, call, peerName(address), this.#peer(address).control(request));
  }

  #peer(address: string): HttpPeer {
    let peer = this.#peers.get(address);
    if (peer === undefined) {
      peer = new HttpPeer(address, this.#options, this.#signer, (entry) =>
        this.#checked(address, (drift) => drift.checkEntry(entry)),
      );
      this.#peers.set(address, peer);
    }
    return peer;
  }

  /** @throws DriftError when `check` does */
  #checked(address: string, check: (drift: DriftGate) => void): void {
    try {
      check(this.#options.drift);
    } catch (thrown) {
      this.#options.onDrift?.(address);
      throw thrown;
    }
  }
}

type ControlRequest = Omit<UnsignedRequest, 'headers' | 'body'> & {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

const BATCH_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'application/octet-stream',
  [HOPS_HEADER]: '1',
};

/** The connections to one peer. */
class HttpPeer {
  readonly batcher: Batcher;
  readonly #address: string;
  readonly #options: HttpTransportOptions;
  readonly #pool: Pool;
  readonly #signer: RequestSigner;
  readonly #host: string;
  #controls = 0;

  constructor(address: string, options: HttpTransportOptions, signer: RequestSigner, check: (entry: Entry) => void) {
    this.#address = address;
    this.#options = options;
    this.#signer = signer;
    this.#host = hostHeaderOf(address);
    this.#pool = new Pool(`http://${address}`, {
      connections: CONNECTIONS_MAX,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      // Ours, for every request as a whole, is the timeout; undici's know only parts of one.
      headersTimeout: 0,
      bodyTimeout: 0,
      connectTimeout: REQUEST_MAX_MS,
      maxResponseSize: REPLY_BYTES_MAX,
    });
    const send = async (body: Uint8Array): Promise<Sent> => {
      const headers =
        options.epoch === undefined ? BATCH_HEADERS : { ...BATCH_HEADERS, [EPOCH_HEADER]: options.epoch() };
      const reply = await this.#ask({ method: 'POST', path: '/internal/cache/batch', headers, body });
      if (reply.epoch === undefined) return reply;
      options.onEpoch?.(address);
      // Who places by other members may have been passed by: what it says is to be used once.
      return { body: reply.body, hot: undefined };
    };
    this.batcher = new Batcher(options.clock, peerName(address), send, check);
  }

  async control({ headers, ...request }: ControlRequest): Promise<HttpReply> {
    if (this.#controls >= CONTROL_MAX) {
      throw new CacheError('overloaded', `${CONTROL_MAX} requests to ${peerName(this.#address)} are under way already`);
    }
    this.#controls += 1;
    try {
      return await this.#ask({ ...request, headers: { ...headers, [HOPS_HEADER]: '1' } });
    } finally {
      this.#controls -= 1;
    }
  }

  /** Ends what is under way within a bound, and the connections with it. */
  async close(clock: Clock): Promise<void> {
    const cancel = clock.schedule(CLOSE_MAX_MS, () => void this.#pool.destroy(closedError()));
    await this.#pool.close();
    cancel();
  }

  /** Takes its own time, not that of a caller: what is too slow for an impatient one says nothing about the peer. */
  async #ask(request: UnsignedRequest): Promise<HttpReply> {
    const headers = this.#signer.sign(this.#host, request);
    let reply: HttpReply;
    try {
      reply = await exchange(this.#pool, this.#options.clock, { ...request, headers }, REQUEST_MAX_MS);
    } catch (thrown) {
      const error = toError(thrown);
      // A CacheError is our own doing: the transport was closed.
      if (!(error instanceof CacheError)) this.#options.onUnreachable?.(this.#address);
      throw unreachable(this.#address, error);
    }
    this.#options.onReply?.(this.#address);
    if (reply.status !== 200) throw refusal(this.#address, reply);
    return reply;
  }
}

function unreachable(address: string, cause: Error): CacheError {
  return new CacheError('level-failed', `${peerName(address)} cannot be reached: ${reasonOf(cause)}`, { cause });
}

function refusal(address: string, { status, body }: HttpReply): CacheError {
  const name = peerName(address);
  const { code, message } = errorOf(body);
  if (status === 401 && code === 'unauthorized') {
    return new CacheError('unauthorized', `${name} does not accept our secret: both nodes need the same peers.secret`, {
      field: 'peers.secret',
    });
  }
  const why = `${name} answered ${status}: ${message}`;
  return new CacheError(status === 503 ? 'overloaded' : 'level-failed', why);
}

/** What the other side says is wrong; a reply that is not ours is not repeated in full. */
function errorOf(body: Buffer): { readonly code: unknown; readonly message: string } {
  const text = body.toString('utf8', 0, 1_024);
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } };
    return { code: error?.code, message: typeof error?.message === 'string' ? error.message : text.slice(0, 120) };
  } catch {
    return { code: undefined, message: text.slice(0, 120) };
  }
}

function reasonOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

function peerName(address: string): string {
  return `peer ${address}`;
}

function closedError(): CacheError {
  return new CacheError('closed', 'the peer transport is closed');
}
