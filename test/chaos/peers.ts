/** Five nodes without Redis under load: one is killed, one freezes, one is added. */
import { setTimeout as sleep } from 'node:timers/promises';
import { boundedRow, OURS, type Row } from '../../bench/row.js';
import { City } from './city.js';
import type { FailedRead, History, Span } from './history.js';
import type { NodeProcess } from './node-process.js';

export interface Effort {
  readonly keys: number;
  readonly readsPerSecond: number;
  /** How long is looked on before anything happens, and after each event. */
  readonly calmMs: number;
  readonly watchMs: number;
  /** How long the frozen node stands still. */
  readonly frozenMs: number;
}

export const FULL: Effort = { keys: 20_000, readsPerSecond: 200, calmMs: 20_000, watchMs: 60_000, frozenMs: 20_000 };
export const QUICK: Effort = { keys: 2_000, readsPerSecond: 50, calmMs: 4_000, watchMs: 6_000, frozenMs: 6_000 };

const NODES = 5;
/** After the start, before anything is judged. */
const SETTLE_MS = 2_000;
/** What a fault may cost before its keys have to be as fast as ever again. */
const NOTICE_MS = 1_000;
/** What reads may lose of their hits, and for how long. */
const HITS_LOST = 0.02;
const HITS_BACK_S = 60;
/** A read may have waited so long when its own process stood still. */
const READ_MAX_MS = 10_000;

/** Something that happened to a node. */
interface Event {
  readonly what: 'killed' | 'frozen';
  readonly node: NodeProcess;
  /** While the node was away. */
  readonly away: Span;
  /** The keys that it was the first to be asked for, and all that it kept. */
  readonly first: ReadonlySet<number>;
  readonly held: ReadonlySet<number>;
}

export async function playPeers(effort: Effort, seed: number, say: (text: string) => void): Promise<readonly Row[]> {
  const city = new City({ ...effort, seed });
  try {
    for (let nth = 0; nth < NODES; nth++) await city.add();
    await city.whenTogether();
    await city.warm();
    for (const node of city.nodes) await city.play(node);
    await sleep(SETTLE_MS);
    const calm = await span(effort.calmMs);
    say(`calm: ${city.history.reads} reads`);

    const killed = await away(city, 'killed', async (node) => {
      node.signal('SIGKILL');
      city.forget(node);
      await sleep(effort.watchMs);
    });
    say('killed one');
    const frozen = await away(city, 'frozen', async (node) => {
      node.signal('SIGSTOP');
      await sleep(effort.frozenMs);
      node.signal('SIGCONT');
    });
    const thawed = await span(effort.watchMs);
    say('froze and thawed one');
    const added = await city.add();
    await city.play(added);
    const joined = await span(effort.watchMs);
    say('added one');
    return rowsOf(city.history, calm, [killed, frozen], { thawed, joined });
  } finally {
    await city.stop();
  }
}

async function span(ms: number): Promise<Span> {
  const fromMs = Date.now();
  await sleep(ms);
  return { fromMs, untilMs: Date.now() };
}

/** Something happens to the node that came last. */
async function away(city: City, what: Event['what'], happen: (node: NodeProcess) => Promise<void>): Promise<Event> {
  const node = city.nodes.at(-1) as NodeProcess;
  const owners = await (city.nodes[0] as NodeProcess).owners();
  const keysOf = (isOne: (addresses: readonly string[]) => boolean) =>
    new Set(owners.flatMap((addresses, key) => (isOne(addresses) ? [key] : [])));
  const first = keysOf(([address]) => address === node.address);
  const held = keysOf((addresses) => addresses.includes(node.address));
  const fromMs = Date.now();
  await happen(node);
  return { what, node, away: { fromMs, untilMs: Date.now() }, first, held };
}

function rowsOf(
  history: History,
  calm: Span,
  events: readonly Event[],
  { thawed, joined }: { readonly thawed: Span; readonly joined: Span },
): readonly Row[] {
  const calmHits = history.hitShare(calm);
  const failed = history.failures.filter((failure) => !isOwnPause(failure, events));
  const row = (id: string, value: number, unit: string, note?: string): Row => ({
    section: 'peers',
    id: `peers.${id}`,
    subject: OURS,
    value,
    unit,
    better: 'lower',
    ...(note !== undefined && { note }),
  });
  const hitsBack = (id: string, from: Span): Row =>
    boundedRow({ ...row(id, history.secondsUntilHits(calmHits - HITS_LOST, from), 's'), bound: HITS_BACK_S });
  return [
    { ...row('reads', history.reads, 'reads'), better: 'higher' },
    { ...boundedRow({ ...row('failed', failed.length, 'reads', failed[0]?.why), bound: 0 }), exact: true },
    row('failed.frozen', history.failures.length - failed.length, 'reads', 'of the frozen node itself, while it stood'),
    boundedRow({ ...row('loads.beyond', loadedTooOften(history, events), 'keys'), bound: 0 }),
    row('loads.most', Math.max(...history.loadsByKey().values()), 'loads', 'of one key'),
    { ...row('hits.calm', calmHits * 100, '%'), better: 'higher' },
    ...events.map(({ what, away: gone }) => hitsBack(`${what}.hits.back`, gone)),
    hitsBack('thawed.hits.back', thawed),
    hitsBack('added.hits.back', joined),
    ...events.flatMap((event) => latencyRows(history, calm, event, row)),
  ];
}

/** Keys that were loaded more often than once, and once more for each of their keepers that went away. */
function loadedTooOften(history: History, events: readonly Event[]): number {
  const counts = [...history.loadsByKey()];
  return counts.filter(([key, loads]) => loads > 1 + events.filter(({ held }) => held.has(key)).length).length;
}

/** A process that stands still cannot answer its own callers. */
function isOwnPause({ node, startedMs }: FailedRead, events: readonly Event[]): boolean {
  return events.some(
    ({ node: { name }, away: { fromMs, untilMs } }) =>
      name === node && startedMs > fromMs - READ_MAX_MS && startedMs <= untilMs,
  );
}

function latencyRows(
  history: History,
  calm: Span,
  { what, node, away: gone, first }: Event,
  row: (id: string, value: number, unit: string, note?: string) => Row,
): readonly Row[] {
  const isOthers = (read: { readonly node: string; readonly key: number }) =>
    first.has(read.key) && read.node !== node.name;
  const before = history.quantileMs(990, calm, isOthers);
  // After so long an owner that has not answered is joined by another one.
  const hedgeDelayMs = history.quantileMs(950, calm, isOthers) ?? 0;
  const after = history.quantileMs(990, { fromMs: gone.fromMs + NOTICE_MS, untilMs: gone.untilMs }, isOthers);
  if (before === undefined || after === undefined) throw new Error(`nobody read what ${node.name} kept`);
  return [
    row(`${what}.p99.calm`, before, 'ms', 'of the keys that it is first asked for'),
    boundedRow({ ...row(`${what}.p99`, after, 'ms', 'a second later'), bound: 2 * before + hedgeDelayMs }),
  ];
}
