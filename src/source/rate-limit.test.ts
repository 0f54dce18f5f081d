import { expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import { startCall } from '../core/call.js';
import { RateLimit } from './rate-limit.js';

const clock = () => new VirtualClock();
const open = (of: VirtualClock, perSecond = 10, burst = 5) => new RateLimit(of, 'the API', { perSecond, burst });
const within = (of: VirtualClock, deadline = 10_000) => startCall(of, { deadline }, 10_000, 'read');

it('lets a burst leave at once, and the others at the rate', async () => {
  const time = clock();
  const limit = open(time);
  const leftAtMs: number[] = [];
  const startMs = time.monotonicMs();
  const all = Promise.all(
    Array.from({ length: 8 }, () => limit.enter(within(time)).then(() => leftAtMs.push(time.monotonicMs() - startMs))),
  );
  await time.advanceSettled(1_000);
  await all;
  expect(leftAtMs).toEqual([0, 0, 0, 0, 0, 100, 200, 300]);
});

it('saves up no more than a burst', async () => {
  const time = clock();
  const limit = open(time);
  await time.advanceSettled(60_000);
  for (let n = 0; n < 5; n++) await limit.enter(within(time));
  await expect(limit.enter(within(time, 50))).rejects.toMatchObject({ code: 'deadline' });
});

it('tells at once whom it could only serve too late, and takes nothing for it', async () => {
  const time = clock();
  const limit = open(time, 10, 1);
  await limit.enter(within(time));
  for (let n = 0; n < 100; n++) {
    await expect(limit.enter(within(time, 90))).rejects.toMatchObject({ code: 'deadline' });
  }
  const waits = limit.enter(within(time, 200));
  await time.advanceSettled(100);
  await waits;
});

it('leaves alone whoever says that there were too many, for longer each time, until an answer comes', async () => {
  const time = clock();
  const limit = open(time);
  const isClosed = () => expect(limit.enter(within(time))).rejects.toMatchObject({ code: 'overloaded' });
  limit.refused();
  await isClosed();
  await time.advanceSettled(999);
  await isClosed();
  await time.advanceSettled(1);
  await limit.enter(within(time));
  limit.refused();
  await time.advanceSettled(1_999);
  await isClosed();
  await time.advanceSettled(1);
  await limit.enter(within(time));
  limit.accepted();
  limit.refused();
  await time.advanceSettled(1_000);
  await limit.enter(within(time));
});
