import { describe, expect, it } from 'vitest';
import { FLOORS_MAX, type Floor } from '../core/floors.js';
import { FloorLog } from './floor-log.js';

const floor = (subject: string, ms: number): Floor => ({ scope: 'tag', subject, hlc: { ms, counter: 0 } });
const subjects = (floors: readonly Floor[] | undefined): string[] | undefined => floors?.map(({ subject }) => subject);

describe('the log of floors', () => {
  it('gives what came after a mark, in order', () => {
    const log = new FloorLog('ab');
    const start = log.mark;
    log.add(floor('a', 1));
    const middle = log.mark;
    log.add(floor('b', 2));
    log.add(floor('c', 3));
    expect(subjects(log.after(start))).toEqual(['a', 'b', 'c']);
    expect(subjects(log.after(middle))).toEqual(['b', 'c']);
    expect(log.after(log.mark)).toEqual([]);
  });

  it('does not know the marks of other logs, nor of what is yet to come', () => {
    const log = new FloorLog('ab');
    log.add(floor('a', 1));
    for (const mark of ['cd.0', 'abc.0', 'ab.2', 'ab.-1', 'ab', '', 'ab.x']) expect(log.after(mark)).toBeUndefined();
  });

  it('takes a floor once, and a higher one for the same subject again', () => {
    const log = new FloorLog('ab');
    expect(log.add(floor('a', 5))).toBe(true);
    const { mark } = log;
    expect(log.add(floor('a', 5))).toBe(false);
    expect(log.add(floor('a', 4))).toBe(false);
    expect(log.mark).toBe(mark);
    expect(log.add({ ...floor('a', 4), scope: 'pattern' })).toBe(true);
    expect(log.add(floor('a', 6))).toBe(true);
  });

  it('is bounded: forgets the older half, and marks in it', () => {
    const log = new FloorLog('ab');
    const start = log.mark;
    for (let i = 0; i < FLOORS_MAX; i++) log.add(floor(`${i}`, 1));
    const middle = log.mark;
    for (let i = 0; i < FLOORS_MAX; i++) log.add(floor(`${FLOORS_MAX + i}`, 1));
    expect(log.list()).toHaveLength(FLOORS_MAX);
    expect(log.after(start)).toBeUndefined();
    expect(subjects(log.after(middle))?.[0]).toBe(`${FLOORS_MAX}`);
    expect(log.add(floor('0', 1))).toBe(true);
    expect(log.add(floor(`${FLOORS_MAX}`, 1))).toBe(false);
  });
});
