import type { Call } from '../core/call.js';
import type { Entry } from '../core/entry.js';
import type { Floor } from '../core/floors.js';
import type { Outcome, SkipReason, WriteOutcome } from '../core/outcome.js';
import type { GossipReply, GossipRequest } from './gossip.js';
import type { HandoverPage, HandoverRequest } from './handover-format.js';
import type { LeaseQuestion, LeaseReply } from './lease-wire.js';
import type { Member, MemberInfo } from './member.js';
import type { WireWrite } from './wire.js';

/** What a node says to people who ask it about the members. */
export interface Hello {
  readonly node: Member;
  /** Of the placement by which it finds owners. */
  readonly epoch: string;
  /** How far its log of floors goes: moves on with every floor that it learns of. */
  readonly floors: string;
  readonly members: readonly MemberInfo[];
}

/** Gossip, and how far the log of floors of its sender goes. */
export interface Gossiped<T> {
  readonly message: T;
  readonly floors: string;
}

/** Floors that a node knows, and how far its log goes with them. */
export interface FloorList {
  readonly mark: string;
  readonly floors: readonly Floor[];
}

/** `doubted`: an entry that is not to be believed alone, for writes may have passed by who keeps it. */
export type PeerRead = Outcome | { readonly kind: 'doubted'; readonly entry: Entry };

/** Takes the answer to one of the keys that are read, by its place. */
export type TakeRead = (at: number, read: PeerRead) => void;

/** What became of a word about a lease: the other side's reply, or why there is none. */
export type LeaseOutcome =
  | LeaseReply
  | { readonly kind: 'skipped'; readonly why: SkipReason }
  | { readonly kind: 'failed'; readonly error: Error };

/**
 * How one node asks others, by address. Every wait ends at the deadline of its call, or when its caller gives up.
 * Reads, writes and leases never reject, and answer each item in order; the rest rejects with a CacheError.
 */
export interface PeerTransport {
  /** @param take told of each answer as it comes; the promise stands for the last of them */
  read(address: string, keys: readonly string[], call: Call, take?: TakeRead): Promise<readonly PeerRead[]>;
  write(address: string, writes: readonly WireWrite[], call: Call): Promise<readonly WriteOutcome[]>;
  lease(address: string, questions: readonly LeaseQuestion[], call: Call): Promise<readonly LeaseOutcome[]>;
  gossip(address: string, said: Gossiped<GossipRequest>, call: Call): Promise<Gossiped<GossipReply>>;
  /** What a node has of some buckets, page by page. */
  handover(address: string, request: HandoverRequest, call: Call): Promise<HandoverPage>;
  /** What a node has logged after `mark`; all its floors, when that is left out or means nothing to it. */
  floors(address: string, mark: string | undefined, call: Call): Promise<FloorList>;
  raise(address: string, floors: readonly Floor[], call: Call): Promise<void>;
  /** Gives back what it holds open for a peer that left. */
  forget(address: string): void;
  close(): Promise<void>;
}
