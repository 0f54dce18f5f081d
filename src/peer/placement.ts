import { BUCKETS, hashKey } from '../core/key.js';
import type { Member } from './member.js';

/** Who keeps what, for one set of members. Immutable; a new one is made when the members change. */
export interface Placement {
  /** 16 hex digits: the same on every node that has the same members, whatever order it met them in. */
  readonly epoch: string;
  /** By bucket: the members that keep it, the first owner first. Fewer than `replicas` when there are fewer members. */
  readonly owners: readonly (readonly Member[])[];
}

/** How far a member may exceed its share of first ownerships: a quarter. */
const LOAD_BOUND = 1.25;

/**
 * Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights after Schindelhauer and Schomaker 2005): each
 * member draws a number for each bucket, and the largest ones own it. A member's numbers do not depend on the others,
 * so one that joins only takes, and one that leaves only gives: nothing moves between two others.
 *
 * Owners are apart where they can be: each rack enters with its largest number; only when there are fewer racks than
 * replicas, hosts do so among what is left, and last anybody. A member that joins changes the number of its own rack
 * alone, so that nothing moves between two others here either.
 *
 * Which of its owners is the first for a bucket (it is asked first, and grants leases) goes by the numbers too, but
 * nobody is first for more than its share and a quarter: then the next owner is, which has the entries as well
 * (after Mirrokni, Thorup and Zadimoghaddam 2018: consistent hashing with bounded loads, within the owners).
 *
 * Only ids, weights and places decide, so that a node that comes back under another address has its old buckets.
 * @param members with distinct ids
 */
export function placeBuckets(members: readonly Member[], replicas: number): Placement {
  const drawers = drawersOf(members);
  const owners = Array.from({ length: BUCKETS }, (_, bucket) => chooseOwners(drawers, bucket, replicas));
  boundFirsts(owners, drawers);
  return { epoch: epochOf(drawers, replicas), owners };
}

/** The owners of one bucket, the one with the largest number first. */
export function ownersOfBucket(members: readonly Member[], replicas: number, bucket: number): readonly Member[] {
  return chooseOwners(drawersOf(members), bucket, replicas);
}

/** A member as it draws. */
interface Drawer {
  readonly member: Member;
  readonly seed: Seed;
  readonly rack: string;
  readonly host: string;
}

/** In the order of their ids: of equal numbers the smaller id counts as larger. */
function drawersOf(members: readonly Member[]): Drawer[] {
  return [...members]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((member) => {
      const { id, host = id, rack = `${host}/` } = member;
      return { member, seed: { high: hashKey(id), low: hashKey(`${id}/`) }, rack, host: `${rack} ${host}` };
    });
}

function chooseOwners(drawers: readonly Drawer[], bucket: number, replicas: number): Member[] {
  const scores = drawers.map(({ seed, member }) => drawScore(seed, bucket, member.weight));
  const chosen: number[] = [];
  const count = Math.min(replicas, drawers.length);
  const racks = new Set<string>();
  const hosts = new Set<string>();
  while (chosen.length < count) {
    const isFree = (at: number) => !chosen.includes(at);
    const next =
      largest(scores, (at) => !racks.has((drawers[at] as Drawer).rack)) ??
      largest(scores, (at) => isFree(at) && !hosts.has((drawers[at] as Drawer).host)) ??
      (largest(scores, isFree) as number);
    chosen.push(next);
    racks.add((drawers[next] as Drawer).rack);
    hosts.add((drawers[next] as Drawer).host);
  }
  chosen.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
  return chosen.map((at) => (drawers[at] as Drawer).member);
}

/** The place of the largest score among those that are allowed; of equal ones the first. */
function largest(scores: readonly number[], isAllowed: (at: number) => boolean): number | undefined {
  let best: number | undefined;
  for (let at = 0; at < scores.length; at++) {
    const isLarger = best === undefined || (scores[at] as number) > (scores[best] as number);
    if (isLarger && isAllowed(at)) best = at;
  }
  return best;
}

/** Puts another owner first where the first one is it too often already. */
function boundFirsts(owners: Member[][], drawers: readonly Drawer[]): void {
  const total = drawers.reduce((sum, { member }) => sum + member.weight, 0);
  const room = new Map(
    drawers.map(({ member }) => [member, Math.ceil((LOAD_BOUND * BUCKETS * member.weight) / total)]),
  );
  for (const list of owners) {
    const at = Math.max(
      0,
      list.findIndex((member) => (room.get(member) as number) > 0),
    );
    const [first] = list.splice(at, 1) as [Member];
    list.unshift(first);
    room.set(first, (room.get(first) as number) - 1);
  }
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

function epochOf(drawers: readonly Drawer[], replicas: number): string {
  const words = drawers.map(({ member: { id, weight, host, rack } }) =>
    host === undefined && rack === undefined ? `${id}*${weight}` : `${id}*${weight}@${host ?? ''}/${rack ?? ''}`,
  );
  const text = `${replicas} ${words.join(' ')}`;
  return hex(hashKey(text)) + hex(hashKey(`${text}/`));
}

function hex(hash: number): string {
  return hash.toString(16).padStart(8, '0');
}
