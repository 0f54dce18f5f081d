import { afterEach, expect, it } from 'vitest';
import { type Composition, compose } from '../../src/node/compose.js';
import type { CacheConfig } from '../../src/node/config.js';
import { SECRET, until } from './peer-nodes.js';

const opened: Composition[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ cache }) => cache.close()));
});

const L1_ENTRIES = 100;
/** Callers and nodes patient enough for a machine that is busy with other tests. */
const deadlines = { read: 20_000, load: 20_000, write: 20_000 };

async function open(config: CacheConfig): Promise<Composition> {
  const seeds = opened.slice(0, 1).flatMap(({ peerAddress }) => peerAddress ?? []);
  const peers = { listen: '127.0.0.1:0', seeds, secret: SECRET, replicas: 1, timeout: 5_000, profile: 'far' } as const;
  const node = await compose({ ...config, deadlines, peers });
  opened.push(node);
  return node;
}

/** Members, this node included, as `health` says. */
function partsOf(node: Composition): number {
  return node.health().levels.find(({ level }) => level === 'peer')?.parts ?? 0;
}

it('a key that many ask for stays in the memory of one that asks once, though that is full of others', async () => {
  const owner = await open({});
  const crowd = await open({ nearCache: false });
  const reader = await open({ local: { maxEntries: L1_ENTRIES } });
  await until('the nodes know each other', () => opened.every((node) => partsOf(node) === 3));
  const owned = (prefix: string, count: number): string[] =>
    Array.from({ length: 20 * count }, (_, i) => `${prefix}:${i}`)
      .filter((key) => reader.ownersOf(key)[0] === owner.peerAddress)
      .slice(0, count);
  const candidates = owned('hot', 50);
  const before = owned('before', 2 * L1_ENTRIES);
  const afterwards = owned('afterwards', 2 * L1_ENTRIES);
  await owner.cache.setMany([...candidates, ...before, ...afterwards].map((key) => [key, { key }] as const));
  await reader.cache.getMany(before);

  // Hot is what is asked for often within a second; on a machine that stands still for so long, the next one is.
  let hot = '';
  let tried = 0;
  await until('the reader is told of a hot key', async () => {
    const key = candidates[tried] as string;
    const told = crowd.cache.stats().hotAnswers;
    for (let reads = 0; reads < 200 && crowd.cache.stats().hotAnswers === told; reads++) await crowd.cache.get(key);
    expect(await reader.cache.get(key)).toEqual({ key });
    hot = key;
    tried += 1;
    return reader.cache.stats().hotAnswers > 0;
  });

  const cold = afterwards[0] as string;
  // A copy is asked for anew after 0.8 s, and a slow machine takes longer for the others: then once more.
  await until('it is read from memory after all others', async () => {
    await reader.cache.get(hot);
    for (const key of afterwards) await reader.cache.get(key);
    const { hits, levels } = reader.cache.stats();
    expect(await reader.cache.get(hot)).toEqual({ key: hot });
    const after = reader.cache.stats();
    return after.hits - hits === 1 && after.levels.peer?.hits === levels.peer?.hits;
  });
  const after = reader.cache.stats();
  expect(after.levels.local?.entries).toBe(L1_ENTRIES);
  // What was asked for after it, but not often, has gone.
  expect(reader.cache.peek(cold)).toBeUndefined();
  // Who has no memory of that kind keeps nothing, and reads all the same.
  expect(crowd.cache.stats().levels.local?.entries).toBe(0);
  expect(await crowd.cache.get(hot)).toEqual({ key: hot });
});
