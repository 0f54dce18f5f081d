import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Announcement,
  afterAnnouncement,
  afterProbe,
  beforeAnnouncement,
  mayHaveLost,
  type Position,
  parseAnnouncement,
  parsePosition,
  START,
} from './sequence.js';

const at = (seq: number, id: string): Position => ({ seq, id });

describe('afterAnnouncement', () => {
  const change: Announcement = { seq: 8, previousId: 'g', id: 'h' };

  it('follows when the number is the next one and the id before it the last one seen', () => {
    expect(afterAnnouncement(at(7, 'g'), change)).toEqual({ position: at(8, 'h'), gap: false });
  });

  it('follows from the start of a stream', () => {
    expect(afterAnnouncement(START, { seq: 1, previousId: '-', id: 'a' }).gap).toBe(false);
  });

  it.each([
    ['it does not know where it was', undefined],
    ['a change is missing', at(6, 'g')],
    ['the same number was given to another change', at(7, 'x')],
    ['the stream has gone back', at(9, 'i')],
    ['the change is known already', at(8, 'h')],
    ['the stream began anew', START],
  ])('is a gap when %s, and goes on from the change', (_, last) => {
    expect(afterAnnouncement(last, change)).toEqual({ position: at(8, 'h'), gap: true });
  });
});

describe('afterProbe', () => {
  it('finds nothing missing when the server is where we are', () => {
    expect(afterProbe(at(7, 'g'), at(5, 'e'), at(7, 'g'))).toEqual({ position: at(7, 'g'), gap: false });
    expect(afterProbe(START, START, START)).toEqual({ position: START, gap: false });
  });

  it('finds nothing missing when changes behind the answer were handled before it', () => {
    expect(afterProbe(at(9, 'i'), at(7, 'g'), at(7, 'g'))).toEqual({ position: at(9, 'i'), gap: false });
    expect(afterProbe(at(9, 'i'), at(7, 'g'), at(8, 'h'))).toEqual({ position: at(9, 'i'), gap: false });
    expect(afterProbe(at(9, 'i'), undefined, at(8, 'h'))).toEqual({ position: at(9, 'i'), gap: false });
  });

  it.each([
    ['it did not know where it was', undefined, undefined, at(7, 'g')],
    ['the server is ahead', at(7, 'g'), at(7, 'g'), at(8, 'h')],
    ['the server has another change under the same number', at(7, 'g'), at(7, 'g'), at(7, 'x')],
    ['the server has gone back', at(7, 'g'), at(7, 'g'), at(6, 'f')],
    ['the server began anew', at(7, 'g'), at(7, 'g'), START],
    ['the server had another change under the number at which it was asked', at(9, 'i'), at(7, 'g'), at(7, 'x')],
    ['the server had gone back, and changes came since', at(9, 'i'), at(7, 'g'), at(3, 'c')],
  ])('is a gap when %s, and goes on from the answer', (_, last, sent, read) => {
    expect(afterProbe(last, sent, read)).toEqual({ position: read, gap: true });
  });
});

describe('mayHaveLost', () => {
  it.each([
    ['it was where we knew it to be, whoever serves it', at(7, 'g'), at(7, 'g'), false],
    ['it went on in the same history', at(7, 'g'), at(90, 'x'), true],
  ])('is not so when %s', (_, known, read, isSameHistory) => {
    expect(mayHaveLost(known, read, isSameHistory)).toBe(false);
  });

  it.each([
    ['we know nothing of it', undefined, at(7, 'g'), true],
    ['it went on in another history', at(7, 'g'), at(90, 'x'), false],
    ['it went back', at(7, 'g'), at(6, 'f'), true],
    ['it began anew', at(7, 'g'), START, true],
    ['the number belongs to another change', at(7, 'g'), at(7, 'x'), true],
  ])('is so when %s', (_, known, read, isSameHistory) => {
    expect(mayHaveLost(known, read, isSameHistory)).toBe(true);
  });

  it('takes a change for what it says of the one before it', () => {
    const next = (seq: number, previousId: string) => beforeAnnouncement({ seq, previousId, id: 'z' });
    expect(mayHaveLost(at(7, 'g'), next(10, 'x'), true)).toBe(false);
    expect(mayHaveLost(at(7, 'g'), next(8, 'x'), true)).toBe(true);
    expect(mayHaveLost(at(7, 'g'), next(1, '-'), true)).toBe(true);
  });
});

describe('a listener', () => {
  interface Stream {
    readonly changes: readonly Announcement[];
  }
  const streamOf = (length: number, ids: string): Stream => ({
    changes: Array.from({ length }, (_, i) => ({
      seq: i + 1,
      previousId: i === 0 ? START.id : `${ids}${i}`,
      id: `${ids}${i + 1}`,
    })),
  });

  it('is told of a gap, by the next change or the next probe, whatever of a stream was lost', () => {
    const scenario = fc.record({ length: fc.integer({ min: 1, max: 12 }), lost: fc.nat(), from: fc.nat() });
    fc.assert(
      fc.property(scenario, ({ length, lost, from }) => {
        const { changes } = streamOf(length, 'a');
        const missing = lost % length;
        let position: Position = START;
        let gaps = 0;
        for (const [i, change] of changes.entries()) {
          if (i === missing) continue;
          const step = afterAnnouncement(position, change);
          position = step.position;
          if (step.gap) gaps += 1;
        }
        const end = changes.at(-1)!;
        const probe = afterProbe(position, changes[from % length]!, { seq: end.seq, id: end.id });
        expect(gaps + (probe.gap ? 1 : 0)).toBe(1);
        expect(probe.position).toEqual(at(end.seq, end.id));
      }),
    );
  });

  it('is told of a gap when a stream goes on from an earlier change under other ids', () => {
    const scenario = fc.record({ seen: fc.integer({ min: 1, max: 9 }), kept: fc.nat(), added: fc.nat({ max: 12 }) });
    fc.assert(
      fc.property(scenario, ({ seen, kept, added }) => {
        const last = streamOf(seen, 'a').changes.at(-1)!;
        const survived = kept % seen;
        const other = streamOf(survived + added, 'b').changes.map((change) =>
          change.seq <= survived ? { ...change, id: `a${change.seq}` } : change,
        );
        const end = other.at(-1);
        const read: Position = end === undefined ? START : { seq: end.seq, id: end.id };
        expect(afterProbe(last, last, read).gap).toBe(true);
        const next: Announcement = { seq: read.seq + 1, previousId: read.id, id: 'c' };
        expect(afterAnnouncement(last, next).gap).toBe(true);
      }),
    );
  });
});

describe('what is kept and sent', () => {
  it('is read back', () => {
    expect(parsePosition('12:3k9z')).toEqual(at(12, '3k9z'));
    expect(parsePosition(undefined)).toEqual(START);
    expect(parseAnnouncement('12 - 3k9z some body\nwith lines')).toEqual({
      seq: 12,
      previousId: '-',
      id: '3k9z',
      body: 'some body\nwith lines',
    });
  });

  it.each(['', ':', '12', '12:', 'x:y', '1.5:y', '-1:y'])('refuses %j as a position', (held) => {
    expect(parsePosition(held)).toBeUndefined();
  });

  it.each(['', '12', '12 - a', 'x - a body', ' 12 - a body'])('refuses %j as a change', (message) => {
    expect(parseAnnouncement(message)).toBeUndefined();
  });
});
