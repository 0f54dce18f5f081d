import { z } from 'zod';
import { CacheError } from '../core/errors.js';
import { changeFamilies } from '../metrics/change-families.js';
import { type MetricFamily, renderExposition } from '../metrics/exposition.js';
import { cacheFamilies } from '../metrics/families.js';
import { fleetFamilies } from '../metrics/fleet-families.js';
import { mergeSnapshots } from '../metrics/snapshot.js';
import { type Composition, compose, type MistakeListener } from './compose.js';
import type { CacheConfig } from './config.js';
import { createFleet, type LiveAccess, type LiveStream, liveStream, openFleetDatabase } from './fleet.js';
import { TOKEN_LENGTH_MIN } from './http/bearer.js';
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
  /** Told who asks where vehicles are. */
  readonly onAccess?: (access: LiveAccess) => void;
}

const liveToken = z.string().regex(/^[\x21-\x7e]{32,}$/);

const daemonConfig = z.strictObject({
  /** As `createCache` takes it, and checked by it. */
  cache: z.record(z.string(), z.unknown()).default({}),
  http: z
    .strictObject({
      listen: z.string().regex(/^(?:\[[0-9a-fA-F:]+\]|[^:\s/]+):\d{1,5}$/, 'must look like 127.0.0.1:9464'),
    })
    .default({ listen: '127.0.0.1:9464' }),
  /** Left out, nobody is told where vehicles are. */
  fleet: z
    .strictObject({
      /**
       * Of PostgreSQL: `postgres://user:password@host:port/database`. The fleet is only read, but its changes are followed:
       * the role must own the tables.
       */
      database: z.string().min(1),
      /** What those must send who ask for live positions. A list while it is being changed. */
      token: z.union([liveToken, z.array(liveToken).min(1)], `must have at least ${TOKEN_LENGTH_MIN} characters`),
    })
    .optional(),
});

/**
 * Starts a cache node with its operator's HTTP server.
 * @throws CacheError `invalid-config` naming the field, `address-in-use`
 */
export async function startDaemon(given: unknown, options: DaemonOptions): Promise<Daemon> {
  const config = readDaemonConfig(given);
  const composition = await compose(config.cache as CacheConfig, options.onMistake);
  const fleet = openFleet(config.fleet, composition, options);
  let http: HttpServer;
  try {
    http = await openHttp(config.http.listen, composition, options.version, fleet);
  } catch (error) {
    await fleet?.close();
    await composition.cache.close();
    throw error;
  }
  return {
    url: http.url,
    peerAddress: composition.peerAddress,
    close: async () => {
      await http.close();
      await fleet?.close();
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

/** The vehicles, as far as somebody may ask where they are. */
interface ServedFleet {
  readonly live: LiveStream;
  families(): readonly MetricFamily[];
  close(): Promise<void>;
}

/**
 * The node follows the changes of the database like every other of its city, and takes part in the city's mornings. Other
 * than for these the database is first asked when somebody wants to know where vehicles are.
 */
function openFleet(
  given: z.output<typeof daemonConfig>['fleet'],
  { cache }: Composition,
  { onAccess, onMistake }: DaemonOptions,
): ServedFleet | undefined {
  if (given === undefined) return undefined;
  const database = openFleetDatabase(given.database);
  const fleet = createFleet({ cache, repository: database.repository });
  const live = liveStream(fleet, { token: given.token, ...(onAccess && { onAccess }) });
  const changes = database.followChanges({ cache, onError: complainOnce(onMistake) });
  fleet.mornings.start();
  return {
    live,
    families: () => [...fleetFamilies(fleet.stats()), ...changeFamilies(changes.stats())],
    // Both write to the cache, and the feed to the last: what it has not done, the city's next reader is told again.
    close: async () => {
      await fleet.close();
      await changes.close();
      await database.close();
    },
  };
}

/** It is tried again for as long as it fails: the same complaint is made once. */
function complainOnce(onMistake: MistakeListener): (error: Error) => void {
  let last: string | undefined;
  return ({ message }) => {
    if (message === last) return;
    last = message;
    onMistake(new CacheError('level-failed', `fleet.database: its changes cannot be followed: ${message}`));
  };
}

function openHttp(
  listen: string,
  composition: Composition,
  version: string,
  fleet: ServedFleet | undefined,
): Promise<HttpServer> {
  const colon = listen.lastIndexOf(':');
  const { cache } = composition;
  const page = new NodePage(composition, systemClock);
  return startHttpServer({
    host: listen.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: Number(listen.slice(colon + 1)),
    field: 'http.listen',
    clock: systemClock,
    ...(fleet && { route: fleet.live }),
    source: {
      page: () => page.data(),
      stats: () => cache.stats(),
      health: () => ({ ...composition.health() }),
      metricsText: () => {
        const snapshot = composition.snapshot() ?? mergeSnapshots([]);
        const families = cacheFamilies({ snapshot, stats: cache.stats(), version, runtime: process.version });
        return renderExposition([...families, ...(fleet?.families() ?? [])]);
      },
    },
  });
}
