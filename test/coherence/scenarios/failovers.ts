/** A primary is lost with what it had acknowledged. */
import { setTimeout as sleep } from 'node:timers/promises';

import { readAll, writeAll } from '../bulk-calls.js';
import { DoomedPrimary } from '../cluster-faults.js';
import type { Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';
import type { CacheNode, Read } from '../subject.js';
import { expectThat, said } from '../waiting.js';

const KEYS = 600;
const WRITES = 200_000;
/** Enough to be lost on a machine that cannot do all of them. */
const WRITES_BOUND_MS = 20_000;
const BOUND_MS = 1_000;
const WATCHED_MS = 5_000;
/** So long a client may take to find the new primary before there is nothing to compare with. */
const FOUND_BOUND_MS = 60_000;
const READ_AT_ONCE = 100;

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
    const wrong = await lastDisagreement(stage, [a!.cache, b!.cache], c!.cache, keys);
    const measure = { value: Math.round(wrong.atMs), unit: 'ms wrong', bound: BOUND_MS };
    expectThat(
      wrong.atMs <= BOUND_MS,
      wrong.atMs >= WATCHED_MS
        ? `${wrong.keys} of ${KEYS} unflagged after ${said(wrong.atMs)}`
        : `unflagged until ${said(wrong.atMs)} after the new primary's first message`,
      measure,
    );
    const note = `${writes.toLocaleString('en-US')} writes, right after ${said(wrong.atMs)}`;
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

/**
 * When, after now, a node last said something else than the one that asks L2, and neither said that it might be
 * outdated. A miss is no answer, and no harm; while the one that asks L2 has none, there is nothing to compare with.
 */
async function lastDisagreement(
  stage: Stage,
  holders: readonly CacheNode[],
  reader: CacheNode,
  keys: readonly string[],
) {
  const startedMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedMs;
  let atMs = 0;
  let count = 0;
  let unknown = 0;
  const look = async (asking: CacheNode): Promise<void> => {
    let wrong = 0;
    unknown = 0;
    for (let i = 0; i < keys.length; i += READ_AT_ONCE) {
      const some = keys.slice(i, i + READ_AT_ONCE);
      const truth = await readEach(asking, some);
      for (const cache of holders) {
        const askedMs = elapsedMs();
        const reads = await readEach(cache, some);
        const differing = reads.filter((read, j) => differ(read, truth[j] as Read)).length;
        if (differing > 0) atMs = askedMs;
        wrong += differing;
        unknown += reads.filter((read, j) => isVouchedFor(read) && truth[j]?.value === undefined).length;
      }
    }
    if (wrong > 0) count = wrong;
  };
  const lookUntilKnown = async (asking: CacheNode, watchedMs: number): Promise<void> => {
    do {
      expectThat(elapsedMs() < FOUND_BOUND_MS, `unflagged, and L2 is not found again within ${said(elapsedMs())}`);
      await look(asking);
    } while (elapsedMs() < watchedMs || unknown > 0);
  };
  await lookUntilKnown(reader, WATCHED_MS);
  // Some tell every node what is written, so that all agree on what is lost. One that was not there does not.
  await lookUntilKnown((await stage.node()).cache, 0);
  // Still so at the end of the watch: for good, as far as anybody waited.
  const isOver = elapsedMs() - atMs > BOUND_MS;
  return { atMs: isOver ? atMs : Math.max(atMs, WATCHED_MS), keys: count };
}

async function readEach(cache: CacheNode, keys: readonly string[]): Promise<Read[]> {
  return Promise.all(keys.map((key) => Promise.race([cache.read(key).catch(() => NO_ANSWER), noAnswer()])));
}

const NO_ANSWER: Read = { value: undefined, flagged: true };

/** What waits for a server that is gone says nothing wrong. */
function noAnswer(): Promise<Read> {
  return sleep(BOUND_MS, NO_ANSWER, { ref: false });
}

function differ(one: Read, other: Read): boolean {
  return isVouchedFor(one) && isVouchedFor(other) && one.value !== other.value;
}

function isVouchedFor({ value, flagged }: Read): boolean {
  return value !== undefined && !flagged;
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
