import { systemClock } from '../../src/node/system-clock.js';
import { tierContract } from '../contract/tier-contract.js';
import { startNodes, stopNodes } from './peer-nodes.js';

const passMs = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

for (const count of [1, 2, 3]) {
  tierContract(`a tier of ${count} peers`, async () => {
    const nodes = await startNodes(count);
    return {
      tier: nodes[count - 1]!.peers.tier,
      clock: systemClock,
      passMs,
      stop: () => stopNodes(nodes),
    };
  });
}
