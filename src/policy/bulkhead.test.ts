import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { Call } from '../core/call.js';
import { Bulkhead } from './bulkhead.js';

function start(atOnce: number, waitingMax: number) {
  const clock = new VirtualClock();
  const bulkhead = new Bulkhead(clock, 'the source', atOnce, waitingMax);
  const begun: string[] = [];
  const ends = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  const run = (name: string, waitMs = 1_000, signal?: AbortSignal) => {
    const call: Call = { deadlineAtMs: clock.monotonicMs() + waitMs, signal, reason: 'read' };
    return bulkhead.run(call, () => {
      begun.push(name);
      return new Promise<string>((resolve, reject) => ends.set(name, { resolve: () => resolve(name), reject }));
    });
  };
  return { clock, bulkhead, begun, run, end: (name: string) => ends.get(name)?.resolve(), ends };
}

describe('Bulkhead', () => {
  it('lets a number in at a time, and the others in the order in which they came', async () => {
    const { begun, run, end, bulkhead, clock } = start(2, 10);
    const all = ['a', 'b', 'c', 'd', 'e'].map((name) => run(name));
    await clock.advanceSettled(0);
    expect(begun).toEqual(['a', 'b']);
    for (const name of ['b', 'a', 'c', 'd', 'e']) {
      end(name);
      await clock.advanceSettled(0);
      expect(bulkhead.running).toBeLessThanOrEqual(2);
    }
    expect(begun).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect([bulkhead.running, clock.pending]).toEqual([0, 0]);
  });

  it('gives the place of who failed to the next, and passes the failure on', async () => {
    const { begun, run, ends, end, clock, bulkhead } = start(1, 10);
    const [first, second] = [run('a'), run('b')];
    await clock.advanceSettled(0);
    ends.get('a')?.reject(new Error('a failed'));
    await expect(first).rejects.toThrow('a failed');
    await clock.advanceSettled(0);
    expect(begun).toEqual(['a', 'b']);
    end('b');
    expect(await second).toBe('b');
    expect(bulkhead.running).toBe(0);
  });

  it('lets nobody who comes later overtake who waits', async () => {
    const { begun, run, end, clock } = start(1, 10);
    const all = [run('a'), run('b')];
    await clock.advanceSettled(0);
    end('a');
    all.push(run('c'));
    await clock.advanceSettled(0);
    expect(begun).toEqual(['a', 'b']);
    end('b');
    await clock.advanceSettled(0);
    end('c');
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c']);
  });

  it('turns away who would wait when too many do, and says so', async () => {
    const { run, end, clock, begun } = start(1, 1);
    const all = [run('a'), run('b')];
    await expect(run('c')).rejects.toMatchObject({
      code: 'overloaded',
      message: expect.stringContaining('the source'),
    });
    end('a');
    await clock.advanceSettled(0);
    end('b');
    await Promise.all(all);
    expect(begun).toEqual(['a', 'b']);
  });

  it('lets who waits go at the deadline, with the name of what was waited for', async () => {
    const { run, end, clock, begun } = start(1, 5);
    const first = run('a', 10_000);
    const late = run('late', 50);
    const patient = run('patient', 10_000);
    const refused = expect(late).rejects.toMatchObject({
      code: 'deadline',
      message: expect.stringContaining('the source'),
    });
    await clock.advanceSettled(50);
    await refused;
    end('a');
    await clock.advanceSettled(0);
    end('patient');
    expect(await Promise.all([first, patient])).toEqual(['a', 'patient']);
    expect(begun).toEqual(['a', 'patient']);
    expect(clock.pending).toBe(0);
  });

  it('lets who waits go when its caller gives up, and its place in the queue with it', async () => {
    const { run, end, clock, begun } = start(1, 1);
    const first = run('a');
    const controller = new AbortController();
    const waiting = run('b', 1_000, controller.signal);
    controller.abort(new Error('changed my mind'));
    await expect(waiting).rejects.toMatchObject({
      code: 'aborted',
      cause: expect.objectContaining({ message: 'changed my mind' }),
    });
    const next = run('c');
    end('a');
    await clock.advanceSettled(0);
    end('c');
    expect(await Promise.all([first, next])).toEqual(['a', 'c']);
    expect(begun).toEqual(['a', 'c']);
  });

  it('begins nothing for who comes too late or has given up, even when there is a place', async () => {
    const { run, begun, bulkhead } = start(1, 1);
    await expect(run('a', 0)).rejects.toMatchObject({ code: 'deadline' });
    await expect(run('b', 10, AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' });
    expect([begun, bulkhead.running]).toEqual([[], 0]);
  });
});
