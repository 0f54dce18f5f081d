/** What was deleted, and everything that could bring it back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readAll, writeAll } from '../bulk-calls.js';
import type { Scenario } from '../scenario.js';
import { GatedSource } from '../source.js';
import type { Stage } from '../stage.js';
import type { CacheNode } from '../subject.js';
import { expectThat, reached, timeUntil } from '../waiting.js';
import { deleteThenFailOver, staysDeleted } from './failovers.js';

const BOUND_MS = 10_000;
const NEIGHBOURS = 12_000;
/** Fewer than may wait for a Redis that does not answer: beyond that a floor would cover what was deleted. */
const NEIGHBOURS_WITHOUT_REDIS = 8_000;
const NEIGHBOUR = 'x'.repeat(1_000);
const SPARE_BYTES = 3_000_000;
const DELETED = 30;
/** Longer than a peer may be silent before it counts as gone. */
const AWAY_MS = 4_500;

const resurrection: Scenario = {
  id: 'S26',
  title: 'delete, then: neighbours evicted, fail over, peer back, recovery queue replayed',
  quick: ['single'],
  withoutRedis: ['peers-only', 'gutter'],
  limitMs: 600_000,
  run: async (stage) => {
    await stage.part('neighbours evicted', () => evictNeighbours(stage));
    await stage.next();
    await stage.part('queue replayed', () => (stage.shape === 'gutter' ? replayQueues(stage) : replayQueue(stage)));
    await stage.next();
    if (stage.hasRedis && stage.redis.isCluster) {
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
  const [a, b, c] = await stage.nodes(3, stage.hasRedis ? {} : { peerBytes: SPARE_BYTES });
  const key = stage.key('deleted');
  const old = new GatedSource('deleted');
  const loading = a!.cache.getOrLoad(key, old.load);
  loading.catch(() => {});
  await reached('the load', BOUND_MS, old.asked.opened);
  await b!.cache.delete(key);
  if (stage.hasRedis) await overfillRedis(stage, a!.cache);
  else await overfillPeers(stage, a!.cache, c!.cache);
  old.gate.open();
  await reached(
    'the load under way',
    BOUND_MS,
    loading.catch(() => {}),
  );
  return staysDeleted([key], { A: a!.cache, B: b!.cache, C: c!.cache });
}

async function overfillRedis(stage: Stage, writer: CacheNode): Promise<void> {
  for (const port of await stage.redis.primaryPorts()) {
    const memory = String(await stage.redis.command(port, ['INFO', 'memory']));
    const used = Number(/used_memory:(\d+)/.exec(memory)?.[1]);
    await stage.redis.command(port, ['CONFIG', 'SET', 'maxmemory', String(used + SPARE_BYTES)]);
  }
  stage.redis.markBroken();
  const neighbours = Array.from({ length: NEIGHBOURS }, () => stage.key('neighbour'));
  await writeAll(writer, neighbours, NEIGHBOUR);
  const stats = await stage.redis.commandAll(['INFO', 'stats'], await stage.redis.primaryPorts());
  const evicted = stats.reduce<number>((sum, one) => sum + Number(/evicted_keys:(\d+)/.exec(String(one))?.[1]), 0);
  if (evicted === 0) throw new Error('Redis evicted nothing');
}

async function overfillPeers(stage: Stage, writer: CacheNode, reader: CacheNode): Promise<void> {
  const neighbours = Array.from({ length: NEIGHBOURS_WITHOUT_REDIS }, () => stage.key('neighbour'));
  await writeAll(writer, neighbours, NEIGHBOUR);
  const kept = (await readAll(reader, neighbours)).filter((value) => value !== undefined).length;
  if (kept === 0 || kept === neighbours.length) throw new Error(`of ${neighbours.length} the peers kept ${kept}`);
}

/** A node without L2 writes, another one deletes, and the first one comes back. */
async function replayQueue(stage: Stage): Promise<string> {
  const [a, b, c] = stage.hasRedis ? await stage.nodes(3) : await stage.processes([0, 0, 0]);
  const key = stage.key('deleted');
  if (stage.hasRedis) a!.link.sever();
  else {
    a!.peerLink?.isolate();
    await sleep(AWAY_MS);
  }
  const writing = a!.cache.set(key, 'deleted').catch(() => {});
  await Promise.race([writing, sleep(BOUND_MS)]);
  await b!.cache.delete(key);
  if (stage.hasRedis) a!.link.accept();
  else a!.peerLink?.accept();
  await whenBack(stage, a!.cache, c!.cache);
  return staysDeleted([key], { A: a!.cache, B: b!.cache, C: c!.cache });
}

/** All nodes are without L2 while one writes and another one deletes; the one that wrote is the last to come back. */
async function replayQueues(stage: Stage): Promise<string> {
  const [a, b, c] = await stage.nodes(3);
  const key = stage.key('deleted');
  await a!.cache.set(key, 'deleted');
  await b!.cache.delete(key);
  for (const { link } of [b!, c!]) link.accept();
  await whenBack(stage, b!.cache, c!.cache);
  a!.link.accept();
  await whenBack(stage, a!.cache, c!.cache);
  return staysDeleted([key], { A: a!.cache, B: b!.cache, C: c!.cache });
}

/** Resolves when what one of them writes is stored for certain, and the other one finds it. */
async function whenBack(stage: Stage, writer: CacheNode, reader: CacheNode): Promise<void> {
  const probe = stage.key('probe');
  const back = await timeUntil(BOUND_MS, async () => {
    const told = await Promise.race([writer.set(probe, 'there').catch(() => {}), sleep(BOUND_MS)]);
    if (told === 'queued') return false;
    return (await reader.get(probe)) === 'there';
  });
  expectThat(back !== undefined, 'the node does not find back to the others');
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
  if (stage.hasRedis) await stage.redis.kill('SIGKILL');
  away!.signal('SIGCONT');
  return staysDeleted(keys, { A: a!, B: b!, 'the one that was away': away! });
}

export const returns: readonly Scenario[] = [resurrection];
