import type { Chance } from '../core/chance.js';
import { Contacts } from './contacts.js';
import type { GossipReply, GossipRequest } from './gossip.js';
import { isThere, type Member, type MemberRecord } from './member.js';
import { MemberTable } from './member-table.js';
import type { MembershipChange, MembershipEvent, Send } from './membership-events.js';
import {
  FANOUT,
  GOSSIPS_PER_PERIOD,
  HEALTH_MAX,
  type MembershipProfile,
  RECONNECT_PERIODS,
  RELAYS,
} from './membership-profile.js';
import { ProbeOrder, pick } from './probe-order.js';

export interface MembershipOptions {
  readonly self: Member;
  /** Larger than in any earlier life under the same id: the wall time of the start. */
  readonly incarnation: number;
  readonly seeds: readonly string[];
  readonly profile: MembershipProfile;
  readonly chance: Chance;
  /** Monotonic. */
  readonly nowMs: number;
}

/** A question under way. */
type Flight = { readonly address: string; readonly probe?: Probe; readonly by?: 'self' | 'relay' };

/** One attempt to find out whether a member is well: by ourselves, then through others. */
interface Probe {
  readonly id: string;
  readonly incarnation: number;
  endsAtMs: number;
  /** Questions of it under way. */
  open: number;
  relays: number;
  nacks: number;
  relayed: boolean;
}

/** Most questions under way; news beyond it waits for the next round. */
const FLIGHTS_MAX = 512;

/**
 * Who is there: SWIM (Das, Gupta, Motivala 2002) with Lifeguard (Dadgar, Phillips, Currey 2017). Pure: events and
 * instants go in, questions to ask and changes come out; `membership-driver.ts` asks the questions.
 *
 * Every period one member is asked whether it is well, in an order that reaches each within a round. If it does not
 * answer, a few others try it for us; if they fail too, it is suspect, and everybody hears of it. A suspect that hears
 * of it raises its incarnation and is well again; one that does not is down after a time that each confirmation
 * shortens. What is new travels with every question and answer, and on its own to a few at a time; who finds out, by a
 * digest, that the other knows something else exchanges everything with it.
 *
 * A node also asks itself whether it is the slow one: failed probes of which even the helpers say nothing, and
 * accusations against itself, make it more patient with others. One whose own loop stood still (frozen, or paused)
 * takes the time out of every account: it accuses nobody of what it slept through, and tells that it is well.
 */
export class Membership {
  readonly table: MemberTable;
  readonly #profile: MembershipProfile;
  readonly #chance: Chance;
  readonly #contacts: Contacts;
  readonly #order: ProbeOrder;
  readonly #flights = new Map<number, Flight>();
  readonly #probes = new Map<string, Probe>();
  readonly #unreached = new Set<string>();
  #sends: Send[] = [];
  #changes: MembershipChange[] = [];
  #refs = 0;
  #health = 0;
  /** Time during which this process did not run; all instants below leave it out. */
  #stalledMs = 0;
  #nextProbeMs: number;
  #nextGossipMs: number;
  #nextContactMs: number;
  /** When this process said that it would be back. */
  #promisedMs: number;
  #lastSyncMs = Number.NEGATIVE_INFINITY;

  constructor({ self, incarnation, seeds, profile, chance, nowMs }: MembershipOptions) {
    const record: MemberRecord = {
      ...self,
      status: 'up',
      incarnation,
      buried: 0,
      leaving: false,
      degraded: false,
      settled: '',
    };
    this.table = new MemberTable(record, profile);
    this.#profile = profile;
    this.#chance = chance;
    this.#contacts = new Contacts(self.address, seeds);
    this.#order = new ProbeOrder(chance);
    this.#nextProbeMs = nowMs + profile.periodMs * chance.next();
    this.#nextGossipMs = nowMs;
    this.#promisedMs = nowMs;
    this.#nextContactMs = nowMs + RECONNECT_PERIODS * profile.periodMs;
  }

  /** How slow this node takes itself for: 0 is well. */
  get health(): number {
    return this.#health;
  }

  /** Whether a member answered when it was last asked anything, as far as this node knows. */
  isReached(id: string): boolean {
    return this.#unreached.size === 0 || !this.#unreached.has(id);
  }

  /** The monotonic instant at which time alone changes something. */
  get wakeAtMs(): number {
    // A whole instant after it, so that no rounding lets it wake too early, again and again.
    return Math.floor(this.#promisedMs + this.#stalledMs) + 1;
  }

  takeChanges(): readonly MembershipChange[] {
    const changes = [...this.#changes, ...this.table.takeChanges()];
    this.#changes = [];
    return changes;
  }

  handle(event: MembershipEvent, atMs: number): readonly Send[] {
    const nowMs = this.#enter(atMs);
    switch (event.kind) {
      case 'start':
        for (const address of this.#contacts.untried(this.table)) this.#sync(address, nowMs);
        break;
      case 'tick':
        this.#tick(nowMs);
        break;
      case 'replied':
        this.#takeReply(event.ref, event.reply, nowMs);
        break;
      case 'failed':
        this.#takeFailure(event.ref, nowMs);
        break;
      case 'unreachable':
        this.#doubt(event.address, nowMs);
        break;
      case 'differs':
        this.#sync(event.address, nowMs);
        break;
      case 'discovered':
        for (const address of this.#contacts.discover(event.addresses, this.table)) this.#sync(address, nowMs);
        break;
      case 'announce':
        this.table.announce(event.change);
        this.#changes.push({ kind: 'changed', member: this.table.self });
        break;
      case 'depart':
        this.#depart();
        break;
    }
    return this.#leave(nowMs);
  }

  /** What this node answers to a question; a `relay` is answered by `ack` or `nack` when the target was tried. */
  answer(request: GossipRequest, atMs: number): { readonly reply: GossipReply; readonly sends: readonly Send[] } {
    const nowMs = this.#enter(atMs);
    const { from, records } = request;
    const known = this.table.get(from.id);
    // Who is not there, or suspect, is only believed to be well when it can be asked: it may be that it reaches others,
    // and nobody reaches it.
    if (known?.status === 'up') this.table.hear(from, 'news', from.id, nowMs);
    else this.#sync(from.address, nowMs);
    const how = request.kind === 'sync' ? 'table' : 'news';
    for (const record of records) {
      if (record.id !== from.id) this.table.hear(record, how, from.id, nowMs);
    }
    this.#noteHealth();
    const told =
      request.kind === 'sync' ? this.table.others() : [...this.table.news.take(this.#members()), ...this.#owed(from)];
    return { reply: this.reply('ack', told), sends: this.#leave(nowMs) };
  }

  /** A question of its own making, for a relay. */
  ping(records: readonly MemberRecord[] = []): GossipRequest {
    return { kind: 'ping', from: this.table.self, digest: this.table.digest(), records };
  }

  reply(kind: GossipReply['kind'], records: readonly MemberRecord[] = []): GossipReply {
    return { kind, from: this.table.self, digest: this.table.digest(), records };
  }

  /** @returns the time that counts: without what this process slept through */
  #enter(atMs: number): number {
    const nowMs = atMs - this.#stalledMs;
    const lateMs = nowMs - this.#promisedMs;
    if (lateMs <= this.#profile.stallMs) return nowMs;
    this.#stalledMs += lateMs;
    // What was asked before got no answer because nobody here took it.
    this.#flights.clear();
    this.#probes.clear();
    this.#unreached.clear();
    this.#feel(1);
    this.table.announce({});
    this.#changes.push({ kind: 'stalled', forMs: lateMs });
    const [other] = pick(this.table.there(), 1, this.#chance);
    if (other !== undefined) this.#sync(other.address, nowMs - lateMs);
    return nowMs - lateMs;
  }

  #dueMs(): number {
    let due = Math.min(this.#nextProbeMs, this.#nextContactMs, this.table.nextDownAtMs());
    for (const { endsAtMs } of this.#probes.values()) due = Math.min(due, endsAtMs);
    return this.table.news.empty ? due : Math.min(due, this.#nextGossipMs);
  }

  #tick(nowMs: number): void {
    const { periodMs } = this.#profile;
    this.table.expire(nowMs);
    for (const probe of [...this.#probes.values()]) if (probe.endsAtMs <= nowMs) this.#conclude(probe, nowMs);
    if (nowMs >= this.#nextProbeMs) {
      // A tenth either way, so that nodes that started together do not keep asking together.
      this.#nextProbeMs = nowMs + periodMs * (1 + this.#health) * (0.9 + 0.2 * this.#chance.next());
      const target = this.#order.next(this.table.there());
      if (target !== undefined) this.#probe(target, nowMs);
    }
    if (nowMs >= this.#nextContactMs) {
      this.#nextContactMs = nowMs + periodMs * RECONNECT_PERIODS * (0.9 + 0.2 * this.#chance.next());
      const gone = this.table.others().filter(({ status }) => status === 'down');
      for (const { address } of pick(gone, 1, this.#chance)) this.#sync(address, nowMs);
      for (const address of this.#contacts.next(this.table)) this.#sync(address, nowMs);
    }
    if (nowMs >= this.#nextGossipMs && !this.table.news.empty) {
      this.#nextGossipMs = nowMs + periodMs / GOSSIPS_PER_PERIOD;
      this.#gossip();
    }
  }

  /** Tells a few others what is new. With nobody there, there is nobody to tell. */
  #gossip(): void {
    const listeners = pick(this.table.there(), FANOUT, this.#chance);
    if (listeners.length === 0) {
      this.table.news.take(1);
      return;
    }
    for (const { address } of listeners) {
      const records = this.table.news.take(this.#members());
      if (records.length > 0) this.#send({ address }, this.ping(records), this.#profile.probeMs * (1 + this.#health));
    }
  }

  #probe({ id, incarnation, address }: MemberRecord, nowMs: number): void {
    if (this.#probes.has(id)) return;
    const { probeMs, relayMs } = this.#profile;
    const patience = 1 + this.#health;
    const probe: Probe = {
      id,
      incarnation,
      endsAtMs: nowMs + (probeMs + relayMs) * patience,
      open: 1,
      relays: 0,
      nacks: 0,
      relayed: false,
    };
    this.#probes.set(id, probe);
    const known = this.table.get(id) as MemberRecord;
    // Who is suspect is told so first, that it can refute in its answer.
    const records = [...this.table.news.take(this.#members()), ...(known.status === 'suspect' ? [known] : [])];
    this.#send({ address, probe, by: 'self' }, this.ping(records), probeMs * patience);
  }

  #relay(probe: Probe, address: string, nowMs: number): void {
    probe.relayed = true;
    const helpers = pick(
      this.table.there().filter(({ id, status }) => id !== probe.id && status === 'up' && this.isReached(id)),
      RELAYS,
      this.#chance,
    );
    probe.relays = helpers.length;
    probe.open += helpers.length;
    const request: GossipRequest = { ...this.ping(), kind: 'relay', target: address };
    for (const helper of helpers) {
      this.#send({ address: helper.address, probe, by: 'relay' }, request, probe.endsAtMs - nowMs);
    }
  }

  #conclude(probe: Probe, nowMs: number): void {
    this.#probes.delete(probe.id);
    // Helpers that are well say at least that they failed: when they do not, it is our line that is bad, or we.
    this.#feel(probe.relays > 0 ? probe.relays - probe.nacks : 1);
    this.table.accuse(probe.id, probe.incarnation, nowMs);
  }

  #takeReply(ref: number, reply: GossipReply, nowMs: number): void {
    const flight = this.#flights.get(ref);
    this.#flights.delete(ref);
    const { from, records } = reply;
    if (flight !== undefined) this.#contacts.answered(flight.address, from);
    this.#unreached.delete(from.id);
    this.table.hear(from, 'direct', from.id, nowMs);
    for (const record of records) this.table.hear(record, 'table', from.id, nowMs);
    this.#noteHealth();
    const probe = flight?.probe;
    if (probe !== undefined) this.#takeProbeReply(probe, flight?.by === 'self' || reply.kind === 'ack', nowMs);
    const owed = this.#owed(from);
    if (owed.length > 0) this.#send({ address: from.address }, this.ping(owed), this.#profile.probeMs);
    const isDue = nowMs - this.#lastSyncMs >= this.#profile.periodMs;
    if (reply.digest !== this.table.digest() && isDue && isThere(this.table.get(from.id) ?? from)) {
      this.#sync(from.address, nowMs);
    }
  }

  #takeProbeReply(probe: Probe, isWell: boolean, nowMs: number): void {
    if (isWell) {
      if (this.#probes.get(probe.id) === probe) this.#probes.delete(probe.id);
      this.#feel(-1);
      return;
    }
    probe.nacks += 1;
    probe.open -= 1;
    if (probe.open === 0 && this.#probes.get(probe.id) === probe) this.#conclude(probe, nowMs);
  }

  #takeFailure(ref: number, nowMs: number): void {
    const flight = this.#flights.get(ref);
    if (flight === undefined) return;
    this.#flights.delete(ref);
    this.#contacts.failed(flight.address);
    // That an answer is late is no failure yet; a probe finds out. What cannot be reached at all is told as `unreachable`.
    const { probe } = flight;
    if (probe === undefined) return;
    probe.open -= 1;
    if (flight.by === 'self' && !probe.relayed) this.#relay(probe, flight.address, nowMs);
    if (probe.open === 0 && this.#probes.get(probe.id) === probe) this.#conclude(probe, nowMs);
  }

  /** A request to somebody failed: it is not asked for entries until it is known to be well, which is tried at once. */
  #doubt(address: string, nowMs: number): void {
    const member = this.table.at(address);
    if (member === undefined) return;
    this.#unreached.add(member.id);
    // Who is suspect already is probed in its turn, however many requests to it fail.
    if (member.status === 'up') this.#probe(member, nowMs);
  }

  #sync(address: string, nowMs: number): void {
    if (address === this.table.self.address) return;
    for (const flight of this.#flights.values()) if (flight.address === address && flight.probe === undefined) return;
    this.#lastSyncMs = nowMs;
    const request: GossipRequest = { ...this.ping(this.table.others()), kind: 'sync' };
    this.#send({ address }, request, 2 * this.#profile.probeMs * (1 + this.#health));
  }

  /** What a member has to know of itself, and does not. */
  #owed(from: MemberRecord): readonly MemberRecord[] {
    const known = this.table.get(from.id);
    if (known === undefined) return [];
    const isAccused = known.status !== 'up' && known.incarnation >= from.incarnation;
    return isAccused || known.buried > from.buried ? [known] : [];
  }

  #depart(): void {
    const record = this.table.depart();
    for (const { address } of this.table.there()) {
      this.#send({ address }, this.ping([record]), this.#profile.probeMs);
    }
  }

  #send(flight: Flight, request: GossipRequest, timeoutMs: number): void {
    if (this.#flights.size >= FLIGHTS_MAX) return;
    this.#refs += 1;
    this.#flights.set(this.#refs, flight);
    this.#sends.push({ ref: this.#refs, to: flight.address, request, timeoutMs });
  }

  #leave(nowMs: number): readonly Send[] {
    this.#promisedMs = Math.max(nowMs, this.#dueMs());
    const sends = this.#sends;
    this.#sends = [];
    return sends;
  }

  /** Being accused is a sign of being slow. */
  #noteHealth(): void {
    for (const change of this.table.takeChanges()) {
      if (change.kind === 'refuted') this.#feel(1);
      this.#changes.push(change);
    }
  }

  #feel(worse: number): void {
    this.#health = Math.max(0, Math.min(HEALTH_MAX, this.#health + worse));
  }

  #members(): number {
    return this.table.there().length + 1;
  }
}
