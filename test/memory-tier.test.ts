import { tierContract } from './contract/tier-contract.js';
import { MemoryTier } from './memory-tier.js';
import { VirtualClock } from './virtual-clock.js';

tierContract('the tier in memory', async () => {
  const clock = new VirtualClock();
  return { tier: new MemoryTier('distributed', clock), clock, passMs: (ms) => clock.advanceSettled(ms) };
});
