/** A process that stalls, or is asked to end, in the middle of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scenario } from '../scenario.js';
import { Broken } from '../verdict.js';
import { expectThat, reached, timeUntil } from '../waiting.js';

const END_BOUND_MS = 10_000;
const ANSWER_BOUND_MS = 2_000;

const termination: Scenario = {
  id: 'S29',
  title: 'a set in flight when the process gets SIGTERM',
  limitMs: 60_000,
  run: (stage) =>
    stage.part('', async () => {
      const [a, b] = await stage.processes([0, 0]);
      const key = stage.key('written');
      await a!.cache.set(key, 'old');
      await stage.redis.kill('SIGSTOP');
      const writing = a!.cache.set(key, 'new').then(
        (told) => ({ told }),
        (thrown: unknown) => ({ thrown }),
      );
      await sleep(50);
      a!.cache.signal('SIGTERM');
      await sleep(100);
      await stage.redis.kill('SIGCONT');
      await reached('the end of the process', END_BOUND_MS, a!.cache.ended);
      const result = await writing;
      if ('thrown' in result) {
        if (result.thrown instanceof Broken) throw new Broken(`neither drained nor reported: ${result.thrown.message}`);
        return 'reported: it rejects';
      }
      if (result.told === 'failed' || result.told === 'queued') return `reported: ${result.told}`;
      // It has not asked a Redis before that stood still a moment ago: no answer in time is no answer of Redis.
      let value: unknown;
      await timeUntil(ANSWER_BOUND_MS, async () => {
        value = await b!.cache.get(key);
        return value !== undefined;
      });
      expectThat(value === 'new', `says that it is done, but another node reads ${JSON.stringify(value)}`);
      return 'drained';
    }),
};

const STALL_MS = 2_000;
const BOUND_MS = 1_000;
const ATTEMPTS = 5;

const stall: Scenario = {
  id: 'S30',
  title: 'event loop of one node stalls 2 s while another deletes',
  quick: ['single'],
  limitMs: 60_000,
  run: (stage) =>
    stage.part('', async () => {
      const [a, b] = await stage.processes([0, 0]);
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const key = stage.key('deleted');
        await b!.cache.set(key, 'old');
        await stage.holds(a!.cache, [key], 'old');
        const stalling = a!.cache.stallThenRead(STALL_MS, key);
        await sleep(STALL_MS / 10);
        const deletingMs = Date.now();
        await b!.cache.delete(key);
        const deletedMs = Date.now();
        const { value, flagged, startedMs, endedMs } = await stalling;
        // Only then was it what this is about.
        if (startedMs > deletingMs || endedMs < deletedMs + BOUND_MS) continue;
        expectThat(value === undefined || flagged, 'the first read after the stall says what was deleted');
        return flagged ? 'flagged' : 'fresh';
      }
      throw new Error(`this machine is too busy: in ${ATTEMPTS} attempts no delete fell into the stall`);
    }),
};

export const processes: readonly Scenario[] = [termination, stall];
