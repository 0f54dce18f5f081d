import type { Call } from '../../src/core/call.js';
import type { Change } from '../../src/core/feed.js';
import { systemChance, systemClock } from '../../src/node/system-clock.js';
import { createRedis, type Redis, type RedisOptions } from '../../src/redis/redis.js';
import { makeOwnPrefix } from '../servers.js';

/** L2 as one node of a city has it, and what happened to it. */
export interface RedisSubject {
  readonly redis: Redis;
  readonly prefix: string;
  /** What the feed said, in order. */
  readonly changes: Change[];
  /** What went wrong, in order. */
  readonly errors: { readonly error: Error; readonly shard: string }[];
}

/** Connects to real servers by the real clock, under a prefix of its own unless one is given, and listens. */
export async function openRedis(nodes: readonly string[], options: Partial<RedisOptions> = {}): Promise<RedisSubject> {
  const changes: Change[] = [];
  const errors: { error: Error; shard: string }[] = [];
  const prefix = options.prefix ?? makeOwnPrefix();
  const redis = await createRedis({
    nodes,
    clock: systemClock,
    chance: systemChance,
    onError: (error, shard) => errors.push({ error, shard }),
    ...options,
    prefix,
  });
  redis.feed.listen((change) => changes.push(change));
  await redis.start();
  return { redis, prefix, changes, errors };
}

export function callWithin(ms: number): Call {
  return { deadlineAtMs: systemClock.monotonicMs() + ms, signal: undefined, reason: 'read' };
}
