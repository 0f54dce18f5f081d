import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUCKETS } from '../core/key.js';
import type { Member } from './member.js';
import { ownersOfBucket, type Placement, placeBuckets } from './placement.js';

function member(id: number, weight = 1): Member {
  return { id: id.toString(16).padStart(12, '0'), address: `127.0.0.1:${10_000 + (id % 50_000)}`, weight };
}

const ids = fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 48 - 1 }), { minLength: 1, maxLength: 12 });
const memberLists = ids.map((all) => all.map((id) => member(id)));
const replicas = fc.integer({ min: 1, max: 3 });

function ownerIds(placement: Placement, bucket: number): string[] {
  return (placement.owners[bucket] ?? []).map(({ id }) => id);
}

function sharesOf(placement: Placement): Map<string, number> {
  const shares = new Map<string, number>();
  for (const owners of placement.owners) for (const { id } of owners) shares.set(id, (shares.get(id) ?? 0) + 1);
  return shares;
}

const RUNS = { numRuns: 40 };

describe('placement of buckets', () => {
  it('gives every bucket as many distinct owners as there are replicas, or members if those are fewer', () => {
    fc.assert(
      fc.property(memberLists, replicas, (members, count) => {
        const placement = placeBuckets(members, count);
        expect(placement.owners).toHaveLength(BUCKETS);
        const sizes = placement.owners.map((owners) => new Set(owners).size);
        expect([...new Set(sizes)]).toEqual([Math.min(count, members.length)]);
      }),
      RUNS,
    );
  });

  it('does not depend on the order in which the members are met', () => {
    fc.assert(
      fc.property(
        memberLists.chain((members) =>
          fc.tuple(fc.constant(members), fc.shuffledSubarray(members, { minLength: members.length })),
        ),
        replicas,
        ([members, shuffled], count) => {
          expect(placeBuckets(shuffled, count)).toEqual(placeBuckets(members, count));
        },
      ),
      RUNS,
    );
  });

  it('gives each member its share: within a fifth of the mean for 3 to 12 members', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 48 - 1 }), { minLength: 3, maxLength: 12 }), (all) => {
        const shares = sharesOf(
          placeBuckets(
            all.map((id) => member(id)),
            2,
          ),
        );
        const mean = (2 * BUCKETS) / all.length;
        for (const share of shares.values()) expect(Math.abs(share - mean) / mean).toBeLessThan(0.2);
      }),
      RUNS,
    );
  });

  it('gives members with neighbouring ids even shares too', () => {
    const shares = sharesOf(
      placeBuckets(
        [1, 2, 3, 4, 5].map((id) => member(id)),
        2,
      ),
    );
    for (const share of shares.values()) expect(Math.abs(share - (2 * BUCKETS) / 5)).toBeLessThan(160);
  });

  it('gives a member of twice the weight twice the first ownerships', () => {
    const [heavy, ...others] = [member(1, 2), member(2), member(3)];
    const placement = placeBuckets([heavy as Member, ...others], 1);
    const share = (sharesOf(placement).get(heavy?.id ?? '') ?? 0) / BUCKETS;
    expect(Math.abs(share - 0.5)).toBeLessThan(0.04);
  });

  it('moves only to a member that joins, and only from one that leaves: never between two others', () => {
    fc.assert(
      fc.property(memberLists, fc.integer({ min: 0, max: 2 ** 48 - 1 }), replicas, (members, id, count) => {
        const joining = member(id);
        fc.pre(members.every((other) => other.id !== joining.id));
        const without = placeBuckets(members, count);
        const withIt = placeBuckets([...members, joining], count);
        // Nobody but the joining one is new.
        const wrong = without.owners.filter((_, bucket) => {
          const before = new Set([...ownerIds(without, bucket), joining.id]);
          return !ownerIds(withIt, bucket).every((owner) => before.has(owner));
        });
        expect(wrong).toEqual([]);
      }),
      RUNS,
    );
  });

  it('moves no more than the share of the member that joins', () => {
    const members = [11, 22, 33, 44].map((id) => member(id));
    const before = placeBuckets(members, 2);
    const after = placeBuckets([...members, member(55)], 2);
    const moved = before.owners.filter((owners, bucket) =>
      owners.some(({ id }) => !ownerIds(after, bucket).includes(id)),
    );
    expect(moved.length).toBe(sharesOf(after).get(member(55).id));
  });

  it('has one epoch for the same members, and another for others, other weights and other replicas', () => {
    const members = [member(1), member(2)];
    const { epoch } = placeBuckets(members, 2);
    expect(epoch).toMatch(/^[0-9a-f]{16}$/);
    expect(placeBuckets([...members].reverse(), 2).epoch).toBe(epoch);
    expect(placeBuckets([member(1), { ...member(2), address: 'elsewhere:1' }], 2).epoch).toBe(epoch);
    expect(placeBuckets([member(1)], 2).epoch).not.toBe(epoch);
    expect(placeBuckets([member(1), member(2, 2)], 2).epoch).not.toBe(epoch);
    expect(placeBuckets(members, 1).epoch).not.toBe(epoch);
  });

  it('places the same buckets on every node of every version: a change here moves every key', () => {
    const placement = placeBuckets([member(0xa1), member(0xb2), member(0xc3)], 2);
    expect(placement.epoch).toBe('b4ab4fcfb0ff4627');
    const first = placement.owners.slice(0, 8).map((owners) => owners.map(({ id }) => id.slice(-2)).join(''));
    expect(first).toEqual(['a1c3', 'b2c3', 'a1b2', 'a1b2', 'a1c3', 'b2a1', 'a1b2', 'c3a1']);
  });

  /** Members with their places: a few racks, a few hosts in each, all kinds of weights. */
  const cities = fc.uniqueArray(
    fc.record({
      id: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
      weight: fc.constantFrom(0.5, 1, 1, 1, 2),
      rack: fc.constantFrom(undefined, 'a', 'a', 'b', 'c'),
      host: fc.constantFrom(undefined, '1', '2', '3'),
    }),
    { selector: ({ id }) => id, minLength: 2, maxLength: 14 },
  );
  const placed = cities.map((all) =>
    all.map(({ id, weight, rack, host }): Member => {
      const place = { ...(host !== undefined && { host }), ...(rack !== undefined && { rack }) };
      return { ...member(id, weight), ...place };
    }),
  );
  const bucket = fc.integer({ min: 0, max: BUCKETS - 1 });
  const rackOf = ({ rack, host, id }: Member) => rack ?? `${host ?? id}/`;
  const hostOf = (one: Member) => `${rackOf(one)} ${one.host ?? one.id}`;

  it('needs no move but to the one who joins, in ten thousand random cities', () => {
    fc.assert(
      fc.property(placed, replicas, bucket, ([joining, ...others], count, at) => {
        const before = ownersOfBucket(others, count, at);
        const after = ownersOfBucket([...others, joining as Member], count, at);
        const kept = after.filter((owner) => owner !== joining);
        expect(before).toEqual(expect.arrayContaining(kept));
        expect(before.filter((owner) => !kept.includes(owner)).length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 10_000 },
    );
  });

  it('keeps replicas on different racks, and else on different hosts, wherever there are enough', () => {
    fc.assert(
      fc.property(placed, replicas, bucket, (members, count, at) => {
        const owners = ownersOfBucket(members, count, at);
        const racks = new Set(members.map(rackOf)).size;
        const hosts = new Set(members.map(hostOf)).size;
        expect(new Set(owners.map(rackOf)).size).toBe(Math.min(racks, owners.length));
        expect(new Set(owners.map(hostOf)).size).toBe(Math.min(hosts, owners.length));
      }),
      { numRuns: 10_000 },
    );
  });

  it('lets nobody be first for more than its share and a quarter', () => {
    fc.assert(
      fc.property(placed, fc.integer({ min: 2, max: 3 }), (members, count) => {
        const { owners } = placeBuckets(members, count);
        const weight = members.reduce((sum, one) => sum + one.weight, 0);
        for (const one of members) {
          const firsts = owners.filter(([first]) => first === one).length;
          expect(firsts).toBeLessThanOrEqual(Math.ceil((1.25 * BUCKETS * one.weight) / weight));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('has another epoch for other places', () => {
    const members = [member(1), { ...member(2), rack: 'a' }];
    expect(placeBuckets(members, 2).epoch).not.toBe(placeBuckets([member(1), member(2)], 2).epoch);
    expect(placeBuckets(members, 2).epoch).not.toBe(placeBuckets([member(1), { ...member(2), host: 'a' }], 2).epoch);
  });
});
