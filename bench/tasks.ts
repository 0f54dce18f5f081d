/** What a process of its own can be asked to do, by name. Each module is loaded only in the process that needs it. */
export const tasks = {
  'change-feed': () => import('./tasks/change-feed.js'),
  'city-node': () => import('./tasks/city-node.js'),
  encoding: () => import('./tasks/encoding.js'),
  'fleet-node': () => import('./tasks/fleet-node.js'),
  'fleet-service': () => import('./tasks/fleet-service.js'),
  'local-cache': () => import('./tasks/local-cache.js'),
  'memory-use': () => import('./tasks/memory-use.js'),
  'peer-client': () => import('./tasks/peer-client.js'),
  'peer-owner': () => import('./tasks/peer-owner.js'),
  'peer-store': () => import('./tasks/peer-store.js'),
  'redis-client': () => import('./tasks/redis-client.js'),
  'resident-node': () => import('./tasks/resident-node.js'),
} as const;

export type TaskName = keyof typeof tasks;

/** The methods of an open task, which `Worker.call` reaches. */
export type TaskOf<N extends TaskName> = Awaited<ReturnType<Awaited<ReturnType<(typeof tasks)[N]>>['open']>>;
