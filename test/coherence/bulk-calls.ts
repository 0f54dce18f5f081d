/** Many keys, a moderate number at a time: what a scenario is about is not how much a busy machine can take at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CacheNode, KeepOptions, Told } from './subject.js';

const AT_ONCE = 100;
const ATTEMPTS = 40;
const PAUSE_MS = 50;

export async function readAll(cache: CacheNode, keys: readonly string[]): Promise<unknown[]> {
  const values: unknown[] = [];
  for (const some of chunks(keys)) values.push(...(await Promise.all(some.map((key) => cache.get(key)))));
  return values;
}

/** Reads what is there by the way that takes it into this process's memory; with some, plain reading does not. */
export async function promoteAll(
  cache: CacheNode,
  keys: readonly string[],
  value: unknown,
  options: KeepOptions | undefined,
): Promise<void> {
  for (const some of chunks(keys)) {
    await Promise.all(some.map((key) => cache.getOrLoad(key, async () => value, options)));
  }
}

/** Writes until every write is acknowledged: what was refused promises nothing. */
export async function writeAll(cache: CacheNode, keys: readonly string[], value: unknown): Promise<void> {
  for (const some of chunks(keys)) {
    for (let attempt = 1; (await writeSome(cache, some, value)) === 'failed'; attempt++) {
      if (attempt === ATTEMPTS) throw new Error(`${ATTEMPTS} attempts to write ${some.length} keys failed`);
      await sleep(PAUSE_MS);
    }
  }
}

async function writeSome(cache: CacheNode, keys: readonly string[], value: unknown): Promise<Told> {
  try {
    return await cache.setMany(keys.map((key) => [key, value] as const));
  } catch {
    // It has no such word, or not over a cluster: that is the matter of another scenario.
  }
  const told = await Promise.all(keys.map((key) => cache.set(key, value)));
  return told.find((one) => one === 'failed') ?? 'stored';
}

function chunks(keys: readonly string[]): string[][] {
  const count = Math.ceil(keys.length / AT_ONCE);
  return Array.from({ length: count }, (_, i) => keys.slice(i * AT_ONCE, (i + 1) * AT_ONCE));
}
