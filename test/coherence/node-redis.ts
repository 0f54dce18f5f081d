import { createClient, createCluster, type RedisClientConnectionType } from '@keyv/redis';
import type { NodeSettings } from './subject.js';

/** A connected client as node-redis makes it by default, for what is built on Keyv. */
export async function openNodeRedis({
  isCluster,
  redis,
  addressMap,
}: NodeSettings): Promise<RedisClientConnectionType> {
  const client = isCluster
    ? createCluster({ rootNodes: redis.map((address) => ({ url: `redis://${address}` })), nodeAddressMap: addressMap })
    : createClient({ url: `redis://${redis[0]}` });
  client.on('error', () => {});
  await client.connect();
  return client as RedisClientConnectionType;
}
