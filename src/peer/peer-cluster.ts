import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import { bucketOf } from '../core/key.js';
import type { GossipReply, GossipRequest } from './gossip.js';
import type { Member, MemberRecord } from './member.js';
import { Membership } from './membership.js';
import type { MembershipChange, MembershipEvent, Send } from './membership-events.js';
import type { MembershipProfile } from './membership-profile.js';
import { type Placement, placeBuckets } from './placement.js';

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
}

/** The members as this node sees them now, and who owns what among them. */
export class PeerCluster {
  readonly self: Member;
  readonly membership: Membership;
  readonly #options: PeerClusterOptions;
  readonly #twins = new Set<string>();
  #placement: Placement;
  #placed: ReadonlySet<Member>;
  #signature = '';
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
    this.#placement = placeBuckets([self], replicas);
    this.#placed = new Set([self]);
  }

  /** The same on all nodes that place by the same members. */
  get epoch(): string {
    return this.#placement.epoch;
  }

  /** The owners of a key, the first one first; this node among them when it is one. */
  ownersOf(key: string): readonly Member[] {
    return this.#placement.owners[bucketOf(key)] ?? [];
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
    if (changes.length === 0) return;
    const { onChange, onGone } = this.#options;
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
      onChange(change);
    }
  }

  /** Places the buckets anew, if those who are to keep them are others than before. */
  #place(): void {
    const { table } = this.membership;
    const staying = [table.self, ...table.there()].filter(({ leaving }) => !leaving);
    const isDegraded = staying.some(({ degraded }) => degraded);
    const replicas = this.#options.replicas + (isDegraded ? 1 : 0);
    const members = staying.map((record) => (record.id === this.self.id ? this.self : this.#canonical(record)));
    const signature = `${replicas} ${members
      .map(({ id }) => id)
      .sort()
      .join(' ')}`;
    const isSame = signature === this.#signature && members.every((member) => this.#placed.has(member));
    if (isSame) return;
    this.#signature = signature;
    this.#placed = new Set(members);
    this.#placement = placeBuckets(members, replicas);
  }

  /** One object for each member for as long as it stays in its place, whatever it says of itself meanwhile. */
  #canonical({ id, address, weight, host, rack }: Member): Member {
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
