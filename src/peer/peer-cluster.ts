import type { Clock } from '../core/clock.js';
import { bucketOf } from '../core/key.js';
import type { Member, MemberInfo } from './member.js';
import {
  type Contact,
  type Membership,
  type MembershipChange,
  type MembershipEvent,
  type MembershipProfile,
  membersOf,
  startMembership,
  stepMembership,
} from './membership.js';
import { type Placement, placeBuckets } from './placement.js';

export interface PeerClusterOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly self: Member;
  readonly seeds: readonly string[];
  readonly replicas: number;
  readonly profile: MembershipProfile;
  readonly onChange: (change: MembershipChange) => void;
  /** Nobody at this address has buckets any more. */
  readonly onGone: (address: string) => void;
}

/** The members as this node sees them now, and who owns what among them. */
export class PeerCluster {
  readonly self: Member;
  readonly #options: PeerClusterOptions;
  #membership: Membership;
  #placement: Placement;
  #suspects: ReadonlySet<string> = new Set();

  constructor(options: PeerClusterOptions) {
    this.self = options.self;
    this.#options = options;
    this.#membership = startMembership(options.self, options.seeds);
    this.#placement = placeBuckets([options.self], options.replicas);
  }

  get epoch(): string {
    return this.#placement.epoch;
  }

  /** The owners of a key, the first one first; this node among them when it is one. */
  ownersOf(key: string): readonly Member[] {
    return this.#placement.owners[bucketOf(key)] ?? [];
  }

  /** Whether a member failed a moment ago, and is better not waited for. */
  isSuspect(id: string): boolean {
    return this.#suspects.size > 0 && this.#suspects.has(id);
  }

  /** Everybody else that is known. */
  members(): readonly MemberInfo[] {
    return membersOf(this.#membership);
  }

  contacts(): readonly Contact[] {
    return [...this.#membership.contacts.values()];
  }

  apply(event: MembershipEvent): void {
    const { clock, profile, replicas, onChange, onGone } = this.#options;
    const before = this.#membership.contacts;
    const { state, changes } = stepMembership(this.#membership, event, clock.monotonicMs(), profile);
    this.#membership = state;
    for (const address of before.keys()) if (!state.contacts.has(address)) onGone(address);
    if (changes.length === 0) return;
    const members = this.members();
    this.#suspects = new Set(members.filter(({ status }) => status === 'suspect').map(({ id }) => id));
    if (changes.some(({ kind }) => kind === 'joined' || kind === 'left')) {
      const placed = members.filter(({ status }) => status !== 'down');
      this.#placement = placeBuckets([this.self, ...placed], replicas);
    }
    for (const change of changes) {
      if (change.kind === 'left') onGone(change.member.address);
      onChange(change);
    }
  }
}
