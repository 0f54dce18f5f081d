import { describe, expect, it } from 'vitest';
import { createRedis } from './redis.js';

const nothingMayBeOpened = {
  clock: {
    monotonicMs: () => 0,
    wallMs: () => 0,
    uncertaintyMs: () => 0,
    schedule: () => {
      throw new Error('something was begun');
    },
  },
  chance: { next: () => 0 },
};

describe('createRedis', () => {
  it.each([
    ['no nodes', { nodes: [] }, 'redis.nodes'],
    ['a node without a port', { nodes: ['127.0.0.1:7001', 'redis'] }, 'redis.nodes'],
    ['a prefix with braces', { nodes: ['127.0.0.1:7001'], prefix: '{fleet}:' }, 'redis.prefix'],
  ])('refuses %s by the name of the field, and opens nothing', async (_, options, field) => {
    await expect(createRedis({ ...nothingMayBeOpened, ...options })).rejects.toMatchObject({
      name: 'CacheError',
      code: 'invalid-config',
      field,
    });
  });
});
