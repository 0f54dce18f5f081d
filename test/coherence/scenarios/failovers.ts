/** A primary is lost with what it had acknowledged. */
import { readAll, writeAll } from '../bulk-calls.js';
import { DoomedPrimary } from '../cluster-faults.js';
import { readEach, watchDisagreement } from '../disagreement.js';
import type { Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';
import type { CacheNode } from '../subject.js';
import { expectThat, said } from '../waiting.js';

const KEYS = 600;
const WRITES = 200_000;
/** Enough to be lost on a machine that cannot do all of them. */
const WRITES_BOUND_MS = 20_000;
const BOUND_MS = 1_000;

type Outage = 'killed' | 'frozen' | 'cut off with a client';

const lostWrites: Scenario = {
  id: 'S25',
  title: 'primary killed / frozen / cut off with a client, what it acknowledged lost',
  quick: ['cluster'],
  onCluster: true,
  limitMs: 600_000,
  run: async (stage) => {
    const outages = ['killed', 'frozen', 'cut off with a client'] as const;
    for (const outage of stage.effort.isQuick ? outages.slice(0, 1) : outages) {
      await stage.part(outage, () => loseWrites(stage, outage));
      await stage.next();
    }
  },
};

async function loseWrites(stage: Stage, outage: Outage) {
  const [a, b, c] = await stage.nodes(3);
  const primary = await DoomedPrimary.choose(stage.redis);
  try {
    if (outage === 'cut off with a client') await primary.prepareIsolation();
    const keys = Array.from({ length: KEYS }, () => stage.key('lost'));
    await writeAll(a!.cache, keys, 'round 0');
    await primary.whenInStep();
    await primary.orphanReplica();
    const writes = await writeRounds(a!.cache, keys, stage.effort.writes ?? WRITES);
    const lostBytes = await primary.bytesBehind();
    expectThat(lostBytes >= keys.length, `of ${writes} acknowledged writes the primary had ${lostBytes} bytes`);
    const last = await a!.cache.get(keys[0] as string);
    await stage.holds(a!.cache, keys, last);
    await stage.holds(b!.cache, keys, last);
    if (outage === 'killed') await primary.kill();
    else if (outage === 'frozen') await primary.freeze();
    else {
      primary.isolate();
      b!.link.sever(primary.port);
    }
    await primary.whenSucceeded();
    const wrong = await watchDisagreement(stage, [a!.cache, b!.cache], c!.cache, { keys, last });
    const measure = { value: Math.round(wrong.ms), unit: 'ms wrong', bound: BOUND_MS };
    expectThat(wrong.ms <= BOUND_MS, `${wrong.count} of ${2 * KEYS} unflagged for ${said(wrong.ms)}`, measure);
    const again = wrong.healedAtMs === undefined ? 'gone for good' : `there again after ${said(wrong.healedAtMs)}`;
    const note = `${writes.toLocaleString('en-US')} writes, ${again}, wrong for at most ${said(wrong.ms)}`;
    return { note, measure };
  } finally {
    await primary.close();
  }
}

async function writeRounds(cache: CacheNode, keys: readonly string[], wanted: number): Promise<number> {
  const startedMs = performance.now();
  let writes = 0;
  for (let round = 1; writes < wanted && performance.now() - startedMs < WRITES_BOUND_MS; round++) {
    await writeAll(cache, keys, `round ${round}`);
    writes += keys.length;
  }
  return writes;
}

const DELETED = 30;

/** The deletes of a primary that is killed: it had told its replica of them, or had not. */
export async function deleteThenFailOver(stage: Stage, isLost: boolean): Promise<string> {
  const [a, b, c] = await stage.nodes(3);
  const primary = await DoomedPrimary.choose(stage.redis);
  const keys = Array.from({ length: DELETED }, () => stage.key('deleted'));
  await writeAll(a!.cache, keys, 'deleted');
  await readAll(a!.cache, keys);
  await primary.whenInStep();
  if (isLost) await primary.orphanReplica();
  for (const key of keys) await b!.cache.delete(key);
  if (!isLost) await primary.whenInStep();
  await primary.kill();
  await primary.whenSucceeded();
  return staysDeleted(keys, { A: a!.cache, B: b!.cache, C: c!.cache });
}

/** Whatever is read from a second on must not be what was deleted, marked or not. */
export async function staysDeleted(
  keys: readonly string[],
  nodes: Readonly<Record<string, CacheNode>>,
): Promise<string> {
  const startedMs = performance.now();
  while (performance.now() - startedMs < BOUND_MS + 1_500) {
    const isDue = performance.now() - startedMs > BOUND_MS;
    for (const [name, cache] of Object.entries(nodes)) {
      const reads = await readEach(cache, keys);
      const back = reads.filter(({ value }) => value === 'deleted').length;
      expectThat(back === 0 || !isDue, `${back} of ${keys.length} come back on ${name}`);
    }
  }
  return 'stays deleted';
}

export const failovers: readonly Scenario[] = [lostWrites];
