import type { CacheConfig } from '../../src/index.js';

/**
 * What is put on every configuration of ours: on a machine that does something else at the same time a run is to take
 * longer, and not to fail. How long something took is measured, not promised here.
 */
const PATIENCE_MS = 10_000;

export const PATIENT_DEADLINES = { read: PATIENCE_MS, write: PATIENCE_MS } as const;

export function redisConfig(nodes: readonly string[], prefix: string): NonNullable<CacheConfig['redis']> {
  return { nodes: [...nodes], prefix, timeout: PATIENCE_MS };
}

/** Nodes that share their memory, each key with one owner. */
export function peersConfig(seeds: readonly string[]): NonNullable<CacheConfig['peers']> {
  return {
    listen: '127.0.0.1:0',
    seeds: [...seeds],
    secret: 'only-for-this-benchmark',
    replicas: 1,
    timeout: PATIENCE_MS,
  };
}
