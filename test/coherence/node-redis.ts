import { createClient, createCluster, type RedisClientConnectionType } from '@keyv/redis';
import type { NodeSettings } from './subject.js';

/** A client as node-redis makes it by default, for what is built on Keyv. */
export function openNodeRedis({ isCluster, redis, addressMap }: NodeSettings): RedisClientConnectionType {
  const client = isCluster
    ? createCluster({ rootNodes: redis.map((address) => ({ url: `redis://${address}` })), nodeAddressMap: addressMap })
    : createClient({ url: `redis://${redis[0]}` });
  client.on('error', () => {});
  return client as RedisClientConnectionType;
}
