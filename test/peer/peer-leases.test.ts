import { leaseContract } from '../contract/lease-contract.js';
import { type PeerNode, startNode, untilAllUp } from './peer-nodes.js';

/** Patience with a machine that is busy with other tests. */
const answerMs = 10_000;

// Of five nodes that keep the leases, two ask: of some keys they are the first owner themselves, of some the second.
leaseContract('the leases of peers', async (clockOfOther) => {
  const nodes: PeerNode[] = [await startNode({ answerMs })];
  const seeds = [nodes[0]?.peers.address ?? ''];
  nodes.push(await startNode({ seeds, answerMs, clock: clockOfOther }));
  while (nodes.length < 5) nodes.push(await startNode({ seeds, answerMs }));
  await untilAllUp(nodes);
  const [one, other, ...rest] = nodes.map(({ peers }) => peers);
  if (one === undefined || other === undefined) throw new Error('no two nodes');
  return [
    { leases: one.leases, tier: one.tier, close: () => one.close() },
    {
      leases: other.leases,
      tier: other.tier,
      close: async () => {
        await Promise.all([other.close(), ...rest.map((peers) => peers.close())]);
      },
    },
  ];
});
