import type { MemberRecord } from './member.js';

/**
 * What members say to each other about who is there. `ping`: are you well? `sync`: here is all that I know, tell me
 * what you know. `relay`: I cannot reach `target`; try it for me.
 */
export interface GossipRequest {
  readonly kind: 'ping' | 'sync' | 'relay';
  readonly from: MemberRecord;
  /** Of all who are there, as the sender sees it. */
  readonly digest: string;
  /** What is new; with `sync`, everything. */
  readonly records: readonly MemberRecord[];
  /** The address to try, with `relay`. */
  readonly target?: string;
}

/** `nack`: who was to be tried did not answer, but the one who was asked to try does. */
export interface GossipReply {
  readonly kind: 'ack' | 'nack';
  readonly from: MemberRecord;
  readonly digest: string;
  readonly records: readonly MemberRecord[];
}
