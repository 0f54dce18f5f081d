/** A process with one node in it, that does what the scenario says. */
import './clock-shift.js';
import {
  type FromNode,
  fromPlainError,
  type LoaderNumber,
  type ReadAfterStall,
  type ToNode,
  toPlainError,
} from './node-messages.js';
import { connectToPeersFrom } from './own-address.js';
import type { CacheNode, KeepOptions, Load } from './subject.js';
import { findSubject } from './subjects.js';
import { reached } from './waiting.js';

const GRACE_MS = 5_000;

let node: CacheNode | undefined;
let loads = 0;
const loading = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
const underWay = new Set<Promise<void>>();

process.on('message', (message: ToNode) => void take(message));
process.on('disconnect', () => process.exit());
// As every application should: end what is under way, then go.
process.once('SIGTERM', async () => {
  await reached('the end', GRACE_MS, Promise.allSettled([node?.stop(), ...underWay])).catch(() => {});
  process.exit(0);
});

function say(message: FromNode): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, undefined, {}, () => resolve());
  });
}

async function take(message: ToNode): Promise<void> {
  switch (message.kind) {
    case 'start':
      try {
        const advertised = message.settings.peers?.advertise;
        if (advertised !== undefined) connectToPeersFrom(advertised.split(':', 1)[0] as string);
        node = await (await findSubject(message.subject)).start(message.settings);
        await say({ kind: 'started' });
      } catch (thrown) {
        await say({ kind: 'started', error: toPlainError(thrown) });
      }
      break;
    case 'call': {
      const done = answer(message.id, message.method, message.args).finally(() => underWay.delete(done));
      underWay.add(done);
      break;
    }
    case 'loaded': {
      const waiting = loading.get(message.id);
      loading.delete(message.id);
      if (message.error === undefined) waiting?.resolve(message.value);
      else waiting?.reject(fromPlainError(message.error));
      break;
    }
  }
}

async function answer(id: number, method: string, args: readonly unknown[]): Promise<void> {
  try {
    await say({ kind: 'answer', id, value: await run(method, args) });
  } catch (thrown) {
    await say({ kind: 'answer', id, error: toPlainError(thrown) });
  }
}

function run(method: string, args: readonly unknown[]): Promise<unknown> {
  if (node === undefined) throw new Error('the node has not been started');
  if (method === 'getOrLoad') {
    const [key, { loader }, options] = args as [string, LoaderNumber, KeepOptions | undefined];
    return node.getOrLoad(key, remoteLoad(loader), options);
  }
  if (method === 'stallThenRead') return stallThenRead(node, ...(args as [number, string]));
  const target = node as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  return (target[method] as (...args: unknown[]) => Promise<unknown>).apply(node, [...args]);
}

function remoteLoad(loader: number): Load {
  return (key) =>
    new Promise((resolve, reject) => {
      loads += 1;
      loading.set(loads, { resolve, reject });
      void say({ kind: 'load', id: loads, loader, key });
    });
}

/** Nothing else runs in this process for so long; then it reads, before it has heard anything. */
async function stallThenRead(cache: CacheNode, ms: number, key: string): Promise<ReadAfterStall> {
  const startedMs = Date.now();
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
  const endedMs = Date.now();
  return { ...(await cache.read(key)), startedMs, endedMs };
}
