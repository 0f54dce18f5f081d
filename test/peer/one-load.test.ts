import { afterEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Cache } from '../../src/core/cache.js';
import { HLC_ZERO } from '../../src/core/hlc.js';
import { type Composition, compose } from '../../src/node/compose.js';
import type { Peers } from '../../src/peer/peers.js';
import { HeldSource } from '../held-source.js';
import { makeOwnPrefix, useOwnRedis } from '../servers.js';
import { call, type PeerNode, SECRET, startNode } from './peer-nodes.js';

const soon = (what: string, check: () => boolean | Promise<boolean>) => waitUntil({ what, boundMs: 20_000 }, check);

const own = useOwnRedis();

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

/** Callers and nodes patient enough for a machine that is busy with other tests. */
const deadlines = { read: 20_000, load: 20_000, write: 20_000 };

async function openNodes(count: number, prefix: string | undefined): Promise<Composition[]> {
  const nodes: Composition[] = [];
  for (let i = 0; i < count; i++) {
    const seeds = nodes.slice(0, 1).flatMap(({ peerAddress }) => peerAddress ?? []);
    const node = await compose({
      peers: { listen: '127.0.0.1:0', seeds, secret: SECRET, timeout: 5_000, profile: 'far' },
      ...(prefix !== undefined && { redis: { nodes: [own.node.address], prefix } }),
      deadlines,
    });
    opened.push(node.cache);
    nodes.push(node);
  }
  return nodes;
}

function stateOf(node: Composition, level: 'peer' | 'distributed') {
  return node.health().levels.find((one) => one.level === level);
}

async function untilJoined(nodes: readonly Composition[], count: number): Promise<void> {
  await soon('the peers to know each other', () =>
    nodes.every((node) => stateOf(node, 'peer')?.state === 'ok' && (stateOf(node, 'peer')?.parts ?? 0) >= count),
  );
}

describe.each([
  ['have no Redis', undefined],
  ['have lost their Redis', 'SIGKILL'],
  ['have a Redis that is frozen', 'SIGSTOP'],
] as const)('the nodes of a city that %s', (_, signal) => {
  afterEach(async () => {
    if (signal !== undefined) await own.node.restart();
  });

  async function openCity(count: number): Promise<Cache[]> {
    const nodes = await openNodes(count, signal === undefined ? undefined : makeOwnPrefix());
    await untilJoined(nodes, count);
    if (signal !== undefined) {
      await soon('Redis', () => nodes.every((node) => stateOf(node, 'distributed')?.state === 'ok'));
      await own.node.kill(signal);
    }
    return nodes.map(({ cache }) => cache);
  }

  it('load a cold key once, however many ask', async () => {
    const city = await openCity(4);
    const source = new HeldSource();
    const keys = Array.from({ length: 10 }, (__, i) => `vehicle:location:${i}`);
    const asked = keys.flatMap((key) =>
      city.flatMap((node) => Array.from({ length: 25 }, () => node.getOrLoad(key, source.load(key)))),
    );
    const answers = await Promise.all(asked);
    expect([...source.loads].sort()).toEqual(keys);
    expect(new Set(answers).size).toBe(keys.length);
  });

  it('load again what was deleted while one of them loaded it', async () => {
    const [a, b, c] = (await openCity(3)) as [Cache, Cache, Cache];
    const source = new HeldSource();
    source.hold();
    const before = a.getOrLoad('k', source.load('k'));
    await soon('the first load', () => source.loads.length === 1);
    await b.delete('k');
    const after = [b, c].map((node) => node.getOrLoad('k', source.load('k')));
    await soon('the second load', () => source.loads.length === 2);
    source.letGo();
    expect(await before).toBe('k, load 1');
    expect(await Promise.all(after)).not.toContain('k, load 1');
    // One of them may be spare: what is asked for just after a delete elsewhere may be dated before it, and is refused.
    expect(source.loads.length).toBeLessThanOrEqual(3);
    let kept: unknown[] = [];
    await soon('one value on every node', async () => {
      kept = await Promise.all([a, b, c].map((node) => node.getOrLoad('k', source.load('k'))));
      return new Set(kept).size === 1;
    });
    expect(kept).not.toContain('k, load 1');
  });

  it('let the next one load when a load has failed', async () => {
    const [a, b] = (await openCity(2)) as [Cache, Cache];
    const source = new HeldSource();
    let fail: ((error: Error) => void) | undefined;
    const failing = a.getOrLoad('k', () => {
      return new Promise((__, reject) => {
        fail = reject;
      });
    });
    const failed = expect(failing).rejects.toThrow('the source is down');
    await soon('the load', () => fail !== undefined);
    const waiting = b.getOrLoad('k', source.load('k'));
    fail?.(new Error('the source is down'));
    await failed;
    expect(await waiting).toBe('k, load 1');
  });
});

describe('the nodes of a city that have no Redis, when one of them dies', () => {
  /** Three nodes, and a fourth that dies without a word to anybody when it is closed. */
  async function openWithMortal(): Promise<{ city: Cache[]; mortal: Peers }> {
    const nodes = await openNodes(3, undefined);
    const { peers }: PeerNode = await startNode({ seeds: [nodes[0]?.peerAddress ?? ''], profile: 'far' });
    opened.push(peers);
    await untilJoined(nodes, 4);
    await soon('the fourth to know the others', () => peers.members().length === 3);
    return { city: nodes.map(({ cache }) => cache), mortal: peers };
  }

  /** A key whose first owner the mortal one is, or is not. */
  function keyOf(mortal: Peers, isOwned: boolean): string {
    const keys = Array.from({ length: 1_000 }, (_, i) => `key ${i}`);
    const found = keys.find((key) => (mortal.ownersOf(key)[0]?.address === mortal.address) === isOwned);
    if (found === undefined) throw new Error('no such key');
    return found;
  }

  it.each([true, false])('load once more what it was loading; as an owner of the key: %s', async (isOwned) => {
    const { city, mortal } = await openWithMortal();
    const key = keyOf(mortal, isOwned);
    const [answer] = await mortal.leases.acquire([key], 'mortal', HLC_ZERO, call());
    expect(answer?.kind).toBe('granted');
    const source = new HeldSource();
    const waiting = city.map((node) => node.getOrLoad(key, source.load(key)));
    await mortal.close();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([`${key}, load 1`]));
    expect(source.loads).toEqual([key]);
  });

  it('load at most once more what another one loads by its leave', async () => {
    const { city, mortal } = await openWithMortal();
    const [a, b, c] = city as [Cache, Cache, Cache];
    const key = keyOf(mortal, true);
    const source = new HeldSource();
    source.hold();
    const first = a.getOrLoad(key, source.load(key));
    await soon('the load', () => source.loads.length === 1);
    await mortal.close();
    const others = [b, c].map((node) => node.getOrLoad(key, source.load(key)));
    await soon('the next owner to let one of them load', () => source.loads.length === 2);
    source.letGo();
    expect(await first).toBe(`${key}, load 1`);
    for (const answer of await Promise.all(others)) expect(answer).toMatch(/^key \d+, load [12]$/);
    expect(source.loads).toHaveLength(2);
  });
});
