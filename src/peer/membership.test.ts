import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Member } from './member.js';
import {
  CONTACTS_MAX,
  type Membership,
  type MembershipEvent,
  type MembershipProfile,
  membersOf,
  startMembership,
  stepMembership,
} from './membership.js';

const PROFILE: MembershipProfile = { downAfterMs: 3_000, forgetAfterMs: 600_000 };
const self = node('a');
const SEED = 'seed:1';

function node(name: string, address = `${name}:1`): Member {
  return { id: name.repeat(12).slice(0, 12), address, weight: 1 };
}

function answered(member: Member, known: readonly string[] = [], address = member.address): MembershipEvent {
  return { kind: 'answered', address, node: member, known };
}

/** Takes events at instants; what changed, as words. */
function run(events: readonly (readonly [atMs: number, event: MembershipEvent])[], seeds = [SEED]) {
  let state: Membership = startMembership(self, seeds);
  const said: string[] = [];
  for (const [atMs, event] of events) {
    const step = stepMembership(state, event, atMs, PROFILE);
    state = step.state;
    for (const { kind, member } of step.changes) said.push(`${kind} ${member.address}`);
  }
  const statuses = Object.fromEntries(membersOf(state).map(({ address, status }) => [address, status]));
  return { state, said, statuses, contacts: [...state.contacts.keys()] };
}

const seed = node('s', SEED);

describe('membership', () => {
  it('has nobody but itself until somebody answers', () => {
    expect(run([]).statuses).toEqual({});
    expect(run([[0, { kind: 'failed', address: SEED }]]).statuses).toEqual({});
    expect(run([]).contacts).toEqual([SEED]);
  });

  it('does not ask itself, though it is named as a seed', () => {
    expect(run([], [self.address, SEED]).contacts).toEqual([SEED]);
  });

  it('takes in who answers, and asks whom that one knows', () => {
    const { said, statuses, contacts } = run([[0, answered(seed, ['b:1', self.address])]]);
    expect(said).toEqual([`joined ${SEED}`]);
    expect(statuses).toEqual({ [SEED]: 'up' });
    expect(contacts).toEqual([SEED, 'b:1']);
  });

  it('does not take the word of others for who is there', () => {
    const { statuses } = run([
      [0, answered(seed, ['b:1'])],
      [1, { kind: 'heard', address: 'c:1' }],
    ]);
    expect(Object.keys(statuses)).toEqual([SEED]);
  });

  it('asks who asked it', () => {
    expect(run([[0, { kind: 'heard', address: 'c:1' }]]).contacts).toEqual([SEED, 'c:1']);
    expect(run([[0, { kind: 'heard', address: self.address }]]).contacts).toEqual([SEED]);
  });

  it('suspects at the first failure, and takes back at the first answer', () => {
    const { said, statuses } = run([
      [0, answered(seed)],
      [10, { kind: 'failed', address: SEED }],
      [20, { kind: 'failed', address: SEED }],
      [30, answered(seed)],
    ]);
    expect(said).toEqual([`joined ${SEED}`, `suspected ${SEED}`, `recovered ${SEED}`]);
    expect(statuses).toEqual({ [SEED]: 'up' });
  });

  it('keeps the buckets of a member until it has failed for 3 s, counted from the first failure', () => {
    const failing: [number, MembershipEvent][] = [
      [0, answered(seed)],
      [1_000, { kind: 'failed', address: SEED }],
      [3_900, { kind: 'failed', address: SEED }],
      [3_999, { kind: 'tick' }],
    ];
    expect(run(failing).statuses).toEqual({ [SEED]: 'suspect' });
    const ticked = run([...failing, [4_000, { kind: 'tick' }]]);
    expect(ticked.statuses).toEqual({ [SEED]: 'down' });
    expect(ticked.said.at(-1)).toBe(`left ${SEED}`);
    expect(run([...failing, [4_000, { kind: 'failed', address: SEED }]]).statuses).toEqual({ [SEED]: 'down' });
  });

  it('lets a member that was down join anew', () => {
    const { said } = run([
      [0, answered(seed)],
      [0, { kind: 'failed', address: SEED }],
      [3_000, { kind: 'tick' }],
      [9_000, answered(seed)],
    ]);
    expect(said.slice(-2)).toEqual([`left ${SEED}`, `joined ${SEED}`]);
  });

  it('replaces a member by another that answers at its address', () => {
    const restarted = node('t', SEED);
    const { said, state } = run([
      [0, answered(seed)],
      [1, answered(restarted)],
    ]);
    expect(said).toEqual([`joined ${SEED}`, `left ${SEED}`, `joined ${SEED}`]);
    expect(membersOf(state).map(({ id }) => id)).toEqual([restarted.id]);
  });

  it('has a member once, though it came back at another address', () => {
    const b = node('b');
    const { said, statuses } = run([
      [0, { kind: 'heard', address: b.address }],
      [1, answered(b)],
      [2, { kind: 'heard', address: 'moved:1' }],
      [3, answered({ ...b, address: 'moved:1' })],
    ]);
    expect(said).toEqual(['joined b:1', 'left b:1', 'joined moved:1']);
    expect(statuses).toEqual({ 'moved:1': 'up' });
  });

  it('asks a node by the name that it gives itself, and keeps the seed that led to it', () => {
    const b = node('b');
    const { said, contacts, statuses } = run([[0, answered(b, [], SEED)]]);
    expect(said).toEqual([]);
    expect(statuses).toEqual({});
    expect(contacts).toEqual([SEED, 'b:1']);
  });

  it('does not take itself for another behind another name', () => {
    const { said, contacts } = run([[0, answered(self, [], SEED)]]);
    expect(said).toEqual([]);
    expect(contacts).toEqual([SEED]);
  });

  it('forgets who has been down for ten minutes, but never a seed', () => {
    const { contacts, statuses } = run([
      [0, answered(seed, ['b:1', 'never:1'])],
      [0, answered(node('b'))],
      [1, { kind: 'failed', address: SEED }],
      [1, { kind: 'failed', address: 'b:1' }],
      [1, { kind: 'failed', address: 'never:1' }],
      [600_001, { kind: 'tick' }],
    ]);
    expect(contacts).toEqual([SEED]);
    expect(statuses).toEqual({ [SEED]: 'down' });
  });

  it('tells that a member left when it is forgotten before anybody noticed that it was down', () => {
    const { said } = run([
      [0, { kind: 'heard', address: 'b:1' }],
      [0, answered(node('b'))],
      [1, { kind: 'failed', address: 'b:1' }],
      [700_000, { kind: 'tick' }],
    ]);
    expect(said).toEqual(['joined b:1', 'suspected b:1', 'left b:1']);
  });

  it('asks a bounded number of addresses', () => {
    const known = Array.from({ length: 1_000 }, (_, i) => `n${i}:1`);
    expect(run([[0, answered(seed, known)]]).contacts).toHaveLength(CONTACTS_MAX);
  });

  it('does not change what it was given', () => {
    const state = startMembership(self, [SEED]);
    const before = structuredClone([...state.contacts]);
    stepMembership(state, answered(seed, ['b:1']), 0, PROFILE);
    expect([...state.contacts]).toEqual(before);
  });

  it('tells of joining and leaving in turns, and in the end of exactly those who are not down', () => {
    const names = ['b', 'c', 'd'];
    const event: fc.Arbitrary<MembershipEvent> = fc.oneof(
      fc.record({ who: fc.constantFrom(...names), at: fc.constantFrom(...names) }).map(({ who, at }) => ({
        kind: 'answered' as const,
        address: `${at}:1`,
        node: node(who, `${at}:1`),
        known: names.map((name) => `${name}:1`),
      })),
      fc.constantFrom(...names).map((name) => ({ kind: 'failed' as const, address: `${name}:1` })),
      fc.constantFrom(...names).map((name) => ({ kind: 'heard' as const, address: `${name}:1` })),
      fc.constant({ kind: 'tick' as const }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 200_000 }), event)), (steps) => {
        let state = startMembership(self, ['b:1']);
        let nowMs = 0;
        const placed = new Map<string, string>();
        for (const [passedMs, one] of steps) {
          nowMs += passedMs;
          const { state: next, changes } = stepMembership(state, one, nowMs, PROFILE);
          state = next;
          for (const { kind, member } of changes) {
            if (kind === 'joined') {
              expect(placed.has(member.id)).toBe(false);
              placed.set(member.id, member.address);
            } else if (kind === 'left') {
              expect(placed.get(member.id)).toBe(member.address);
              placed.delete(member.id);
            }
          }
          const there = membersOf(state).filter(({ status }) => status !== 'down');
          expect(new Map(there.map(({ id, address }) => [id, address]))).toEqual(placed);
        }
      }),
    );
  });
});
