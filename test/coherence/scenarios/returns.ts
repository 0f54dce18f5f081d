/** What was deleted, and everything that could bring it back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readAll, writeAll } from '../bulk-calls.js';
import type { Scenario } from '../scenario.js';
import { GatedSource } from '../source.js';
import type { Stage } from '../stage.js';
import { expectThat, reached, timeUntil } from '../waiting.js';
import { deleteThenFailOver, staysDeleted } from './failovers.js';

const BOUND_MS = 10_000;
const NEIGHBOURS = 12_000;
const NEIGHBOUR = 'x'.repeat(1_000);
const SPARE_BYTES = 3_000_000;
const DELETED = 30;
/** Longer than a peer may be silent before it counts as gone. */
const AWAY_MS = 4_500;

const resurrection: Scenario = {
  id: 'S26',
  title: 'delete, then: neighbours evicted, fail over, peer back, recovery queue replayed',
  quick: ['single'],
  limitMs: 600_000,
  run: async (stage) => {
    await stage.part('neighbours evicted', () => evictNeighbours(stage));
    await stage.next();
    await stage.part('queue replayed', () => replayQueue(stage));
    await stage.next();
    if (stage.redis.isCluster) {
      await stage.part('fail over', () => deleteThenFailOver(stage, false));
      await stage.next();
      await stage.part('fail over that lost the delete', () => deleteThenFailOver(stage, true));
      await stage.next();
    }
    if (stage.hasPeers) await stage.part('peer back', () => returnPeer(stage));
  },
};

/** A load began before the delete, and ends when both levels have thrown away what they could. */
async function evictNeighbours(stage: Stage): Promise<string> {
  const [a, b, c] = await stage.nodes(3);
  const key = stage.key('deleted');
  const old = new GatedSource('deleted');
  const loading = a!.cache.getOrLoad(key, old.load);
  loading.catch(() => {});
  await reached('the load', BOUND_MS, old.asked.opened);
  await b!.cache.delete(key);
  for (const port of await stage.redis.primaryPorts()) {
    const memory = String(await stage.redis.command(port, ['INFO', 'memory']));
    const used = Number(/used_memory:(\d+)/.exec(memory)?.[1]);
    await stage.redis.command(port, ['CONFIG', 'SET', 'maxmemory', String(used + SPARE_BYTES)]);
  }
  stage.redis.markBroken();
  const neighbours = Array.from({ length: NEIGHBOURS }, () => stage.key('neighbour'));
  await writeAll(a!.cache, neighbours, NEIGHBOUR);
  const stats = await stage.redis.commandAll(['INFO', 'stats'], await stage.redis.primaryPorts());
  const evicted = stats.reduce<number>((sum, one) => sum + Number(/evicted_keys:(\d+)/.exec(String(one))?.[1]), 0);
  if (evicted === 0) throw new Error('Redis evicted nothing');
  old.gate.open();
  await reached(
    'the load under way',
    BOUND_MS,
    loading.catch(() => {}),
  );
  return staysDeleted([key], { A: a!.cache, B: b!.cache, C: c!.cache });
}

/** A node without L2 writes, another one deletes, and the first one comes back. */
async function replayQueue(stage: Stage): Promise<string> {
  const [a, b, c] = await stage.nodes(3);
  const key = stage.key('deleted');
  const probe = stage.key('probe');
  a!.link.sever();
  const writing = a!.cache.set(key, 'deleted').catch(() => {});
  await Promise.race([writing, sleep(BOUND_MS)]);
  await b!.cache.delete(key);
  a!.link.accept();
  const back = await timeUntil(BOUND_MS, async () => {
    await Promise.race([a!.cache.set(probe, 'there').catch(() => {}), sleep(BOUND_MS)]);
    return (await c!.cache.get(probe)) === 'there';
  });
  expectThat(back !== undefined, 'the node does not find back to Redis');
  return staysDeleted([key], { A: a!.cache, B: b!.cache, C: c!.cache });
}

/** A peer that keeps copies is away during the deletes; then it is the only level left. */
async function returnPeer(stage: Stage): Promise<string> {
  const nodes = await stage.processes([0, 0, 0]);
  const [a, b, away] = nodes.map(({ cache }) => cache);
  const keys = Array.from({ length: DELETED }, () => stage.key('deleted'));
  for (const key of keys) await a!.set(key, 'deleted');
  await readAll(away!, keys);
  away!.signal('SIGSTOP');
  for (const key of keys) await b!.delete(key);
  await sleep(AWAY_MS);
  await stage.redis.kill('SIGKILL');
  away!.signal('SIGCONT');
  return staysDeleted(keys, { A: a!, B: b!, 'the one that was away': away! });
}

export const returns: readonly Scenario[] = [resurrection];
