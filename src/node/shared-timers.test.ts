import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SharedTimers } from './shared-timers.js';

/** What `start` schedules to happen, in order; all of it has a bound of a few seconds. */
async function happened(count: number, start: (note: (name: string) => () => void) => void): Promise<string[]> {
  const events: string[] = [];
  start((name) => () => void events.push(name));
  for (let n = 0; n < 500 && events.length < count; n++) await sleep(10);
  return events;
}

describe('SharedTimers', () => {
  it('runs what is due, the earlier first, and what is due together in the order of asking', async () => {
    const timers = new SharedTimers();
    const events = await happened(4, (note) => {
      timers.schedule(60, note('late'));
      timers.schedule(20, note('a'));
      timers.schedule(20, note('b'));
      timers.schedule(0, note('now'));
    });
    expect(events).toEqual(['now', 'a', 'b', 'late']);
  });

  it('runs nothing before its time', async () => {
    const timers = new SharedTimers();
    const startedMs = performance.now();
    const tookMs = await Promise.all(
      Array.from({ length: 40 }, (_, n) => {
        const delayMs = 10 + n / 3;
        return new Promise<number>((resolve) => {
          timers.schedule(delayMs, () => resolve(performance.now() - startedMs - delayMs));
        });
      }),
    );
    expect(tookMs.filter((ms) => ms < 0)).toEqual([]);
  });

  it('runs nothing that was taken back, wherever among the others it stood, and taking back twice is nothing', async () => {
    const timers = new SharedTimers();
    const events = await happened(3, (note) => {
      const cancels = ['first', 'kept', 'middle', 'also kept', 'last'].map((name) => timers.schedule(30, note(name)));
      for (const at of [2, 0, 4, 2, 0]) cancels[at]?.();
      timers.schedule(50, note('end'));
    });
    expect(events).toEqual(['kept', 'also kept', 'end']);
  });

  it('lets one that runs take back another that is due with it', async () => {
    const timers = new SharedTimers();
    const events = await happened(2, (note) => {
      let cancel = (): void => {};
      timers.schedule(30, () => cancel());
      timers.schedule(30, note('stays'));
      cancel = timers.schedule(30, note('taken back'));
      timers.schedule(50, note('end'));
    });
    expect(events).toEqual(['stays', 'end']);
  });
});
