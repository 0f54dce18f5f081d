import { afterEach, describe, expect, it } from 'vitest';
import { type Entry, NO_TAGS, tombstone } from '../../src/core/entry.js';
import { HLC_ZERO } from '../../src/core/hlc.js';
import type { Outcome } from '../../src/core/outcome.js';
import { VERSION_ZERO } from '../../src/core/version.js';
import type { PeersOptions } from '../../src/peer/peers.js';
import {
  call,
  type PeerNode,
  startFreezable,
  startNode,
  startNodes,
  stopNodes,
  until,
  untilAllUp,
} from './peer-nodes.js';

const QUICK = { profile: 'local' } as const;
const running: PeerNode[] = [];
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await stopNodes(running.splice(0));
});

async function startAll(count: number, change: Partial<PeersOptions> = {}): Promise<PeerNode[]> {
  const nodes = await startNodes(count, { ...QUICK, ...change });
  running.push(...nodes);
  await untilSettled(nodes);
  return nodes;
}

async function join(seed: PeerNode): Promise<PeerNode> {
  const node = await startNode({ ...QUICK, seeds: [seed.peers.address] });
  running.push(node);
  return node;
}

async function stop(node: PeerNode): Promise<void> {
  running.splice(running.indexOf(node), 1);
  await node.peers.close();
}

function untilSettled(nodes: readonly PeerNode[]): Promise<void> {
  return until('the change has settled', () => nodes.every(({ peers }) => peers.handover().settled));
}

let issuedMs = 1_700_000_000_000;

function entryOf(text: string): Entry {
  issuedMs += 1;
  const at = { ms: issuedMs, counter: 0 };
  return {
    kind: 'value',
    payload: new TextEncoder().encode(text),
    version: { eventTimeMs: issuedMs, hlc: at, origin: 1 },
    fillStart: at,
    fence: HLC_ZERO,
    createdAtMs: Date.now(),
    freshUntilMs: Date.now() + 600_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags: NO_TAGS,
  };
}

async function write(node: PeerNode, keys: readonly string[], text: string, mode: 'set' | 'fill' = 'set') {
  return node.peers.tier.write(
    keys.map((key) => ({ key, entry: entryOf(text), mode })),
    call(),
  );
}

async function read(node: PeerNode, keys: readonly string[]): Promise<string[]> {
  return (await node.peers.tier.read(keys, call())).map(textOf);
}

function textOf(outcome: Outcome): string {
  if (outcome.kind !== 'found') return outcome.kind;
  return outcome.entry.kind === 'value' ? new TextDecoder().decode(outcome.entry.payload) : outcome.entry.kind;
}

const keys = Array.from({ length: 400 }, (_, i) => `vehicle:location:${i}`);

describe('a node that joins', () => {
  it('takes over what it is to keep, and the others give it up; nothing is missed meanwhile', async () => {
    const nodes = await startAll(3);
    const [first] = nodes as [PeerNode];
    await write(first, keys, 'before');
    const joined = await join(first);
    const all = [...nodes, joined];
    const seen = new Set<string>();
    await until('it has settled', async () => {
      for (const node of all) for (const text of await read(node, keys)) seen.add(text);
      return all.every(({ peers }) => peers.handover().settled && peers.members().length === 3);
    });
    expect([...seen]).toEqual(['before']);
    const owned = (node: PeerNode) =>
      keys.filter((key) => node.peers.ownersOf(key).some(({ address }) => address === node.peers.address)).length;
    await until('each keeps what it owns and nothing else', () =>
      all.every((node) => node.peers.store.entries === owned(node)),
    );
    expect(joined.peers.store.entries).toBeGreaterThan(100);
  });

  it('has everything when all who had it are gone', async () => {
    const nodes = await startAll(2);
    const [first, second] = nodes as [PeerNode, PeerNode];
    await write(first, keys, 'before');
    const third = await join(first);
    const fourth = await join(first);
    await untilAllUp([...nodes, third, fourth]);
    await untilSettled([...nodes, third, fourth]);
    await stop(first);
    await until('it has left', () => third.peers.members().length === 2);
    await untilSettled([second, third, fourth]);
    await stop(second);
    await until('it has left', () => third.peers.members().length === 1);
    expect(new Set(await read(third, keys))).toEqual(new Set(['before']));
  });

  it('is told of what is written and deleted while it takes over, and lets nothing old come back', async () => {
    const nodes = await startAll(2);
    const [first, second] = nodes as [PeerNode, PeerNode];
    await write(first, keys, 'old');
    const third = await join(first);
    const deleted = keys.slice(0, 100);
    const rewritten = keys.slice(100, 200);
    const fence = { ms: Date.now(), counter: 0 };
    const graves = deleted.map((key) => ({
      key,
      entry: tombstone(fence, VERSION_ZERO, Date.now(), 600_000),
      mode: 'set' as const,
    }));
    await second.peers.tier.write(graves, call());
    await write(second, rewritten, 'new');
    await untilAllUp([...nodes, third]);
    await untilSettled([...nodes, third]);
    await stop(first);
    await until('it has left', () => third.peers.members().length === 1);
    for (const node of [second, third]) {
      expect(new Set(await read(node, deleted))).toEqual(new Set(['tombstone']));
      expect(new Set(await read(node, rewritten))).toEqual(new Set(['new']));
      expect(new Set(await read(node, keys.slice(200)))).toEqual(new Set(['old']));
    }
    await write(second, deleted, 'delayed', 'fill');
    expect(new Set(await read(third, deleted))).toEqual(new Set(['tombstone']));
  });
});

describe('a node that leaves', () => {
  it('hands over first: what only it has is there when it is gone', async () => {
    const nodes = await startAll(3, { replicas: 1 });
    const [first, second, third] = nodes as [PeerNode, PeerNode, PeerNode];
    await write(first, keys, 'only copy');
    await stop(third);
    await until('it has left', () => [first, second].every(({ peers }) => peers.members().length === 1));
    expect(new Set(await read(first, keys))).toEqual(new Set(['only copy']));
    expect(new Set(await read(second, keys))).toEqual(new Set(['only copy']));
  });
});

describe('a node that was taken for dead', () => {
  it('does not answer with what it missed, whoever asks', async () => {
    const nodes = await startAll(3);
    const [first, second] = nodes as [PeerNode, PeerNode];
    const frozen = await startFreezable({ ...QUICK, seeds: [first.peers.address] });
    running.push(frozen);
    stops.push(() => frozen.proxy.close());
    await untilAllUp([...nodes, frozen]);
    await untilSettled([...nodes, frozen]);
    await write(first, keys, 'old');
    frozen.proxy.freeze();
    const isDown = () => nodes.every(({ peers }) => peers.members().some(({ status }) => status === 'down'));
    await until('it is down', isDown);
    await untilSettled(nodes);
    const outcomes = await write(second, keys, 'new');
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['stored']));
    frozen.proxy.thaw();
    const seen = new Set<string>();
    await until('it is back and has settled', async () => {
      for (const node of nodes) for (const text of await read(node, keys)) seen.add(text);
      return [...nodes, frozen].every(
        ({ peers }) => peers.handover().settled && peers.members().filter(({ status }) => status === 'up').length === 3,
      );
    });
    for (const text of await read(frozen, keys)) seen.add(text);
    expect([...seen]).toEqual(['new']);
  });
});
