import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import { bucketOf } from '../core/key.js';
import { Doubts } from './doubts.js';
import type { GossipReply, GossipRequest } from './gossip.js';
import type { Member, MemberRecord } from './member.js';
import { Membership } from './membership.js';
import type { MembershipChange, MembershipEvent, Send } from './membership-events.js';
import type { MembershipProfile } from './membership-profile.js';
import { Ownership } from './ownership.js';

export interface PeerClusterOptions {
  readonly clock: Pick<Clock, 'monotonicMs' | 'wallMs'>;
  readonly chance: Chance;
  readonly self: Member;
  readonly seeds: readonly string[];
  readonly replicas: number;
  readonly profile: MembershipProfile;
  readonly onChange: (change: MembershipChange) => void;
  /** Nobody at this address has buckets any more. */
  readonly onGone: (address: string) => void;
  readonly onError: (error: Error) => void;
  /** Some of what this node has is in doubt. */
  readonly onDoubt: () => void;
  /** A change has settled: this node may keep less than it has. */
  readonly onSettled: () => void;
}

/** How long those who held a bucket are asked and told, at most, while somebody has not got what it is to keep. */
const SETTLE_MAX_MS = 120_000;

/** The members as this node sees them now, and who owns what among them. */
export class PeerCluster {
  readonly self: Member;
  readonly membership: Membership;
  readonly #options: PeerClusterOptions;
  readonly #twins = new Set<string>();
  /** What this node has and is not to be believed alone. */
  readonly doubts = new Doubts();
  readonly #ownership: Ownership;
  #placedAtMs: number;
  #placed: ReadonlySet<Member>;
  #signature = '';
  #begun = false;
  #suspects: ReadonlySet<string> = new Set();

  constructor(options: PeerClusterOptions) {
    const { self, seeds, profile, chance, clock, replicas } = options;
    this.self = self;
    this.#options = options;
    this.membership = new Membership({
      self,
      seeds,
      profile,
      chance,
      incarnation: Math.floor(clock.wallMs()),
      nowMs: clock.monotonicMs(),
    });
    this.#ownership = new Ownership(self, replicas);
    this.#placedAtMs = clock.monotonicMs();
    this.#placed = new Set([self]);
  }

  /** The same on all nodes that place by the same members. */
  get epoch(): string {
    return this.#ownership.epoch;
  }

  /** The owners of a key, the first one first; this node among them when it is one. */
  ownersOf(key: string): readonly Member[] {
    return this.#ownership.ownersOf(bucketOf(key));
  }

  /** The owners of a bucket, and as long as a change has not settled those who held it before. */
  holdersOf(bucket: number): readonly Member[] {
    return this.#ownership.holdersOf(bucket);
  }

  isChanging(bucket: number): boolean {
    return this.#ownership.isChanging(bucket);
  }

  /** Everybody who is up and stays has what it is to keep, as it says. */
  get isHandedOver(): boolean {
    const staying = this.membership.table.there().filter(({ leaving, status }) => !leaving && status === 'up');
    return staying.every(({ settled }) => settled === this.epoch);
  }

  /** Nobody holds a bucket any more who does not own it. */
  get isSettled(): boolean {
    return this.#ownership.isSettled;
  }

  /** The others have been found, or there are none: from now on this node may say that it has what it is to keep. */
  begin(): void {
    this.#begun = true;
    this.#follow();
  }

  /** Everybody who stays has said that it has what it is to keep; or it takes them too long. */
  #settle(): void {
    const { table } = this.membership;
    const { clock, onSettled } = this.#options;
    const isSure = this.#begun && this.doubts.size === 0;
    if (isSure && table.self.settled !== this.epoch && !table.self.leaving) {
      this.membership.handle({ kind: 'announce', change: { settled: this.epoch } }, clock.monotonicMs());
    }
    if (this.#ownership.isSettled) return;
    const isLate = clock.monotonicMs() - this.#placedAtMs > SETTLE_MAX_MS;
    const staying = [table.self, ...table.there()].filter(({ leaving }) => !leaving);
    if (!isLate && !staying.every(({ settled }) => settled === this.epoch)) return;
    this.#ownership.settle();
    onSettled();
  }

  /** Others may have been written to in place of this node. */
  #doubtAll(): void {
    for (const bucket of this.#ownership.held()) this.#doubt(bucket);
  }

  #doubt(bucket: number): void {
    // With nobody to compare with, nobody knows better.
    if (this.#ownership.holdersOf(bucket).length > 1) this.doubts.add(bucket);
  }

  /** Whether a member is better not waited for: it failed a moment ago, for others or for this node alone. */
  isSuspect(id: string): boolean {
    return (this.#suspects.size > 0 && this.#suspects.has(id)) || !this.membership.isReached(id);
  }

  /** Everybody else that is there, or went down without anybody in its place. */
  members(): readonly MemberRecord[] {
    const { table } = this.membership;
    return table
      .others()
      .filter(({ status, address }) => status !== 'left' && (status !== 'down' || table.at(address) === undefined));
  }

  handle(event: MembershipEvent): readonly Send[] {
    const sends = this.membership.handle(event, this.#options.clock.monotonicMs());
    this.#follow();
    return sends;
  }

  answer(request: GossipRequest): { readonly reply: GossipReply; readonly sends: readonly Send[] } {
    const answer = this.membership.answer(request, this.#options.clock.monotonicMs());
    this.#follow();
    return answer;
  }

  #follow(): void {
    const changes = this.membership.takeChanges();
    if (changes.length === 0) {
      this.#settle();
      return;
    }
    const { onChange, onGone, onDoubt, profile } = this.#options;
    const { table } = this.membership;
    this.#suspects = new Set(
      table
        .there()
        .filter(({ status }) => status === 'suspect')
        .map(({ id }) => id),
    );
    this.#place();
    for (const change of changes) {
      if (change.kind === 'left' && table.at(change.member.address) === undefined) {
        onGone(change.member.address);
      }
      if (change.kind === 'twin') this.#reportTwin(change.address);
      const isMissed = change.kind === 'stalled' && change.forMs >= profile.suspicionPeriods * profile.periodMs;
      if (change.kind === 'buried' || isMissed) this.#doubtAll();
      onChange(change);
    }
    this.#settle();
    if (this.doubts.size > 0) onDoubt();
  }

  /** Places the buckets anew, if those who are to keep them are others than before. */
  #place(): void {
    const { table } = this.membership;
    const staying = [table.self, ...table.there()].filter(({ leaving }) => !leaving);
    const isDegraded = staying.some(({ degraded }) => degraded);
    const replicas = this.#options.replicas + (isDegraded ? 1 : 0);
    const members = staying.map((record) => this.#canonical(record));
    const signature = `${replicas} ${members
      .map(({ id }) => id)
      .sort()
      .join(' ')}`;
    // The last one that leaves keeps what it has to the end.
    if (members.length === 0) return;
    const isSame = signature === this.#signature && members.every((member) => this.#placed.has(member));
    if (isSame) return;
    this.#signature = signature;
    const wasAlone = this.#placed.size === 1 && this.#placed.has(this.self);
    this.#placed = new Set(members);
    const there = new Map(
      [...members, ...table.there(), this.self].map((member) => [member.id, this.#canonical(member)]),
    );
    const added = this.#ownership.place(members, replicas, there);
    this.#placedAtMs = this.#options.clock.monotonicMs();
    for (const bucket of added) this.#doubt(bucket);
    // Who was alone may have been so because it did not find the others, who wrote meanwhile; those who have only just
    // started did not.
    if (wasAlone && staying.some(({ id, settled }) => id !== this.self.id && settled !== '')) this.#doubtAll();
  }

  /** One object for each member for as long as it stays in its place, whatever it says of itself meanwhile. */
  #canonical({ id, address, weight, host, rack }: Member): Member {
    if (id === this.self.id) return this.self;
    for (const one of this.#placed) {
      const isIt = one.id === id && one.address === address && one.weight === weight;
      if (isIt && one.host === host && one.rack === rack) return one;
    }
    return { id, address, weight, ...(host !== undefined && { host }), ...(rack !== undefined && { rack }) };
  }

  #reportTwin(address: string): void {
    if (this.#twins.has(address)) return;
    this.#twins.add(address);
    const { self } = this;
    this.#options.onError(
      new CacheError(
        'invalid-config',
        `the node at ${address} has the same id as this one (${self.id}, at ${self.address}): give each its own`,
        { field: 'nodeId' },
      ),
    );
  }
}
