import { BUCKETS, hashKey } from '../core/key.js';
import type { Member } from './member.js';

/** Who keeps what, for one set of members. Immutable; a new one is made when the members change. */
export interface Placement {
  /** 16 hex digits: the same on every node that has the same members, whatever order it met them in. */
  readonly epoch: string;
  /** By bucket: the members that keep it, the first owner first. Fewer than `replicas` when there are fewer members. */
  readonly owners: readonly (readonly Member[])[];
}

/**
 * Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights after Schindelhauer and Schomaker 2005): each
 * member draws a number for each bucket, and the largest ones own it. A member's numbers do not depend on the others,
 * so one that joins only takes, and one that leaves only gives: nothing moves between two others.
 *
 * Only ids and weights decide, so that a node that comes back under another address has its old buckets.
 * @param members with distinct ids
 */
export function placeBuckets(members: readonly Member[], replicas: number): Placement {
  const inOrder = [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const seeds = inOrder.map(({ id }) => ({ high: hashKey(id), low: hashKey(`${id}/`) }));
  const owners = Array.from({ length: BUCKETS }, (_, bucket) => {
    const scores = inOrder.map((member, i) => drawScore(seeds[i] as Seed, bucket, member.weight));
    return largest(scores, replicas).map((i) => inOrder[i] as Member);
  });
  return { epoch: epochOf(inOrder, replicas), owners };
}

/** The places of the largest scores, the largest first; of equal ones the earlier, which has the smaller id. */
function largest(scores: readonly number[], count: number): readonly number[] {
  const places: number[] = [];
  scores.forEach((score, place) => {
    let at = places.length;
    while (at > 0 && score > (scores[places[at - 1] as number] as number)) at -= 1;
    if (at >= count) return;
    places.splice(at, 0, place);
    places.length = Math.min(places.length, count);
  });
  return places;
}

interface Seed {
  readonly high: number;
  readonly low: number;
}

/** -weight / ln(u) with u uniform in (0, 1): the chance to be the largest is in proportion to the weight. */
function drawScore(seed: Seed, bucket: number, weight: number): number {
  const high = mix(seed.high ^ Math.imul(bucket + 1, 0x9e3779b1));
  const low = mix(seed.low ^ Math.imul(bucket + 1, 0x85ebca77));
  // 52 bits and a half fit a double exactly, so that u is never 0 or 1.
  const u = (high * 2 ** 20 + (low >>> 12) + 0.5) / 2 ** 52;
  return -weight / Math.log(u);
}

/** The finaliser of MurmurHash3 (Appleby). */
function mix(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function epochOf(inOrder: readonly Member[], replicas: number): string {
  const text = `${replicas} ${inOrder.map(({ id, weight }) => `${id}*${weight}`).join(' ')}`;
  return hex(hashKey(text)) + hex(hashKey(`${text}/`));
}

function hex(hash: number): string {
  return hash.toString(16).padStart(8, '0');
}
