import type { Call } from '../../src/core/call.js';
import type { Change } from '../../src/core/feed.js';
import { Floors } from '../../src/core/floors.js';
import { HybridClock } from '../../src/core/hlc.js';
import { systemChance, systemClock } from '../../src/node/system-clock.js';
import { createPeers, type Peers, type PeersOptions } from '../../src/peer/peers.js';

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

/** Starts nodes that know each other when this resolves. */
export async function startNodes(count: number, change: Partial<PeersOptions> = {}): Promise<PeerNode[]> {
  const nodes: PeerNode[] = [];
  for (let i = 0; i < count; i++) {
    nodes.push(await startNode({ seeds: nodes.slice(0, 1).map((node) => node.peers.address), ...change }));
  }
  await until('all nodes know each other', () =>
    nodes.every((node) => node.peers.members().filter(({ status }) => status === 'up').length === count - 1),
  );
  return nodes;
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
