import { z } from 'zod';
import { CacheError } from '../core/errors.js';
import { renderExposition } from '../metrics/exposition.js';
import { cacheFamilies } from '../metrics/families.js';
import { mergeSnapshots } from '../metrics/snapshot.js';
import { type Composition, compose, type MistakeListener } from './compose.js';
import type { CacheConfig } from './config.js';
import { type HttpServer, startHttpServer } from './http-server.js';
import { NodePage } from './node-page.js';
import { systemClock } from './system-clock.js';

/** A cache node that runs on its own. */
export interface Daemon {
  /** Of the operator's page. */
  readonly url: string;
  readonly peerAddress: string | undefined;
  close(): Promise<void>;
}

export interface DaemonOptions {
  /** Of this package. */
  readonly version: string;
  readonly onMistake: MistakeListener;
}

const daemonConfig = z.strictObject({
  /** As `createCache` takes it, and checked by it. */
  cache: z.record(z.string(), z.unknown()).default({}),
  http: z
    .strictObject({
      listen: z.string().regex(/^(?:\[[0-9a-fA-F:]+\]|[^:\s/]+):\d{1,5}$/, 'must look like 127.0.0.1:9464'),
    })
    .default({ listen: '127.0.0.1:9464' }),
});

/**
 * Starts a cache node with its operator's HTTP server.
 * @throws CacheError `invalid-config` naming the field, `address-in-use`
 */
export async function startDaemon(given: unknown, options: DaemonOptions): Promise<Daemon> {
  const config = readDaemonConfig(given);
  const composition = await compose(config.cache as CacheConfig, options.onMistake);
  let http: HttpServer;
  try {
    http = await openHttp(config.http.listen, composition, options.version);
  } catch (error) {
    await composition.cache.close();
    throw error;
  }
  return {
    url: http.url,
    peerAddress: composition.peerAddress,
    close: async () => {
      await http.close();
      await composition.cache.close();
    },
  };
}

function readDaemonConfig(given: unknown): z.output<typeof daemonConfig> {
  const parsed = daemonConfig.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join('.') ?? '';
  const field =
    issue?.code === 'unrecognized_keys' ? [path, issue.keys[0]].filter((part) => part !== '').join('.') : path;
  const what = issue?.code === 'unrecognized_keys' ? 'is not a field that exists' : issue?.message;
  const name = field === '' ? 'the configuration' : field;
  throw new CacheError('invalid-config', `${name}: ${what}`, { field: name });
}

function openHttp(listen: string, composition: Composition, version: string): Promise<HttpServer> {
  const colon = listen.lastIndexOf(':');
  const { cache } = composition;
  const page = new NodePage(composition, systemClock);
  return startHttpServer({
    host: listen.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: Number(listen.slice(colon + 1)),
    field: 'http.listen',
    clock: systemClock,
    source: {
      page: () => page.data(),
      stats: () => cache.stats(),
      health: () => ({ ...composition.health() }),
      metricsText: () => {
        const snapshot = composition.snapshot() ?? mergeSnapshots([]);
        return renderExposition(cacheFamilies({ snapshot, stats: cache.stats(), version, runtime: process.version }));
      },
    },
  });
}
