import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Entry } from '../../src/core/entry.js';
import { NO_PAYLOAD } from '../../src/core/entry.js';
import type { HeldCopy } from '../../src/core/tier.js';
import { callWithin, deletedAt, RedisSubject, textOf, valueAt } from './subject.js';

const LARGE_BYTES = 8_192;

describe.each([
  ['a Redis Cluster', () => inject('redisClusterNodes')],
  ['a single Redis', () => [inject('redisSingle')]],
])('copies that are held, read from %s', (_, nodes) => {
  let subject: RedisSubject;
  beforeAll(async () => {
    subject = await RedisSubject.open(nodes());
  });
  afterAll(() => subject.redis.close());

  const copyOf = (entry: Entry, sizeBytes = LARGE_BYTES): HeldCopy => ({
    entry: { ...entry, payload: NO_PAYLOAD },
    sizeBytes,
  });
  const readWith = (copies: ReadonlyMap<string, HeldCopy>, keys = [...copies.keys()]) =>
    subject.redis.tier.read(keys, callWithin(10_000), undefined, (key) => copies.get(key));

  it('are confirmed when large, and sent when small', async () => {
    const entry = valueAt(5);
    await subject.write('large', entry);
    await subject.write('small', entry);
    const copies = new Map([
      ['large', copyOf(entry)],
      ['small', copyOf(entry, 400)],
    ]);
    expect(await readWith(copies)).toEqual([
      { kind: 'found', entry: copies.get('large')?.entry, same: true },
      { kind: 'found', entry: expect.objectContaining({ payload: entry.payload }) },
    ]);
  });

  it('are not confirmed by another version, fill, fence or kind: what there is now comes whole', async () => {
    const held = valueAt(5, 'held', 6);
    const now: [string, Entry][] = [
      ['newer', valueAt(7, 'newer')],
      ['older', valueAt(4, 'older')],
      ['filled again', valueAt(5, 'the same data', 9)],
      ['behind a later fence', { ...held, fence: { ms: 3, counter: 0 } }],
      ['deleted', deletedAt(9, 5)],
    ];
    for (const [key, entry] of now) await subject.write(key, entry);
    const outcomes = await readWith(new Map(now.map(([key]) => [key, copyOf(held)])));
    expect(outcomes.map(textOf)).toEqual(['newer', 'older', 'the same data', 'held', '']);
    expect(outcomes.filter((outcome) => outcome.kind === 'found' && outcome.same === true)).toEqual([]);
    expect(outcomes[4]).toMatchObject({ kind: 'found', entry: { kind: 'tombstone' } });
  });

  it('come in the order of the keys, among others and what is not there', async () => {
    const keys = Array.from({ length: 40 }, (__, i) => `among ${i}`);
    const copies = new Map<string, HeldCopy>();
    for (const [i, key] of keys.entries()) {
      if (i % 4 !== 0) await subject.write(key, valueAt(i % 4 === 3 ? 6 : 5, key));
      if (i % 2 === 0 || i % 4 === 3) copies.set(key, copyOf(valueAt(5, key)));
    }
    const outcomes = await readWith(copies, keys);
    const seen = outcomes.map((outcome) =>
      outcome.kind === 'found' && outcome.same === true ? 'same' : textOf(outcome),
    );
    expect(seen).toEqual(keys.map((key, i) => ['miss', key, 'same', key][i % 4]));
  });
});
