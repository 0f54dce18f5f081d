import { compareHlc, type Hlc } from '../core/hlc.js';
import { LEASE_MS, type LeaseToken } from '../core/lease.js';
import type { LeaseReply } from './lease-wire.js';

/** A wish to load a key. */
export interface LeaseWish {
  readonly key: string;
  readonly token: LeaseToken;
  /** Taken by the one who wishes before he read the levels. */
  readonly since: Hlc;
  /** Address of who wishes: told when the lease that he waits for ends. */
  readonly from: string;
}

interface Lease {
  readonly token: LeaseToken;
  readonly since: Hlc;
  /** A reading of the owner's, later than every fence and floor that he knew then. */
  readonly grantedAt: Hlc;
  /** Monotonic. */
  readonly untilMs: number;
  readonly waiting: Set<string>;
}

/** A lease is over a moment before whoever waits for it gives up: else one that ran out is found busy again. */
const LIFE_MS = LEASE_MS - 100;
/**
 * Leases at a time. All that a city of ten nodes may load or let wait for a place comes to less per owner; one takes some
 * 300 bytes and its key.
 */
const LEASES_MAX = 32_768;
/** Nodes that are told of the end of one lease; the others wait until it has run out. */
const WAITING_MAX = 256;
const NOBODY: readonly string[] = [];

/**
 * The leases on the keys of which this node is an owner. Pure: instants and readings go in, answers come out, and of what
 * ends a lease the addresses of those who waited for it. It holds no timers: leases that have run out go when others come.
 */
export class LeaseTable {
  /** In the order in which they run out: all live equally long, and one that is renewed goes to the end. */
  readonly #leases = new Map<string, Lease>();
  readonly #most: number;

  constructor(most = LEASES_MAX) {
    this.#most = most;
  }

  /** How many there are, those that have run out a moment ago among them. */
  get size(): number {
    return this.#leases.size;
  }

  /**
   * @param filledAt when the entry was filled that a reader would find fresh; undefined when there is none
   * @param readingNow later than every fence and floor that is known
   */
  acquire(wish: LeaseWish, filledAt: Hlc | undefined, readingNow: Hlc, nowMs: number): LeaseReply {
    const { key, token, since, from } = wish;
    if (filledAt !== undefined && compareHlc(filledAt, since) > 0) return { kind: 'filled' };
    this.#forgetOver(nowMs);
    const held = this.#leases.get(key);
    if (held !== undefined && held.token !== token) {
      if (held.waiting.size < WAITING_MAX) held.waiting.add(from);
      return { kind: 'busy', leftMs: Math.max(1, Math.ceil(held.untilMs - nowMs)) };
    }
    if (held === undefined && this.#leases.size >= this.#most) return { kind: 'full' };
    this.#put(key, {
      token,
      since,
      grantedAt: readingNow,
      untilMs: nowMs + LIFE_MS,
      waiting: held?.waiting ?? new Set(),
    });
    return { kind: 'granted', occupied: filledAt !== undefined };
  }

  renew(key: string, token: LeaseToken, nowMs: number): void {
    this.#forgetOver(nowMs);
    const held = this.#leases.get(key);
    if (held?.token === token) this.#put(key, { ...held, untilMs: nowMs + LIFE_MS });
  }

  /** @returns whom to tell that the lease is over */
  release(key: string, token: LeaseToken): readonly string[] {
    return this.#leases.get(key)?.token === token ? this.end(key) : NOBODY;
  }

  /** Something was written, or invalidated. @returns whom to tell that the lease is over */
  end(key: string): readonly string[] {
    const held = this.#leases.get(key);
    if (held === undefined) return NOBODY;
    this.#leases.delete(key);
    return [...held.waiting];
  }

  /**
   * A fill was refused. It was the holder's, unless its source was asked before he began: then it is somebody else's,
   * and late.
   * @returns whom to tell that the lease is over
   */
  endRefused(key: string, fillStart: Hlc): readonly string[] {
    const held = this.#leases.get(key);
    return held !== undefined && compareHlc(fillStart, held.since) >= 0 ? this.end(key) : NOBODY;
  }

  /** When the lease on a key was granted, by the readings of this node. */
  grantedAt(key: string): Hlc | undefined {
    return this.#leases.get(key)?.grantedAt;
  }

  #put(key: string, lease: Lease): void {
    this.#leases.delete(key);
    this.#leases.set(key, lease);
  }

  #forgetOver(nowMs: number): void {
    for (const [key, { untilMs }] of this.#leases) {
      if (untilMs > nowMs) return;
      this.#leases.delete(key);
    }
  }
}
