/** A node that keeps entries for others. */
export interface Member {
  /** 12 hex digits: the origin in the versions that it writes. */
  readonly id: string;
  /** `host:port` under which the others reach it. */
  readonly address: string;
  /** Share of the buckets that it takes, relative to the others' weights. */
  readonly weight: number;
}

/** `suspect`: it failed a moment ago and still has its buckets. `down`: it failed for long, and has none. */
export type MemberStatus = 'up' | 'suspect' | 'down';

export interface MemberInfo extends Member {
  readonly status: MemberStatus;
}
