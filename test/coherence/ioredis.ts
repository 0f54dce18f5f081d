import { Cluster, Redis } from 'ioredis';
import type { NodeSettings } from './subject.js';

/** A client as ioredis makes it by default: to one Redis, or to the cluster by way of this node's own proxies. */
export function openIoredis({ isCluster, redis, addressMap }: NodeSettings): Redis | Cluster {
  const client = isCluster ? new Cluster([...redis], { natMap: addressMap }) : openSingleIoredis(redis);
  // As every application listens, lest an error be thrown where nobody can catch it.
  client.on('error', () => {});
  return client;
}

export function openSingleIoredis(redis: readonly string[]): Redis {
  const [host = '', port = ''] = redis[0]?.split(':') ?? [];
  const client = new Redis({ host, port: Number(port) });
  client.on('error', () => {});
  return client;
}
