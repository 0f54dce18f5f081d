/** A process with one node in it, that reads at a steady rate and says how it fared. */
import { isDeepStrictEqual } from 'node:util';
import { zipfOrder } from '../../bench/data/zipf.js';
import { type Composition, compose } from '../../src/node/compose.js';
import {
  type Failure,
  type FromNode,
  keyName,
  type NodeSettings,
  READ_FIELDS,
  sourceValue,
  type ToNode,
} from './node-messages.js';

const TTL = '1h';
const LOAD_TAKES_MS = 5;
const WARM_AT_ONCE = 200;
const TICK_MS = 5;
const REPORT_MS = 250;
/** A process that stood still for so long has no callers who waited: it goes on from now. */
const STOOD_STILL_MS = 500;
const ORDER_LENGTH = 100_000;

let node: Composition | undefined;
let keys = 0;
let reads: number[] = [];
let failures: Failure[] = [];

process.on('message', (message: ToNode) => void take(message));
process.on('disconnect', () => process.exit());
// Ctrl-C reaches the whole group of the terminal; the one who started us stops us in order.
process.on('SIGINT', () => {});
process.once('SIGTERM', async () => {
  await node?.cache.close();
  process.exit(0);
});

function say(message: FromNode): void {
  process.send?.(message);
}

async function take(message: ToNode): Promise<void> {
  try {
    say({ kind: 'done', value: await run(message) });
  } catch (thrown) {
    say({ kind: 'done', error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) });
  }
}

function run(message: ToNode): unknown {
  switch (message.kind) {
    case 'start':
      return start(message.settings);
    case 'warm':
      return warm(message.keys);
    case 'play':
      return play(message.readsPerSecond, message.seed);
    case 'owners':
      return Array.from({ length: keys }, (_, key) => node?.ownersOf(keyName(key)) ?? []);
  }
}

async function start({ port, seeds, secret, keys: count }: NodeSettings): Promise<void> {
  keys = count;
  // Without memory of its own every read goes to the owners, which are what is tried here.
  node = await compose({ nearCache: false, peers: { listen: `127.0.0.1:${port}`, seeds: [...seeds], secret } });
}

async function load(wanted: readonly string[]): Promise<Map<string, unknown>> {
  const numbers = wanted.map((name) => Number(name.slice(keyName(0).length - 1)));
  say({ kind: 'loading', keys: numbers });
  await new Promise((resolve) => setTimeout(resolve, LOAD_TAKES_MS));
  return new Map(numbers.map((key) => [keyName(key), sourceValue(key)]));
}

async function warm(wanted: readonly number[]): Promise<void> {
  for (let at = 0; at < wanted.length; at += WARM_AT_ONCE) {
    const names = wanted.slice(at, at + WARM_AT_ONCE).map(keyName);
    await node?.cache.getOrLoadMany(names, load, { ttl: TTL });
  }
}

/** Reads when they are due, whether or not earlier ones have been answered. */
function play(readsPerSecond: number, seed: number): void {
  const order = zipfOrder(keys, ORDER_LENGTH, seed);
  const everyMs = 1_000 / readsPerSecond;
  let dueMs = nowMs();
  let nth = 0;
  setInterval(() => {
    if (nowMs() - dueMs > STOOD_STILL_MS) dueMs = nowMs();
    for (; dueMs <= nowMs(); dueMs += everyMs) {
      void read(order[nth % ORDER_LENGTH] as number, dueMs);
      nth += 1;
    }
  }, TICK_MS);
  setInterval(() => {
    say({ kind: 'reads', reads: Float64Array.from(reads), failures });
    reads = [];
    failures = [];
  }, REPORT_MS);
}

async function read(key: number, dueMs: number): Promise<void> {
  const why = await failureOf(key);
  if (why === undefined) reads.push(key, dueMs, nowMs() - dueMs);
  else failures.push({ key, startedMs: dueMs, why });
  if (reads.length > READ_FIELDS * ORDER_LENGTH) throw new Error('nobody takes what was read');
}

async function failureOf(key: number): Promise<string | undefined> {
  try {
    const name = keyName(key);
    const value = await node?.cache.getOrLoad(name, async () => (await load([name])).get(name), { ttl: TTL });
    return isDeepStrictEqual(value, sourceValue(key)) ? undefined : `it brought ${JSON.stringify(value)}`;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

/** The same clock in all processes. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
