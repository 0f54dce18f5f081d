import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import { type Call, waitWithin } from './call.js';
import type { Clock } from './clock.js';

const forever = new Promise<never>(() => {});

function callWithin(clock: Clock, ms: number, signal?: AbortSignal): Call {
  return { deadlineAtMs: clock.monotonicMs() + ms, signal, reason: 'read' };
}

/** What a wait comes to, and whether it has. */
function watch(wait: Promise<unknown>) {
  const seen: { outcome: unknown } = { outcome: 'waiting' };
  wait.then(
    (value) => {
      seen.outcome = value;
    },
    (thrown: { code?: string; message: string }) => {
      seen.outcome = thrown.code ?? thrown.message;
    },
  );
  return seen;
}

/** A process that stands still: its timers come late, and what arrived meanwhile is read after the first of them. */
class StallingClock extends VirtualClock {
  stallMs = 0;

  override schedule(delayMs: number, run: () => void) {
    const lateMs = this.stallMs;
    this.stallMs = 0;
    return super.schedule(delayMs + lateMs, run);
  }
}

describe('a wait', () => {
  it('ends with the work, and leaves no timer behind', async () => {
    const clock = new VirtualClock();
    expect(await waitWithin(clock, callWithin(clock, 10), 'it', Promise.resolve('done'))).toBe('done');
    await expect(waitWithin(clock, callWithin(clock, 10), 'it', Promise.reject('broken'))).rejects.toThrow('broken');
    expect(clock.pending).toBe(0);
  });

  it('ends at the deadline, with the name of what was waited for', async () => {
    const clock = new VirtualClock();
    const wait = waitWithin(clock, callWithin(clock, 10), 'the well', forever);
    const refused = expect(wait).rejects.toMatchObject({
      code: 'deadline',
      message: expect.stringContaining('the well'),
    });
    await clock.advanceSettled(10);
    await refused;
    expect(clock.pending).toBe(0);
  });

  it('ends when the caller gives up, also during the second look', async () => {
    const clock = new StallingClock();
    const controller = new AbortController();
    clock.stallMs = 5;
    const seen = watch(waitWithin(clock, callWithin(clock, 10, controller.signal), 'it', forever));
    await clock.advanceSettled(15);
    controller.abort();
    await clock.advanceSettled(0);
    expect([seen.outcome, clock.pending]).toEqual(['aborted', 0]);
  });

  it.each([
    [30, 20],
    [7, 7],
  ])('whose end is noticed %d ms late goes on for %d ms: the answer may be there, unread', async (lateMs, moreMs) => {
    const clock = new StallingClock();
    const start = () => {
      clock.stallMs = lateMs;
      let answer: (value: string) => void = () => {};
      const work = new Promise<string>((resolve) => {
        answer = resolve;
      });
      const seen = watch(waitWithin(clock, callWithin(clock, 10), 'it', work));
      return { seen, answer };
    };
    const [answered, silent] = [start(), start()];
    await clock.advanceSettled(10 + lateMs + moreMs - 1);
    answered.answer('read at last');
    await clock.advanceSettled(0);
    expect([answered.seen.outcome, silent.seen.outcome]).toEqual(['read at last', 'waiting']);
    await clock.advanceSettled(1);
    expect([silent.seen.outcome, clock.pending]).toEqual(['deadline', 0]);
  });

  it('goes on as long as whoever waits says so', async () => {
    const clock = new VirtualClock();
    const longer = [5, 3, 0];
    const seen = watch(waitWithin(clock, callWithin(clock, 10), 'it', forever, () => longer.shift() ?? 0));
    await clock.advanceSettled(17);
    expect(seen.outcome).toBe('waiting');
    await clock.advanceSettled(1);
    expect([seen.outcome, longer, clock.pending]).toEqual(['deadline', [], 0]);
  });

  it('does not begin after the deadline, nor for who has given up', async () => {
    const clock = new VirtualClock();
    const late = waitWithin(clock, callWithin(clock, 0), 'it', Promise.reject(new Error('swallowed')));
    await expect(late).rejects.toMatchObject({ code: 'deadline' });
    const gone = waitWithin(clock, callWithin(clock, 10, AbortSignal.abort()), 'it', forever);
    await expect(gone).rejects.toMatchObject({ code: 'aborted' });
    expect(clock.pending).toBe(0);
  });
});
