import { beforeEach, describe, expect, it } from 'vitest';
import { makeLocation } from '../../test/contract/repository-records.js';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { LoadCall } from '../core/cache.js';
import { CacheError } from '../core/errors.js';
import { BatchedSaves } from './batched-saves.js';
import type { ReportedLocation, SavedLocation } from './fleet-records.js';

/** A statement that the test answers. */
interface Sent {
  readonly ids: readonly string[];
  commit(): void;
  fail(error: Error): void;
}

let clock: VirtualClock;
let sent: Sent[];
let saves: BatchedSaves;

/** Tells the answer for one vehicle from that for another. */
const answerFor = (id: string): SavedLocation => ({
  newest: true,
  duplicate: false,
  previous: { lat: Number(id), lon: 0, region: id },
});

beforeEach(() => {
  clock = new VirtualClock();
  sent = [];
  saves = new BatchedSaves(
    clock,
    (locations) =>
      new Promise((resolve, reject) => {
        const ids = locations.map(({ vehicleId }) => vehicleId);
        sent.push({ ids, commit: () => resolve(ids.map(answerFor)), fail: reject });
      }),
  );
});

const within = (remainingMs = 1_000, signal = new AbortController().signal): LoadCall => ({ remainingMs, signal });
const settle = () => clock.advanceSettled(0);
const numbered = (count: number, from = 0) => Array.from({ length: count }, (_, index) => String(from + index));
const live = (...ids: string[]): ReportedLocation[] => ids.map((id) => makeLocation(id));
const past = (...ids: string[]): ReportedLocation[] => live(...ids).map((location) => ({ ...location, history: true }));
const save = (reports: readonly ReportedLocation[], call = within()) => saves.save(reports, call);
const commitAll = async () => {
  for (let next = sent.shift(); next !== undefined; next = sent.shift()) {
    next.commit();
    await settle();
  }
};
const badLatitude = () =>
  new CacheError('level-failed', 'lat_check', { cause: Object.assign(new Error('check'), { code: '23514' }) });

describe('positions that come together', () => {
  it('are saved in one statement, and each caller is answered for its own when it is committed', async () => {
    const ended: string[] = [];
    const work = [['1', '2'], ['2'], ['3']].map(async (ids) => {
      const saved = await save(live(...ids));
      ended.push(...ids);
      return saved;
    });
    await settle();
    expect(sent.map(({ ids }) => ids)).toEqual([['1', '2', '2', '3']]);
    expect(ended).toEqual([]);
    await commitAll();
    expect(await Promise.all(work)).toEqual([[answerFor('1'), answerFor('2')], [answerFor('2')], [answerFor('3')]]);
    expect(clock.pending).toBe(0);
  });

  it('are saved 500 at a time, in four statements, and what comes meanwhile leaves together', async () => {
    const work = numbered(2_600).map((id) => save(live(id)));
    await settle();
    expect(sent.map(({ ids }) => ids.length)).toEqual([500, 500, 500, 500]);
    sent.shift()?.commit();
    await settle();
    expect(sent.at(-1)?.ids).toEqual(numbered(500, 2_000));
    await commitAll();
    await Promise.all(work);
  });

  it('stay together as their caller gave them, up to 500', async () => {
    const work = [save(live(...numbered(300))), save(live(...numbered(300, 300))), save(live(...numbered(700, 600)))];
    await settle();
    expect(sent.map(({ ids }) => ids.length)).toEqual([300, 300, 500, 200]);
    await commitAll();
    const saved = await Promise.all(work);
    expect(saved.flat()).toEqual(numbered(1_300).map(answerFor));
  });
});

describe('history', () => {
  it('takes one statement at a time, and live positions do not wait for it', async () => {
    const work = numbered(20).map((batch) => save(past(...numbered(500, Number(batch) * 500))));
    await settle();
    expect(sent).toHaveLength(1);
    const urgent = save(live('7'));
    await settle();
    expect(sent.map(({ ids }) => ids.length)).toEqual([500, 1]);
    sent.pop()?.commit();
    expect(await urgent).toEqual([answerFor('7')]);
    expect(sent).toHaveLength(1);
    await commitAll();
    await Promise.all(work);
  });

  it('is answered in its place beside live positions of the same call', async () => {
    const work = save([...past('1'), ...live('2'), ...past('3')]);
    await settle();
    expect(sent.map(({ ids }) => ids)).toEqual([['2'], ['1', '3']]);
    await commitAll();
    expect(await work).toEqual(['1', '2', '3'].map(answerFor));
  });
});

describe('of positions that the database refuses', () => {
  it('only those at fault fail, whoever came with them', async () => {
    const bad = new Set(['13', '40']);
    saves = new BatchedSaves(clock, async (locations) => {
      const ids = locations.map(({ vehicleId }) => vehicleId);
      sent.push({ ids, commit: () => {}, fail: () => {} });
      if (ids.some((id) => bad.has(id))) throw badLatitude();
      return ids.map(answerFor);
    });
    const ends = await Promise.allSettled(numbered(64).map((id) => save(live(id))));
    expect(ends.flatMap(({ status }, id) => (status === 'rejected' ? [String(id)] : []))).toEqual([...bad]);
    expect(sent.length).toBeLessThan(2 * 2 * 7);
  });

  it('a failure that is not about them is shared and not repeated', async () => {
    const ends = Promise.allSettled([save(live('1')), save(live('2'))]);
    await settle();
    sent[0]?.fail(new CacheError('deadline', 'PostgreSQL ended save-locations'));
    expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(sent).toHaveLength(1);
  });

  it('a wrong number of answers is a failure', async () => {
    saves = new BatchedSaves(clock, async () => []);
    await expect(save(live('1'))).rejects.toMatchObject({ code: 'level-failed' });
  });
});

describe('a caller who leaves', () => {
  it('before its positions were sent takes them along', async () => {
    const busy = numbered(4).map((batch) => save(live(...numbered(500, Number(batch) * 500))));
    await settle();
    const giving = new AbortController();
    const gone = save(live('gone'), within(1_000, giving.signal));
    const late = expect(save(live('late'), within(50))).rejects.toMatchObject({ code: 'deadline' });
    const patient = save(live('7'));
    await settle();
    giving.abort();
    await expect(gone).rejects.toMatchObject({ code: 'aborted' });
    await clock.advanceSettled(100);
    await late;
    await commitAll();
    expect(await patient).toEqual([answerFor('7')]);
    await Promise.all(busy);
    expect(clock.pending).toBe(0);
  });

  it('after that is answered as the database does, and nobody else is disturbed', async () => {
    const giving = new AbortController();
    const work = [save(live('1'), within(50, giving.signal)), save(live('2'))];
    await settle();
    giving.abort();
    await clock.advanceSettled(100);
    await commitAll();
    expect(await Promise.all(work)).toEqual([[answerFor('1')], [answerFor('2')]]);
  });

  it('before it came is told so', async () => {
    await expect(save(live('1'), within(1_000, AbortSignal.abort()))).rejects.toMatchObject({ code: 'aborted' });
    expect(sent).toEqual([]);
  });
});

it('refuses what is more than 20,000 waiting positions of a lane, whole, and takes it when there is room', async () => {
  const work = numbered(42).map((batch) => save(past(...numbered(500, Number(batch) * 500)), within(100_000)));
  const refused = expect(work.pop()).rejects.toMatchObject({
    code: 'overloaded',
    message: expect.stringMatching(/20000 positions of the past wait.*500 more.*later/),
  });
  // One statement takes 500 out of the queue only when the turn is over.
  await expect(work.pop()).rejects.toMatchObject({ code: 'overloaded' });
  await refused;
  const urgent = save(live('1'));
  await settle();
  const again = save(past(...numbered(500)), within(100_000));
  await commitAll();
  expect(await urgent).toEqual([answerFor('1')]);
  expect(await again).toHaveLength(500);
  await Promise.all(work);
});
