import { beforeEach, describe, expect, it } from 'vitest';
import type { MemberRecord } from './member.js';
import { type Hearing, MemberTable } from './member-table.js';
import { MEMBERS_MAX, MEMBERSHIP_PROFILES, REMEMBERED_MS } from './membership-profile.js';

const PROFILE = MEMBERSHIP_PROFILES.near;
const self = record('a');
let table: MemberTable;

beforeEach(() => {
  table = new MemberTable(self, PROFILE);
});

function record(name: string, change: Partial<MemberRecord> = {}): MemberRecord {
  return {
    id: name.repeat(12).slice(0, 12),
    address: `${name}:1`,
    weight: 1,
    status: 'up',
    incarnation: 5,
    buried: 0,
    leaving: false,
    degraded: false,
    settled: '',
    ...change,
  };
}

function hear(heard: MemberRecord, how: Hearing = 'news', nowMs = 0, by = 'eeeeeeeeeeee'): void {
  table.hear(heard, how, by, nowMs);
}

function kinds(): string[] {
  return table.takeChanges().map(({ kind }) => kind);
}

const b = record('b');

describe('what is known of members', () => {
  it('grows with who is heard of, and changes once for each thing that is said', () => {
    hear(b);
    hear(b);
    hear({ ...b, incarnation: 6, settled: '0123456789abcdef' });
    hear({ ...b, incarnation: 5, settled: '' });
    expect(kinds()).toEqual(['joined', 'changed']);
    expect(table.get(b.id)).toMatchObject({ incarnation: 6, settled: '0123456789abcdef' });
  });

  it('lets the worse word of one incarnation count, and the better one of a later', () => {
    hear(b);
    hear({ ...b, status: 'suspect' });
    hear(b);
    expect(table.get(b.id)?.status).toBe('suspect');
    hear({ ...b, incarnation: 6 });
    expect(table.get(b.id)?.status).toBe('up');
    hear({ ...b, status: 'suspect' });
    expect(table.get(b.id)?.status).toBe('up');
    expect(kinds()).toEqual(['joined', 'suspected', 'recovered']);
  });

  it('does not revive a dead one by old words, only by its own later ones', () => {
    hear(b);
    hear({ ...b, status: 'down' });
    hear(b, 'direct');
    hear(b, 'table');
    expect(table.there()).toEqual([]);
    hear({ ...b, incarnation: 6 });
    expect(kinds()).toEqual(['joined', 'left', 'joined']);
    expect(table.get(b.id)).toMatchObject({ status: 'up', buried: 5 });
  });

  it('remembers who is gone for a while, then forgets', () => {
    hear(b);
    hear({ ...b, status: 'down' }, 'news', 1_000);
    table.expire(1_000 + REMEMBERED_MS - 1);
    expect(table.others()).toHaveLength(1);
    table.expire(1_000 + REMEMBERED_MS);
    expect(table.others()).toEqual([]);
  });

  it('takes an old opinion that one is down for a suspicion', () => {
    hear(b);
    hear({ ...b, status: 'down' }, 'table');
    expect(table.get(b.id)).toMatchObject({ status: 'suspect', buried: 5 });
  });

  it('waits less for a suspect with each that confirms, down to the least time', () => {
    for (const name of ['b', 'c', 'd', 'e', 'f', '0', '1']) hear(record(name));
    const delays: number[] = [];
    for (const accuser of ['c', 'd', 'e', 'f', '0']) {
      hear({ ...b, status: 'suspect', accuser: accuser.repeat(12) }, 'news', 100);
      delays.push(Math.round(table.nextDownAtMs() - 100));
    }
    expect(delays).toEqual([7_500, 5_000, 3_538, 2_500, 2_500]);
    table.expire(2_599);
    expect(table.get(b.id)?.status).toBe('suspect');
    table.expire(2_600);
    expect(table.get(b.id)).toMatchObject({ status: 'down', buried: 5 });
  });

  it('refutes what is said against this node, and knows when it was buried', () => {
    hear({ ...self, status: 'suspect' });
    expect(table.self.incarnation).toBe(6);
    hear({ ...self, status: 'suspect' });
    expect(table.self.incarnation).toBe(6);
    hear({ ...self, status: 'down' });
    expect(table.self).toMatchObject({ incarnation: 7, buried: 5, status: 'up' });
    hear({ ...self, status: 'up', buried: 5 });
    expect(kinds()).toEqual(['refuted', 'buried']);
  });

  it('refutes nothing any more when it has left', () => {
    table.depart();
    hear({ ...self, status: 'down', incarnation: 9 });
    expect(table.self.status).toBe('left');
  });

  it('tells of another node with our id', () => {
    hear({ ...self, address: 'elsewhere:1', incarnation: 99 });
    expect(table.takeChanges()).toEqual([{ kind: 'twin', address: 'elsewhere:1' }]);
  });

  it('has one member at an address: who answers there, or the later one', () => {
    hear(b);
    const restarted = record('c', { address: b.address, incarnation: 4 });
    hear(restarted);
    expect(table.at(b.address)?.id).toBe(b.id);
    hear(restarted, 'direct');
    expect(table.at(b.address)?.id).toBe(restarted.id);
    expect(table.get(b.id)?.status).toBe('down');
    hear(record('d', { address: b.address, incarnation: 9 }));
    expect(table.there().map(({ id }) => id)).toEqual(['dddddddddddd']);
  });

  it('lets a member that moved leave and join', () => {
    hear(b);
    hear({ ...b, address: 'moved:1', incarnation: 6 });
    expect(
      table.takeChanges().map(({ kind, ...rest }) => `${kind} ${'member' in rest && rest.member.address}`),
    ).toEqual(['joined b:1', 'left b:1', 'joined moved:1']);
  });

  it('is bounded: the longest gone makes room, and nobody who is there', () => {
    for (let i = 0; i < MEMBERS_MAX + 10; i++) {
      hear(record('b', { id: i.toString(16).padStart(12, '0'), address: `n${i}:1` }));
    }
    expect(table.others()).toHaveLength(MEMBERS_MAX - 1);
    hear(record('b', { id: '000000000001', address: 'n1:1', status: 'down' }));
    hear(record('c'));
    expect(table.others()).toHaveLength(MEMBERS_MAX - 1);
    expect(table.get('cccccccccccc')).toBeDefined();
    expect(table.get('000000000001')).toBeUndefined();
  });

  it('has one digest for the same members, in whatever order they were met', () => {
    const other = new MemberTable(b, PROFILE);
    hear(b);
    hear(record('c'));
    other.hear(record('c'), 'news', b.id, 0);
    expect(other.digest()).not.toBe(table.digest());
    other.hear(self, 'news', b.id, 0);
    expect(other.digest()).toBe(table.digest());
    hear({ ...b, status: 'suspect' });
    expect(other.digest()).toBe(table.digest());
  });

  it('passes on what is new, a bounded number of times and in messages of bounded size', () => {
    for (let i = 0; i < 100; i++) hear(record('b', { id: i.toString(16).padStart(12, '0'), address: `n${i}:1` }));
    let told = 0;
    for (let message = 0; message < 1_000 && !table.news.empty; message++) {
      const pieces = table.news.take(101);
      expect(pieces.length).toBeLessThanOrEqual(32);
      told += pieces.length;
    }
    expect(table.news.empty).toBe(true);
    expect(told).toBe(101 * 12);
  });
});
