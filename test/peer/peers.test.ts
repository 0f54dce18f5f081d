import { afterEach, describe, expect, it } from 'vitest';
import { type Entry, NO_TAGS } from '../../src/core/entry.js';
import { CacheError } from '../../src/core/errors.js';
import type { Floor } from '../../src/core/floors.js';
import type { Outcome, WriteOutcome } from '../../src/core/outcome.js';
import { systemClock } from '../../src/node/system-clock.js';
import type { MemberStatus } from '../../src/peer/member.js';
import { MEMBERSHIP_PROFILES } from '../../src/peer/membership-profile.js';
import type { PeersOptions } from '../../src/peer/peers.js';
import {
  call,
  type FreezableNode,
  type PeerNode,
  startFreezable,
  startNode,
  startNodes,
  stopNodes,
  until,
  untilAllUp,
} from './peer-nodes.js';

/** Who does not answer is soon suspect, and stays it. */
const PATIENT = { profile: { ...MEMBERSHIP_PROFILES.local, suspicionPeriods: 200 } };
/** Who does not answer is soon down. */
const QUICK = { profile: MEMBERSHIP_PROFILES.local };

const running: PeerNode[] = [];
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await stopNodes(running.splice(0));
});

async function start(change: Partial<PeersOptions> = {}): Promise<PeerNode> {
  const node = await startNode(change);
  running.push(node);
  return node;
}

async function startAll(count: number, change: Partial<PeersOptions> = {}): Promise<PeerNode[]> {
  const nodes = await startNodes(count, change);
  running.push(...nodes);
  return nodes;
}

/** Two nodes, and a third that can be frozen. */
async function startWithFreezable(change: Partial<PeersOptions> = {}) {
  const [first, second] = (await startAll(2, change)) as [PeerNode, PeerNode];
  const third: FreezableNode = await startFreezable({ seeds: [first.peers.address], ...change });
  running.push(third);
  stops.push(() => third.proxy.close());
  await untilAllUp([first, second, third]);
  return { first, second, third };
}

function entry(text: string, atMs = Date.now()): Entry {
  return {
    kind: 'value',
    payload: new TextEncoder().encode(text),
    version: { eventTimeMs: atMs, hlc: { ms: atMs, counter: 0 }, origin: 1 },
    fillStart: { ms: atMs, counter: 0 },
    fence: { ms: 0, counter: 0 },
    createdAtMs: Date.now(),
    freshUntilMs: Date.now() + 600_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags: NO_TAGS,
  };
}

async function write(node: PeerNode, keys: readonly string[], waitMs?: number): Promise<readonly WriteOutcome[]> {
  const writes = keys.map((key) => ({ key, entry: entry(`value of ${key}`), mode: 'set' as const }));
  return node.peers.tier.write(writes, call(waitMs));
}

async function read(node: PeerNode, keys: readonly string[], waitMs?: number): Promise<string[]> {
  return (await node.peers.tier.read(keys, call(waitMs))).map(textOf);
}

function textOf(outcome: Outcome): string {
  if (outcome.kind === 'found') return new TextDecoder().decode(outcome.entry.payload);
  return outcome.kind === 'skipped' ? outcome.why : outcome.kind;
}

/** Keys of which `owned` says who owns them, as seen by `node`. */
function keysOwned(node: PeerNode, owned: (addresses: readonly string[]) => boolean, count = 20): string[] {
  const keys: string[] = [];
  for (let i = 0; keys.length < count; i++) {
    const key = `key:${i}`;
    if (owned(node.peers.ownersOf(key).map(({ address }) => address))) keys.push(key);
  }
  return keys;
}

const valuesOf = (keys: readonly string[]): string[] => keys.map((key) => `value of ${key}`);

function statusOf(node: PeerNode, of: PeerNode): MemberStatus | undefined {
  return node.peers.members().find(({ address }) => address === of.peers.address)?.status;
}

describe('three peers', () => {
  it('know each other through one seed, and agree on who owns what', async () => {
    const nodes = await startAll(3);
    expect(new Set(nodes.map(({ peers }) => peers.epoch())).size).toBe(1);
    for (const key of ['a', 'b', 'vehicle:location:42']) {
      const owners = nodes.map(({ peers }) => peers.ownersOf(key).map(({ id }) => id));
      expect(new Set(owners.map((ids) => ids.join())).size).toBe(1);
      expect(new Set(owners[0]).size).toBe(2);
    }
  });

  it('find at every node what was written at any, and each keeps only what it owns', async () => {
    const nodes = await startAll(3);
    const keys = Array.from({ length: 300 }, (_, i) => `vehicle:location:${i}`);
    const outcomes = await write(nodes[0]!, keys);
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['stored']));
    for (const node of nodes) expect(await read(node, keys)).toEqual(valuesOf(keys));
    const owned = nodes.map((node) => keysOwnedAmong(node, keys));
    expect(nodes.map(({ peers }) => peers.store.entries)).toEqual(owned);
    expect(owned.reduce((sum, count) => sum + count, 0)).toBe(600);
  });

  it('find everything while one of them is dead, and give its keys to the others', async () => {
    const [first, second, third] = (await startAll(3, QUICK)) as [PeerNode, PeerNode, PeerNode];
    const keys = Array.from({ length: 300 }, (_, i) => `key:${i}`);
    await write(first, keys);
    await third.peers.close();
    running.splice(running.indexOf(third), 1);
    expect(await read(first, keys)).toEqual(valuesOf(keys));
    expect(await read(second, keys)).toEqual(valuesOf(keys));
    await until('it is gone', () => [first, second].every((node) => statusOf(node, third) === undefined));
    expect(first.peers.epoch()).toBe(second.peers.epoch());
    for (const key of keys)
      expect(first.peers.ownersOf(key).map(({ address }) => address)).not.toContain(third.peers.address);
    expect(await read(second, keys)).toEqual(valuesOf(keys));
    await write(second, keys);
    expect([first.peers.store.entries, second.peers.store.entries]).toEqual([300, 300]);
  });

  it('find everything that another owner has while one is frozen, without waiting for it', async () => {
    const { first, third } = await startWithFreezable(PATIENT);
    const frozen = third.peers.address;
    const shared = keysOwned(first, (owners) => owners.includes(frozen));
    await write(first, shared);
    third.proxy.freeze();
    expect(await read(first, shared, 20_000)).toEqual(valuesOf(shared));
  });

  it('miss within the deadline what a frozen owner might have, and at once when it is suspect', async () => {
    const { first, third } = await startWithFreezable(PATIENT);
    const shared = keysOwned(
      first,
      (owners) => owners.includes(third.peers.address) && owners.includes(first.peers.address),
    );
    third.proxy.freeze();
    expect(new Set(await read(first, shared, 100))).toEqual(new Set(['miss']));
    await until('it is suspect', () => statusOf(first, third) === 'suspect');
    const startedMs = systemClock.monotonicMs();
    expect(new Set(await read(first, shared, 25_000))).toEqual(new Set(['miss']));
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(20_000);
  });

  it('say that there is no owner to ask when the only one is suspect', async () => {
    const { first, third } = await startWithFreezable({ replicas: 1, ...PATIENT });
    const only = keysOwned(first, (owners) => owners[0] === third.peers.address);
    third.proxy.freeze();
    await until('it is suspect', () => statusOf(first, third) === 'suspect');
    expect(new Set(await read(first, only))).toEqual(new Set(['no-owner']));
  });

  it('end a write in time while an owner is frozen, and do not call it stored', async () => {
    const { first, third } = await startWithFreezable(PATIENT);
    const shared = keysOwned(first, (owners) => owners.includes(third.peers.address));
    third.proxy.freeze();
    const outcomes = await write(first, shared, 200);
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['failed']));
    await until('it is suspect', () => statusOf(first, third) === 'suspect');
    const startedMs = systemClock.monotonicMs();
    await write(first, shared, 25_000);
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(20_000);
  });

  it('take back one that thawed, and one that is restarted at its address', async () => {
    const { first, second, third } = await startWithFreezable(QUICK);
    const epoch = first.peers.epoch();
    third.proxy.freeze();
    await until('it is down', () => statusOf(first, third) === 'down');
    expect(first.peers.epoch()).not.toBe(epoch);
    third.proxy.thaw();
    await untilAllUp([first, second, third]);
    expect(first.peers.epoch()).toBe(epoch);

    const listen = second.peers.address;
    await second.peers.close();
    running.splice(running.indexOf(second), 1);
    const restarted = await start({ listen, seeds: [first.peers.address], ...QUICK });
    await untilAllUp([first, restarted, third]);
    await until('all agree', () => new Set([first, restarted, third].map(({ peers }) => peers.epoch())).size === 1);
    const keys = ['x', 'y', 'z'];
    await write(first, keys);
    expect(await read(restarted, keys)).toEqual(valuesOf(keys));
  });

  it('call each peer through its guard, and leave alone the one it holds back', async () => {
    const called: string[] = [];
    const [, second] = (await startAll(2, { replicas: 1 })) as [PeerNode, PeerNode];
    const guarded = await start({
      seeds: [second.peers.address],
      replicas: 1,
      guard: {
        run(address, _call, work) {
          called.push(address);
          return address === second.peers.address
            ? Promise.reject(new CacheError('breaker-open', `${address} is not asked`))
            : work();
        },
        heard() {},
        forget() {},
      },
    });
    await until('it knows both', () => guarded.peers.members().length === 2 && guarded.peers.handover().settled);
    const held = keysOwned(guarded, (owners) => owners[0] === second.peers.address, 3);
    expect(await read(guarded, held)).toEqual(['breaker-open', 'breaker-open', 'breaker-open']);
    expect(called).toEqual([second.peers.address]);
  });
});

describe('a degraded city', () => {
  it('keeps a third replica as long as one of its nodes says so', async () => {
    const nodes = await startAll(4);
    const [first, second] = nodes as [PeerNode, PeerNode];
    const epoch = first.peers.epoch();
    second.peers.setDegraded(true);
    await until('all place three', () => nodes.every(({ peers }) => peers.ownersOf('k').length === 3));
    expect(new Set(nodes.map(({ peers }) => peers.epoch())).size).toBe(1);
    second.peers.setDegraded(false);
    await until('all place two', () => nodes.every(({ peers }) => peers.epoch() === epoch));
  });
});

describe('leaving', () => {
  it('is known to all at once: nobody suspects one that was closed', async () => {
    const seen: string[] = [];
    const onMembership = ({ kind }: { readonly kind: string }) => seen.push(kind);
    const [first, second, third] = (await startAll(3, { onMembership })) as [PeerNode, PeerNode, PeerNode];
    await third.peers.close();
    running.splice(running.indexOf(third), 1);
    await until('it has left', () => [first, second].every((node) => statusOf(node, third) === undefined));
    expect(seen).not.toContain('suspected');
  });
});

describe('joining', () => {
  it('does not need seeds that are there: who comes later is found', async () => {
    const later = await start();
    const listen = later.peers.address;
    await later.peers.close();
    running.splice(running.indexOf(later), 1);
    const early = await start({ seeds: [listen] });
    expect(early.peers.members()).toEqual([]);
    const late = await start({ listen });
    await untilAllUp([early, late]);
  });

  it('does not let in a node with another secret; both are told, once, what is wrong', async () => {
    const [first, second] = (await startAll(2)) as [PeerNode, PeerNode];
    const stranger = await start({ seeds: [first.peers.address], secret: 'another-secret' });
    expect(stranger.peers.members()).toEqual([]);
    expect(stranger.errors).toHaveLength(1);
    expect(stranger.errors[0]).toMatchObject({
      code: 'unauthorized',
      field: 'peers.secret',
      message: expect.stringContaining('both nodes need the same peers.secret'),
    });
    expect(await read(stranger, ['a'])).toEqual(['miss']);
    expect(first.peers.members().map(({ address }) => address)).toEqual([second.peers.address]);
  });

  it('says when two nodes go by the same id', async () => {
    const first = await start({ nodeId: 'abcdefabcdef' });
    const twin = await start({ nodeId: 'abcdefabcdef', seeds: [first.peers.address] });
    expect(twin.peers.members()).toEqual([]);
    expect(twin.errors[0]).toMatchObject({ code: 'invalid-config', field: 'nodeId' });
  });

  it('does not take itself for another when it is its own seed under another name', async () => {
    const node = await start();
    const port = node.peers.address.split(':').at(-1);
    await node.peers.close();
    running.splice(running.indexOf(node), 1);
    const again = await start({ listen: `127.0.0.1:${port}`, seeds: [`localhost:${port}`, `127.0.0.1:${port}`] });
    expect(again.peers.members()).toEqual([]);
    expect(again.errors).toEqual([]);
  });
});

describe('floors among peers', () => {
  const floor = (subject: string, ms = Date.now()): Floor => ({ scope: 'tag', subject, hlc: { ms, counter: 1 } });

  /** Raises a floor as the engine does: here first, then elsewhere. */
  async function raise(node: PeerNode, one: Floor, waitMs?: number): Promise<WriteOutcome> {
    node.floors.raise(one);
    return node.peers.feed.raise(one, call(waitMs));
  }

  const subjects = (node: PeerNode): string[] => node.floors.list().map(({ subject }) => subject);

  it('reach every member, and are acknowledged by all', async () => {
    const nodes = await startAll(3);
    const raised = floor('region:pune');
    expect(await raise(nodes[1]!, raised)).toEqual({ kind: 'stored' });
    for (const node of [nodes[0]!, nodes[2]!]) expect(node.changes).toEqual([{ kind: 'floor', floor: raised }]);
  });

  it('are known to all when there is nobody else', async () => {
    const alone = await start();
    expect(await raise(alone, floor('x'))).toEqual({ kind: 'stored' });
  });

  it('name who did not get one, and reach it when it is back', async () => {
    const { first, second, third } = await startWithFreezable(PATIENT);
    third.proxy.freeze();
    const outcome = await raise(first, floor('missed'), 300);
    expect(outcome.kind === 'failed' && outcome.error.message).toMatch(/^1 of 2 peers did not get a floor/);
    expect(outcome.kind === 'failed' && outcome.error.message).toContain(third.peers.address);
    expect(outcome.kind === 'failed' && outcome.error.message).not.toContain(second.peers.address);
    expect(subjects(second)).toEqual(['missed']);
    third.proxy.thaw();
    await until('it has the floor', () => subjects(third).includes('missed'));
  });

  it('reach a node that was down when they were raised, and count as acknowledged without it', async () => {
    const { first, third } = await startWithFreezable(QUICK);
    third.proxy.freeze();
    await until('it is down', () => statusOf(first, third) === 'down');
    expect((await raise(first, floor('while-down'))).kind).toBe('stored');
    third.proxy.thaw();
    await until('it has the floor', () => subjects(third).includes('while-down'));
  });

  it('are fetched by a node that starts, before it answers a read', async () => {
    const first = await start();
    for (let i = 0; i < 50; i++) first.floors.raise(floor(`old:${i}`));
    const fresh = await start({ seeds: [first.peers.address] });
    expect(fresh.changes).toHaveLength(50);
    expect(new Set(subjects(fresh))).toEqual(new Set(subjects(first)));
  });

  it('are exchanged both ways between nodes that did not know each other when they were raised', async () => {
    const first = await start();
    const second = await start();
    await raise(first, floor('of first'));
    await raise(second, floor('of second'));
    const third = await start({ seeds: [first.peers.address, second.peers.address] });
    await until('all know both', () => [first, second, third].every((node) => subjects(node).length === 2));
  });

  it('are refused from a node whose clock is far ahead, and the one who raised them is told', async () => {
    const [first, second] = (await startAll(2)) as [PeerNode, PeerNode];
    const ahead = floor('ahead', Date.now() + 60_000);
    const outcome = await raise(first, ahead);
    expect(outcome.kind === 'failed' && outcome.error.message).toMatch(/ms ahead of the clock of the node/);
    expect(second.changes).toEqual([]);
  });
});

function keysOwnedAmong(node: PeerNode, keys: readonly string[]): number {
  return keys.filter((key) => node.peers.ownersOf(key).some(({ address }) => address === node.peers.address)).length;
}
