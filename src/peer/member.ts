/** A node that keeps entries for others. */
export interface Member {
  /** 12 hex digits: the origin in the versions that it writes. */
  readonly id: string;
  /** `host:port` under which the others reach it. */
  readonly address: string;
  /** Share of the buckets that it takes, relative to the others' weights. */
  readonly weight: number;
  /** The machine that it runs on; replicas are kept on different ones where that can be. */
  readonly host?: string;
  /** The rack, or zone, that it stands in: the same for replicas only when there is no other. A host has one rack. */
  readonly rack?: string;
}

/**
 * `suspect`: it does not answer, and still has its buckets. `down`: it has not answered for long. `left`: it said that
 * it goes. The last two have no buckets.
 */
export type MemberStatus = 'up' | 'suspect' | 'down' | 'left';

export interface MemberInfo extends Member {
  readonly status: MemberStatus;
}

/** What is said of a member: by itself, or by others who pass it on or accuse it. */
export interface MemberRecord extends MemberInfo {
  /** Raised by the member alone. What is said of a lower one is outdated; of equal ones the worse status counts. */
  readonly incarnation: number;
  /**
   * The latest incarnation that somebody declared down; 0 when nobody did. Never lost on the way to the member, for it
   * has to know that writes may have passed it by.
   */
  readonly buried: number;
  /** It is about to leave: it answers, and hands over, but is given no buckets any more. */
  readonly leaving: boolean;
  /** It wants one replica more of everything, for its part of the city is degraded. */
  readonly degraded: boolean;
  /** The epoch for which it has everything that it is to keep; empty as long as there was none. */
  readonly settled: string;
  /** Who suspects it, when it is suspect. */
  readonly accuser?: string;
}

/** Whether a member is there, for all that is known. */
export function isThere({ status }: MemberInfo): boolean {
  return status === 'up' || status === 'suspect';
}
