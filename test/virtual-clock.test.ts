import { describe, expect, it } from 'vitest';
import { VirtualClock } from './virtual-clock.js';

describe('VirtualClock', () => {
  it('runs what comes due in the order of time, then of asking, each at its instant', () => {
    const clock = new VirtualClock();
    const startMs = clock.monotonicMs();
    const ran: string[] = [];
    const note = (name: string) => () => ran.push(`${name}@${clock.monotonicMs() - startMs}`);
    clock.schedule(20, note('b'));
    clock.schedule(10, note('a'));
    clock.schedule(20, note('c'));
    clock.schedule(31, note('late'));
    clock.advance(30);
    expect(ran).toEqual(['a@10', 'b@20', 'c@20']);
    expect(clock.monotonicMs() - startMs).toBe(30);
    expect(clock.pending).toBe(1);
  });

  it('runs what a callback schedules when it falls into the same stretch', () => {
    const clock = new VirtualClock();
    const ran: number[] = [];
    const again = () => {
      ran.push(clock.monotonicMs());
      if (ran.length < 3) clock.schedule(5, again);
    };
    clock.schedule(5, again);
    const startMs = clock.monotonicMs();
    clock.advance(12);
    expect(ran.map((atMs) => atMs - startMs)).toEqual([5, 10]);
  });

  it('forgets what is cancelled', () => {
    const clock = new VirtualClock();
    let ran = false;
    const cancel = clock.schedule(1, () => {
      ran = true;
    });
    cancel();
    cancel();
    clock.advance(10);
    expect(ran).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it('moves both times together, and only the wall one in a jump', () => {
    const clock = new VirtualClock();
    const [monotonicMs, wallMs] = [clock.monotonicMs(), clock.wallMs()];
    clock.advance(7);
    clock.jumpWall(-3_600_000);
    expect(clock.monotonicMs() - monotonicMs).toBe(7);
    expect(clock.wallMs() - wallMs).toBe(7 - 3_600_000);
  });

  it('lets promises settle between callbacks when asked to', async () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    clock.schedule(1, () => void Promise.resolve().then(() => order.push('promise of the first')));
    clock.schedule(2, () => order.push('second'));
    await clock.advanceSettled(2);
    expect(order).toEqual(['promise of the first', 'second']);
  });
});
