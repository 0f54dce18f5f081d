/** Starts the shared servers of servers.ts once per run, if a test file of the run asks for them, and stops them. */
import { readFileSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { startPostgres } from '../src/cli/servers/postgres.js';
import { startRedisCluster } from '../src/cli/servers/redis-cluster.js';
import { startRedis } from '../src/cli/servers/redis-node.js';
import { createWorkspace } from '../src/cli/servers/workspace.js';
import { requireRedis } from './servers.js';

const asksForServers = /servers\.js['"]|\binject\(\s*['"](?:redis|database)/;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // In watch mode any file may join later, and this runs only once.
  const needed =
    project.config.watch ||
    project.vitest.state.getPaths().some((path) => asksForServers.test(readFileSync(path, 'utf8')));
  if (!needed) return async () => {};

  const onProgress = (line: string): void => void process.stderr.write(`${line}\n`);
  const program = await requireRedis(onProgress);
  const workspace = await createWorkspace();
  const stops: (() => Promise<void>)[] = [];
  const stopAll = async (): Promise<void> => {
    await Promise.all(stops.map((stop) => stop()));
    await workspace.remove();
  };
  const options = { program, dir: workspace.path };
  const started = await Promise.allSettled([
    startRedisCluster(options).then((cluster) => {
      stops.push(() => cluster.stop());
      project.provide('redisClusterNodes', cluster.addresses);
    }),
    startRedis(options).then((redis) => {
      stops.push(() => redis.stop());
      project.provide('redisSingle', redis.address);
    }),
    startPostgres({ dir: workspace.path }).then((postgres) => {
      stops.push(() => postgres.stop());
      project.provide('databaseUrl', postgres.url);
    }),
  ]);
  const failed = started.find((one) => one.status === 'rejected');
  if (failed) {
    await stopAll();
    throw failed.reason;
  }
  return stopAll;
}
