import { setTimeout as sleep } from 'node:timers/promises';
import { inject } from 'vitest';
import { systemClock } from '../../src/node/system-clock.js';
import { tierContract } from '../contract/tier-contract.js';
import { openRedis } from './subject.js';

const servers = {
  'a Redis Cluster': () => inject('redisClusterNodes'),
  'a single Redis': () => [inject('redisSingle')],
};

for (const [name, nodes] of Object.entries(servers)) {
  tierContract(`the tier of ${name}`, async () => {
    const { redis } = await openRedis(nodes());
    return { tier: redis.tier, clock: systemClock, passMs: (ms) => sleep(ms) };
  });
}
