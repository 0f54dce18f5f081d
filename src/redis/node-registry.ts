import type { Call } from '../core/call.js';
import type { RedisConnections } from './connections.js';
import type { KeyLayout } from './key-layout.js';
import { runScript } from './script-run.js';
import { makeScript } from './scripts.js';

/**
 * One sorted set for all nodes: addresses by the instant, in the time of the server, until which they are there. Who
 * announces throws out who is not there any more, so that it is as large as the city. Without anybody it expires.
 *
 * KEYS: the set. ARGV: address, how long it is there in ms (0: it goes).
 */
const ANNOUNCE_NODE = makeScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ttl == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return {}
end
redis.call('ZADD', KEYS[1], now + ttl, ARGV[1])
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
return redis.call('ZRANGE', KEYS[1], 0, 255)
`);

/** Where the nodes of a city say that they are there: it is how peers find each other that share a Redis. */
export class RedisNodeRegistry {
  readonly #connections: RedisConnections;
  readonly #layout: KeyLayout;

  constructor(connections: RedisConnections, layout: KeyLayout) {
    this.#connections = connections;
    this.#layout = layout;
  }

  /** Says that `address` is there for `ttlMs`. @returns all that are there, this one among them. Rejects with a CacheError */
  async announce(address: string, ttlMs: number, call: Call): Promise<readonly string[]> {
    const reply = await this.#run(address, ttlMs, call);
    return Array.isArray(reply) ? reply.map(String) : [];
  }

  async withdraw(address: string, call: Call): Promise<void> {
    await this.#run(address, 0, call);
  }

  #run(address: string, ttlMs: number, call: Call): Promise<unknown> {
    const { slot, key } = this.#layout.nodes;
    return runScript(this.#connections, call, slot, ANNOUNCE_NODE, [key], [address, String(ttlMs)]);
  }
}
