import { type Call, waitWithin } from '../core/call.js';
import type { Cancel, Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { GossipReply, GossipRequest } from './gossip.js';
import type { MembershipEvent, Send } from './membership-events.js';
import type { MembershipProfile } from './membership-profile.js';
import type { PeerCluster } from './peer-cluster.js';
import type { Gossiped, PeerTransport } from './transport.js';

export interface MembershipDriverParts {
  readonly clock: Clock;
  readonly cluster: PeerCluster;
  readonly profile: MembershipProfile;
  readonly transport: Pick<PeerTransport, 'gossip'>;
  /** How far the log of floors of this node goes. */
  mark(): string;
  /** Fetches the floors that the node at an address has logged, up to its mark; rejects when they cannot be had. */
  catchUp(address: string, mark: string, call: Call): Promise<void>;
  readonly onError: (error: Error) => void;
}

/** Members that are tried for others at a time; who asks for more is told that it failed. */
const RELAYS_MAX = 32;
/** How often one member is asked for all that it knows because an answer of it came out of another epoch. */
const LEARN_EVERY_MS = 250;

/** Asks the questions of the membership, tells it the answers and the time, and answers those of others. */
export class MembershipDriver {
  readonly #parts: MembershipDriverParts;
  /** The codes of the errors that were reported of an address since it last answered. */
  readonly #reported = new Map<string, Set<string>>();
  /** Addresses whose floors are being fetched. */
  readonly #catchingUp = new Set<string>();
  /** By address: until when no more is to be learned there, and what is being learned. */
  readonly #learning = new Map<string, { readonly untilMs: number; readonly done: Promise<void> }>();
  #relays = 0;
  #cancel: Cancel | undefined;
  #closed = false;

  constructor(parts: MembershipDriverParts) {
    this.#parts = parts;
  }

  /** Resolves when the seeds have answered or had their time to; then goes on by itself. */
  async start(): Promise<void> {
    await this.handle({ kind: 'start' });
  }

  /** Takes note of something; resolves when what this made necessary to ask has been answered. */
  async handle(event: MembershipEvent): Promise<void> {
    if (this.#closed) return;
    const sends = this.#parts.cluster.handle(event);
    this.#scheduleNext();
    await Promise.all(sends.map((send) => this.#ask(send)));
  }

  /** Answers a question of another node. */
  async answer({ message, floors }: Gossiped<GossipRequest>): Promise<Gossiped<GossipReply>> {
    const { cluster, mark } = this.#parts;
    const { reply, sends } = cluster.answer(message);
    this.#scheduleNext();
    for (const send of sends) void this.#ask(send);
    this.#followFloors(message.from.address, floors);
    if (message.kind !== 'relay') return { message: reply, floors: mark() };
    const isWell = await this.#try(message.target ?? '');
    return { message: cluster.membership.reply(isWell ? 'ack' : 'nack'), floors: mark() };
  }

  /** An answer came out of another epoch: resolves when this node knows what its sender knows. */
  learnFrom(address: string): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    const learning = this.#learning.get(address);
    if (learning !== undefined && learning.untilMs > nowMs) return learning.done;
    const done = this.handle({ kind: 'differs', address });
    this.#learning.set(address, { untilMs: nowMs + LEARN_EVERY_MS, done });
    this.#parts.clock.schedule(LEARN_EVERY_MS, () => this.#learning.delete(address));
    return done;
  }

  /** Resolves when whatever is being learned is known, or the call is over. Never rejects. */
  async learned(call: Call): Promise<void> {
    if (this.#learning.size === 0) return;
    const all = Promise.all([...this.#learning.values()].map(({ done }) => done));
    await waitWithin(this.#parts.clock, call, 'the members', all).catch(() => {});
  }

  forget(address: string): void {
    this.#learning.delete(address);
    this.#reported.delete(address);
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #scheduleNext(): void {
    const { clock, cluster } = this.#parts;
    this.#cancel?.();
    if (this.#closed) return;
    const delayMs = Math.max(0, cluster.membership.wakeAtMs - clock.monotonicMs());
    this.#cancel = clock.schedule(delayMs, () => void this.handle({ kind: 'tick' }));
  }

  async #ask({ ref, to, request, timeoutMs }: Send): Promise<void> {
    const { clock, transport, catchUp, mark } = this.#parts;
    const call: Call = { deadlineAtMs: clock.monotonicMs() + timeoutMs, signal: undefined, reason: 'probe' };
    let answered: MembershipEvent;
    try {
      const { message, floors } = await transport.gossip(to, { message: request, floors: mark() }, call);
      // Before it counts as there: what it keeps may lie below floors that only it knows.
      if (message.from.id !== this.#parts.cluster.self.id) await catchUp(to, floors, call);
      this.#reported.delete(to);
      answered = { kind: 'replied', ref, reply: message };
    } catch (thrown) {
      this.#report(to, toError(thrown));
      answered = { kind: 'failed', ref };
    }
    // What this makes necessary is nobody's wait.
    void this.handle(answered);
  }

  async #try(target: string): Promise<boolean> {
    const { clock, cluster, profile, transport, mark } = this.#parts;
    if (cluster.membership.table.at(target) === undefined || this.#relays >= RELAYS_MAX) return false;
    const call: Call = { deadlineAtMs: clock.monotonicMs() + profile.probeMs, signal: undefined, reason: 'probe' };
    this.#relays += 1;
    try {
      await transport.gossip(target, { message: cluster.membership.ping(), floors: mark() }, call);
      return true;
    } catch {
      return false;
    } finally {
      this.#relays -= 1;
    }
  }

  #followFloors(address: string, mark: string): void {
    const { clock, cluster, catchUp } = this.#parts;
    if (this.#catchingUp.has(address) || cluster.membership.table.at(address) === undefined) return;
    this.#catchingUp.add(address);
    const call: Call = { deadlineAtMs: clock.monotonicMs() + 1_000, signal: undefined, reason: 'probe' };
    void catchUp(address, mark, call)
      .catch((thrown) => this.#report(address, toError(thrown)))
      .finally(() => this.#catchingUp.delete(address));
  }

  /** Each kind of error once for each address, until it answers again. */
  #report(address: string, error: Error): void {
    const code = error instanceof CacheError ? error.code : error.name;
    const codes = this.#reported.get(address) ?? new Set();
    if (this.#closed || codes.has(code)) return;
    this.#reported.set(address, codes.add(code));
    this.#parts.onError(error);
  }
}
