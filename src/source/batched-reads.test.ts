import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import type { LoadCall } from '../core/cache.js';
import { BatchedReads } from './batched-reads.js';

/** A statement that the test answers. */
interface Asked {
  readonly ids: readonly string[];
  readonly call: LoadCall;
  answer(): void;
  fail(error: Error): void;
}

let clock: VirtualClock;
let asked: Asked[];
let reads: BatchedReads<string>;

beforeEach(() => {
  clock = new VirtualClock();
  asked = [];
  reads = new BatchedReads(
    clock,
    'vehicles',
    (ids, call) =>
      new Promise((resolve, reject) => {
        const known = ids.filter((id) => !id.startsWith('no'));
        asked.push({ ids, call, answer: () => resolve(new Map(known.map((id) => [id, `value ${id}`]))), fail: reject });
      }),
  );
});

const within = (remainingMs = 1_000, signal = new AbortController().signal): LoadCall => ({ remainingMs, signal });
/** Lets everything settle that needs no time to pass. */
const settle = () => clock.advanceSettled(0);
const answerAll = async () => {
  for (let next = asked.shift(); next !== undefined; next = asked.shift()) {
    next.answer();
    await settle();
  }
};
const numbered = (count: number, from = 0) => Array.from({ length: count }, (_, index) => String(from + index));

describe('reads that come together', () => {
  it('become one statement that asks for each id once, and each caller gets its own', async () => {
    const work = [
      reads.read(['1', '2'], within()),
      reads.read(['2', 'none'], within()),
      // A few promises later, as behind a cache that was asked first.
      Promise.resolve()
        .then(() => Promise.resolve())
        .then(() => reads.read(['3', '1', '3'], within())),
    ];
    await settle();
    expect(asked.map(({ ids }) => ids)).toEqual([['1', '2', 'none', '3']]);
    await answerAll();
    expect(await Promise.all(work)).toEqual([
      new Map([
        ['1', 'value 1'],
        ['2', 'value 2'],
      ]),
      new Map([['2', 'value 2']]),
      new Map([
        ['3', 'value 3'],
        ['1', 'value 1'],
      ]),
    ]);
  });

  it('become statements of at most 1,000 ids, four at a time', async () => {
    const work = reads.read(numbered(4_500), within());
    await settle();
    expect(asked.map(({ ids }) => ids.length)).toEqual([1_000, 1_000, 1_000, 1_000]);
    asked.shift()?.answer();
    await settle();
    expect(asked.map(({ ids }) => ids.length)).toEqual([1_000, 1_000, 1_000, 500]);
    await answerAll();
    expect((await work).size).toBe(4_500);
  });

  it('share the failure of their statement, and no other', async () => {
    const failing = [reads.read(['1'], within()), reads.read(['2'], within())].map((work) =>
      expect(work).rejects.toThrow('the database is tired'),
    );
    await settle();
    asked.shift()?.fail(new Error('the database is tired'));
    await Promise.all(failing);
    const next = reads.read(['1'], within());
    await settle();
    await answerAll();
    expect(await next).toEqual(new Map([['1', 'value 1']]));
  });

  it('ask nothing for no ids', async () => {
    expect(await reads.read([], within())).toEqual(new Map());
    await settle();
    expect(asked).toEqual([]);
  });
});

describe('a read that comes later', () => {
  it('does not join a statement that was sent before it', async () => {
    const first = reads.read(['1'], within());
    await settle();
    const second = reads.read(['1'], within());
    await settle();
    expect(asked).toHaveLength(2);
    await answerAll();
    await Promise.all([first, second]);
  });

  it('gathers with others while four statements run', async () => {
    const work: Promise<unknown>[] = [];
    for (const id of numbered(4)) {
      work.push(reads.read([id], within()));
      await settle();
    }
    for (const id of numbered(3, 10)) {
      work.push(reads.read([id, '0'], within()));
      await settle();
    }
    expect(asked).toHaveLength(4);
    asked.shift()?.answer();
    await settle();
    expect(asked.at(-1)?.ids).toEqual(['10', '0', '11', '12']);
    await answerAll();
    await Promise.all(work);
  });

  it('is refused when 100,000 ids wait', async () => {
    const giving = new AbortController();
    const work = reads.read(numbered(100_000), within(1_000, giving.signal));
    await expect(reads.read(['one more'], within())).rejects.toMatchObject({ code: 'overloaded' });
    giving.abort();
    await expect(work).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('a caller that gives up', () => {
  it('at its own deadline leaves the others theirs; the statement has the latest of all', async () => {
    const hasty = expect(reads.read(['1'], within(50))).rejects.toMatchObject({
      code: 'deadline',
      message: expect.stringContaining('vehicles'),
    });
    const patient = reads.read(['2'], within(800));
    await clock.advanceSettled(60);
    await hasty;
    expect(asked[0]?.call.remainingMs).toBe(800);
    expect(asked[0]?.call.signal.aborted).toBe(false);
    await answerAll();
    expect(await patient).toEqual(new Map([['2', 'value 2']]));
    expect(clock.pending).toBe(0);
  });

  it('aborts the statement when it was the last one', async () => {
    const giving = [new AbortController(), new AbortController()];
    const work = giving.map(({ signal }) =>
      expect(reads.read(['1'], within(1_000, signal))).rejects.toMatchObject({ code: 'aborted' }),
    );
    await settle();
    giving[0]?.abort();
    expect(asked[0]?.call.signal.aborted).toBe(false);
    giving[1]?.abort();
    await Promise.all(work);
    expect(asked[0]?.call.signal.aborted).toBe(true);
  });

  it('before its statement was sent leaves nothing to ask', async () => {
    const giving = new AbortController();
    const work = expect(reads.read(['1'], within(1_000, giving.signal))).rejects.toMatchObject({ code: 'aborted' });
    giving.abort();
    await work;
    await settle();
    expect(asked).toEqual([]);
  });

  it('or has no time left asks nothing', async () => {
    await expect(reads.read(['1'], within(0))).rejects.toMatchObject({ code: 'deadline' });
    await expect(reads.read(['1'], within(9, AbortSignal.abort()))).rejects.toMatchObject({ code: 'aborted' });
    await settle();
    expect(asked).toEqual([]);
  });
});
