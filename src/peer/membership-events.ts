import type { GossipReply, GossipRequest } from './gossip.js';
import type { MemberChange, Saying } from './member-table.js';

export type MembershipChange =
  | MemberChange
  /** The loop of this process stood still for so long: nothing that it took for a failure meanwhile was one. */
  | { readonly kind: 'stalled'; readonly forMs: number };

/** A question to be asked, whose answer comes back as `replied` or `failed` under its number. */
export interface Send {
  readonly ref: number;
  readonly to: string;
  readonly request: GossipRequest;
  readonly timeoutMs: number;
}

export type MembershipEvent =
  | { readonly kind: 'start' }
  /** Time has passed. */
  | { readonly kind: 'tick' }
  | { readonly kind: 'replied'; readonly ref: number; readonly reply: GossipReply }
  | { readonly kind: 'failed'; readonly ref: number }
  /** A request of another kind to this address failed. */
  | { readonly kind: 'unreachable'; readonly address: string }
  /** What is known of a member at this address is outdated, or what it knows is. */
  | { readonly kind: 'differs'; readonly address: string }
  /** Where others may be found, for now. */
  | { readonly kind: 'discovered'; readonly addresses: readonly string[] }
  /** This node says something new of itself. */
  | { readonly kind: 'announce'; readonly change: Saying }
  /** This node goes: the others are told, and it answers no more. */
  | { readonly kind: 'depart' };
