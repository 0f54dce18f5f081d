import fc from 'fast-check';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { connectTo, type RedisConnection } from '../../src/cli/servers/redis-node.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Change } from '../../src/core/feed.js';
import { FLOOR_LIFE_MS, FLOOR_OVERTIME_MS, FLOORS_MAX, type Floor, Floors } from '../../src/core/floors.js';
import { PARTITIONS, partitionOf } from '../../src/core/key.js';
import { encodeHlc } from '../../src/core/version.js';
import { systemClock } from '../../src/node/system-clock.js';
import { makeOwnPrefix } from '../servers.js';
import { callWithin, deletedAt, RedisSubject, valueAt, versionAt } from './subject.js';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

async function open(nodes: readonly string[], prefix = makeOwnPrefix()): Promise<RedisSubject> {
  const subject = await RedisSubject.open(nodes, { prefix });
  opened.push(subject.redis);
  return subject;
}

/** For what a test does behind our back, on the single Redis. */
async function openServer(): Promise<RedisConnection> {
  const server = await connectTo(Number(inject('redisSingle').split(':')[1]), 5_000);
  opened.push({ close: () => server.destroy() });
  return server;
}

const soon = (what: string, check: () => boolean | Promise<boolean>) => waitUntil({ what, boundMs: 10_000 }, check);
const floor = (scope: Floor['scope'], subject: string, ms: number): Floor => ({
  scope,
  subject,
  hlc: { ms, counter: 0 },
});
const floorsOf = ({ changes }: RedisSubject): Floor[] =>
  changes.flatMap((change) => (change.kind === 'floor' ? [change.floor] : []));
const entry = (key: string, ms: number, deleted = false): Change => ({
  kind: 'entry',
  key,
  version: versionAt(ms),
  deleted,
});

describe.each([
  ['a Redis Cluster', () => inject('redisClusterNodes')],
  ['a single Redis', () => [inject('redisSingle')]],
])('the feed of %s', (_, nodes) => {
  it('begins with one gap for every partition, and has no other while nothing is lost', async () => {
    const { changes, known } = await open(nodes());
    const partitions = changes.map((change) => change.kind === 'gap' && change.partition);
    expect(new Set(partitions).size).toBe(PARTITIONS);
    const all = Array.from({ length: PARTITIONS }, (__, partition) => partition);
    await soon('a probe', () => known.size === PARTITIONS);
    const begunAtMs = known.get(0) as number;
    await soon('two more probes', () => all.every((one) => (known.get(one) as number) > begunAtMs + 800));
    expect(changes).toHaveLength(PARTITIONS);
  });

  it('tells every node of sets and deletes in their order, with the version that is kept', async () => {
    const writer = await open(nodes());
    const reader = await open(nodes(), writer.prefix);
    const keys = ['plain', 'with spaces and {braces}', 'नक़्शा:🚚\n\0'];
    for (const key of keys) {
      await writer.write(key, valueAt(5));
      await writer.write(key, deletedAt(7, 5));
      await writer.write(key, valueAt(8));
    }
    for (const subject of [reader, writer]) {
      await soon('the changes', () => keys.every((key) => subject.of(key).length === 3));
      for (const key of keys) {
        expect(subject.of(key)).toEqual([entry(key, 5), entry(key, 5, true), entry(key, 8)]);
        expect(subject.gapsOf(key)).toBe(1);
      }
    }
  });

  it('tells of every write of a batch', async () => {
    const subject = await open(nodes());
    const keys = Array.from({ length: 300 }, (__, i) => `batch ${i}`);
    const writes = keys.map((key) => ({ key, entry: valueAt(5), mode: 'set' as const }));
    await subject.redis.tier.write(writes, callWithin(10_000));
    await soon('the changes', () => keys.every((key) => subject.of(key).length > 0));
    expect(keys.flatMap((key) => subject.of(key))).toEqual(keys.map((key) => entry(key, 5)));
    expect(subject.changes.filter(({ kind }) => kind === 'gap')).toHaveLength(PARTITIONS);
  });

  it('says nothing of what changes nothing for anybody', async () => {
    const subject = await open(nodes());
    await subject.write('k', valueAt(5), 'fill');
    await subject.write('k', valueAt(5, 'the same, asked for later', 9), 'fill');
    await subject.write('k', valueAt(4, 'older'), 'set');
    await subject.write('k', deletedAt(3, 2), 'set');
    await subject.write('k', valueAt(6, 'newer', 10), 'fill');
    await soon('the fill of newer data', () => subject.of('k').length > 0);
    expect(subject.of('k')).toEqual([entry('k', 6)]);
  });

  it('tells of a value that went without being deleted', async () => {
    const subject = await open(nodes());
    await subject.write('k', valueAt(5));
    // Newer data, issued before a delete that only their writer knew of: neither of the two shows.
    expect((await subject.write('k', { ...valueAt(6), fence: { ms: 9, counter: 0 } })).kind).toBe('superseded');
    await soon('the changes', () => subject.of('k').length === 2);
    expect(subject.of('k')).toEqual([entry('k', 5), entry('k', 6, true)]);
  });

  it('makes a floor known to every node, and to those that start later', async () => {
    const raiser = await open(nodes());
    const other = await open(nodes(), raiser.prefix);
    const floors = [
      floor('partition', '7', 10),
      floor('tag', 'vehicle:{42} | हिन्दी', 11),
      floor('pattern', 'route:*:42', 12),
    ];
    for (const one of floors) expect(await raiser.redis.feed.raise(one, callWithin(5_000))).toEqual({ kind: 'stored' });
    await soon('the floors', () => floorsOf(other).length === floors.length);
    expect(floorsOf(other)).toEqual(floors);
    const later = await open(nodes(), raiser.prefix);
    expect(floorsOf(later)).toEqual(expect.arrayContaining(floors));
    // One that is no news is taken without a word.
    expect(await raiser.redis.feed.raise(floor('partition', '7', 9), callWithin(5_000))).toEqual({ kind: 'stored' });
    await raiser.redis.feed.raise(floor('all', '', 13), callWithin(5_000));
    await soon('the last floor', () => floorsOf(other).length > floors.length);
    expect(floorsOf(other).slice(floors.length)).toEqual([floor('all', '', 13)]);
    expect(floorsOf(await open(nodes(), raiser.prefix))).toEqual([floor('all', '', 13)]);
  });
});

describe('what the feed vouches for', () => {
  it('does not grow while it is not known which floors there are', async () => {
    const { prefix, known, errors } = await open([inject('redisSingle')]);
    await soon('a probe', () => known.size === PARTITIONS);
    const server = await openServer();
    await server.sendCommand(['SET', `${prefix}{floors}!seq`, 'nonsense']);
    const brokenAtMs = systemClock.monotonicMs();
    const complaints = () => errors.filter(({ error }) => /does not hold a position/.test(error.message)).length;
    await soon('some probes', () => complaints() >= 4);
    expect([...known.values()].filter((sinceMs) => sinceMs > brokenAtMs)).toEqual([]);
    await server.sendCommand(['DEL', `${prefix}{floors}!seq`]);
    await soon('every partition', () => [...known.values()].every((sinceMs) => sinceMs > brokenAtMs));
  });
});

describe('a connection that was lost', () => {
  it('is a gap, but nothing is lost while the same server goes on', async () => {
    const subject = await open([inject('redisSingle')]);
    const other = await open([inject('redisSingle')], subject.prefix);
    await subject.write('k', valueAt(5));
    await soon('the change', () => subject.of('k').length === 1);
    const server = await openServer();
    let versionMs = 5;
    await soon('a gap with changes that were missed', async () => {
      await server.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
      const heard = subject.of('k').length;
      for (let i = 0; i < 5; i++) await other.write('k', valueAt(++versionMs));
      await soon('the gap', () => subject.gapsOf('k') > 1);
      return subject.of('k').length < heard + 5;
    });
    expect(subject.lossesOf('k')).toBe(1);
  });
});

describe('a stream that was tampered with', () => {
  const partition = partitionOf('k');

  it.each([
    ['was lost with its history', ['DEL'], true],
    ['goes on under another history', ['SET', '1:other'], true],
    ['is ahead of what was heard', ['SET', '7:other'], false],
    ['is overwritten by somebody else', ['SET', 'nonsense'], true],
  ])('is a gap when it %s, for its partition alone, and goes on', async (_, [command = '', ...values], isLost) => {
    const subject = await open([inject('redisSingle')]);
    await subject.write('k', valueAt(5));
    await soon('the first change', () => subject.of('k').length === 1);
    const server = await openServer();
    await server.sendCommand([command, `${subject.prefix}{${partition}}!seq`, ...values]);
    await soon('the gap', () => subject.gapsOf('k') > 1);
    // The first is that of the start.
    expect(subject.lossesOf('k') > 1).toBe(isLost);
    await subject.write('k', valueAt(6));
    await soon('the second change', () => subject.of('k').length === 2);
    const elsewhere = subject.changes.filter((change) => change.kind === 'gap' && change.partition !== partition);
    expect(elsewhere).toHaveLength(PARTITIONS - 1);
  });

  it('is a gap when something else is published on its channel', async () => {
    const subject = await open([inject('redisSingle')]);
    const server = await openServer();
    await server.sendCommand(['SPUBLISH', `${subject.prefix}{${partition}}!feed`, 'hello']);
    await soon('the gap', () => subject.gapsOf('k') > 1);
    expect(subject.errors.map(({ error }) => error.message).join()).toMatch(/none of ours/);
  });

  it('is subscribed anew when what is published does not arrive', async () => {
    const subject = await open([inject('redisSingle')]);
    const server = await openServer();
    let seq = 100;
    await soon('the connection to be made again', async () => {
      await server.sendCommand(['SET', `${subject.prefix}{${partition}}!seq`, `${seq++}:other`]);
      return subject.errors.some(({ error }) => /does not deliver/.test(error.message));
    });
    const gapsBefore = subject.gapsOf('k');
    await soon('every partition to be followed again', () => subject.gapsOf('k') > gapsBefore);
    await subject.write('k', valueAt(5));
    await soon('the change', () => subject.of('k').length === 1);
  });

  it('gives back the floors that Redis has lost', async () => {
    const subject = await open([inject('redisSingle')]);
    const { prefix } = subject;
    await subject.redis.feed.raise(floor('tag', 'kept', 10), callWithin(5_000));
    await soon('the floor', () => floorsOf(subject).length === 1);
    const server = await openServer();
    await server.sendCommand(['DEL', `${prefix}{floors}!floors`, `${prefix}{floors}!seq`]);
    const kept = () => server.sendCommand(['HGET', `${prefix}{floors}!floors`, 'tag|kept']);
    await soon('the floor to be back', async () => String(await kept()) === encodeHlc({ ms: 10, counter: 0 }));
    expect(floorsOf(await open([inject('redisSingle')], prefix))).toEqual([floor('tag', 'kept', 10)]);
  });

  it('delivers within one probe a floor whose message was lost', async () => {
    const subject = await open([inject('redisSingle')]);
    const { prefix } = subject;
    const server = await openServer();
    await server.sendCommand(['HSET', `${prefix}{floors}!floors`, 'tag|silent', encodeHlc({ ms: 10, counter: 0 })]);
    await server.sendCommand(['SET', `${prefix}{floors}!seq`, '1:lost']);
    await soon('the floor', () => floorsOf(subject).length === 1);
    expect(floorsOf(subject)).toEqual([floor('tag', 'silent', 10)]);
  });
});

describe('the floors in Redis', () => {
  const sorted = (floors: readonly Floor[]) => floors.map((one) => JSON.stringify(one)).sort();
  const keptIn = async (prefix: string) => sorted(floorsOf(await open([inject('redisSingle')], prefix)));

  it('are those of Floors after any raises', async () => {
    const drawn = fc.record({
      scope: fc.constantFrom('all' as const, 'partition' as const, 'tag' as const, 'pattern' as const),
      number: fc.integer({ min: 0, max: 2 }),
      hlc: fc.record({
        // Now and then so late that what was before is too old to be kept.
        ms: fc
          .tuple(fc.integer({ min: 1, max: 9 }), fc.constantFrom(0, 0, 0, 29, 30, 31, 61))
          .map(([ms, days]) => ms + days * 86_400_000),
        counter: fc.constantFrom(0, 1),
      }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(drawn, { maxLength: 12 }), async (raises) => {
        const subject = await open([inject('redisSingle')]);
        const model = new Floors();
        for (const { scope, number, hlc } of raises) {
          const raised: Floor = { scope, subject: scope === 'all' ? '' : String(number), hlc };
          model.raise(raised);
          await subject.redis.feed.raise(raised, callWithin(5_000));
        }
        expect(await keptIn(subject.prefix)).toEqual(sorted(model.list()));
        await Promise.all(opened.splice(0).map((one) => one.close()));
      }),
      { numRuns: 15 },
    );
  });

  it('become one floor over everything when they are too old', async () => {
    const subject = await open([inject('redisSingle')]);
    const raise = (tag: string, ms: number) => subject.redis.feed.raise(floor('tag', tag, ms), callWithin(5_000));
    await raise('old', 10);
    await raise('as old', 20);
    await raise('younger', 20 + 2 * FLOOR_OVERTIME_MS);
    const nowMs = 20 + FLOOR_LIFE_MS + FLOOR_OVERTIME_MS;
    await raise('now', nowMs);
    const kept = [
      floor('all', '', 20),
      floor('tag', 'younger', 20 + 2 * FLOOR_OVERTIME_MS),
      floor('tag', 'now', nowMs),
    ];
    expect(await keptIn(subject.prefix)).toEqual(sorted(kept));
  });

  it('become one floor over everything, the older half of them, when there are too many', async () => {
    const subject = await open([inject('redisSingle')]);
    const model = new Floors();
    const raises = Array.from({ length: FLOORS_MAX + 1 }, (_, i) => floor('tag', String(i), 1_000 + ((i * 7) % 4_097)));
    for (let from = 0; from < raises.length; from += 256) {
      const some = raises.slice(from, from + 256);
      for (const one of some) model.raise(one);
      await Promise.all(some.map((one) => subject.redis.feed.raise(one, callWithin(10_000))));
    }
    expect(model.list()[0]?.scope).toBe('all');
    expect(await keptIn(subject.prefix)).toEqual(sorted(model.list()));
  });

  it('are not vouched for while they cannot be read, nor is anything that they may concern', async () => {
    const subject = await open([inject('redisSingle')]);
    const server = await openServer();
    await server.sendCommand(['SET', `${subject.prefix}{floors}!floors`, 'nonsense']);
    await server.sendCommand(['SET', `${subject.prefix}{floors}!seq`, '9:lost']);
    await soon('a failed reading of the floors', () =>
      subject.errors.some(({ error }) => /WRONGTYPE/.test(error.message)),
    );
    const failedAtMs = systemClock.monotonicMs();
    subject.known.clear();
    const again = () => subject.errors.filter(({ error }) => /WRONGTYPE/.test(error.message)).length >= 4;
    await soon('three more failed readings', again);
    expect([...subject.known.values()].filter((sinceMs) => sinceMs > failedAtMs)).toEqual([]);
    await server.sendCommand(['DEL', `${subject.prefix}{floors}!floors`]);
    await soon('all to be vouched for again', () => subject.known.size === PARTITIONS);
  });
});
