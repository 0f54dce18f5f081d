import { createServer } from 'node:net';
import type { Call } from '../../src/core/call.js';
import type { Change } from '../../src/core/feed.js';
import { Floors } from '../../src/core/floors.js';
import { HybridClock } from '../../src/core/hlc.js';
import { systemChance, systemClock } from '../../src/node/system-clock.js';
import { createPeers, type Peers, type PeersOptions } from '../../src/peer/peers.js';
import { FreezingProxy } from './freezing-proxy.js';

export const SECRET = 'open-sesame-for-tests';

/** A node of the peer level, with what an engine would do with its floors. */
export interface PeerNode {
  readonly peers: Peers;
  readonly floors: Floors;
  readonly changes: Change[];
  readonly errors: Error[];
}

let nodesMade = 0;

/** Starts a node on a free loopback port. */
export async function startNode(change: Partial<PeersOptions> = {}): Promise<PeerNode> {
  nodesMade += 1;
  const floors = new Floors();
  const changes: Change[] = [];
  const errors: Error[] = [];
  const peers = await createPeers({
    listen: '127.0.0.1:0',
    seeds: [],
    secret: SECRET,
    nodeId: nodesMade.toString(16).padStart(12, '0'),
    clock: systemClock,
    chance: systemChance,
    hlc: new HybridClock(systemClock),
    floors,
    maxBytes: 16 * 1_048_576,
    onError: (error) => errors.push(error),
    ...change,
  });
  peers.feed.listen((one) => {
    changes.push(one);
    if (one.kind === 'floor') floors.raise(one.floor);
  });
  return { peers, floors, changes, errors };
}

/** A node behind a proxy by which it can be frozen for the others, while it believes itself to be well. */
export interface FreezableNode extends PeerNode {
  readonly proxy: FreezingProxy;
}

export async function startFreezable(change: Partial<PeersOptions> = {}): Promise<FreezableNode> {
  const proxy = new FreezingProxy();
  const advertise = await proxy.listen();
  const listen = `127.0.0.1:${await freePort()}`;
  proxy.leadTo(listen);
  return { ...(await startNode({ listen, advertise, ...change })), proxy };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Starts nodes that know each other when this resolves. */
export async function startNodes(count: number, change: Partial<PeersOptions> = {}): Promise<PeerNode[]> {
  const nodes: PeerNode[] = [];
  for (let i = 0; i < count; i++) {
    nodes.push(await startNode({ seeds: nodes.slice(0, 1).map((node) => node.peers.address), ...change }));
  }
  await untilAllUp(nodes);
  return nodes;
}

/** Waits until every node has all others as members, and each has what it is to keep. */
export function untilAllUp(nodes: readonly PeerNode[]): Promise<void> {
  const others = nodes.length - 1;
  return until('all nodes know each other', () =>
    nodes.every(({ peers }) => {
      const up = peers.members().filter(({ status }) => status === 'up');
      return up.length === others && peers.handover().settled;
    }),
  );
}

export async function stopNodes(nodes: readonly PeerNode[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.peers.close()));
}

export function call(waitMs = 10_000, signal?: AbortSignal): Call {
  return { deadlineAtMs: systemClock.monotonicMs() + waitMs, signal, reason: 'read' };
}

/** Polls until `holds`, with a generous bound. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, boundMs = 20_000): Promise<void> {
  const endMs = systemClock.monotonicMs() + boundMs;
  while (!(await holds())) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`waited ${boundMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
