import { once } from 'node:events';
import { slotOf } from '../../src/redis/slot-table.js';
import { type BenchLocation, keyOf, makeLocation } from '../data/locations.js';
import { PATIENT_DEADLINES, redisConfig } from './fleet-config.js';

/** A way to values in a Redis Cluster. Each checks what it gets, and rejects when it is not what was put there. */
export interface RemoteSubject {
  /** Puts the locations of these vehicles there. */
  fill(vehicles: readonly number[]): Promise<void>;
  get(vehicle: number): Promise<void>;
  getMany(vehicles: readonly number[]): Promise<void>;
  set(vehicle: number): Promise<void>;
  close(): Promise<void>;
}

export interface RemoteSettings {
  /** `127.0.0.1:port` of every node. */
  readonly nodes: readonly string[];
  /** Of this subject alone: each stores in its own way. */
  readonly prefix: string;
  readonly keys: number;
}

type Opening = (settings: RemoteSettings) => Promise<RemoteSubject>;

const TTL_MS = 3_600_000;
/** Of a command of `@redis/client`. */
const UNTIMED = { timeout: 0 } as const;

function checkLocation(got: unknown, vehicle: number): void {
  if ((got as BenchLocation | undefined)?.odometerKm !== vehicle) throw new Error(`vehicle ${vehicle} is not there`);
}

/** What the application would put together for each call is there beforehand; keys and texts cost nobody anything. */
function prepare({ prefix, keys }: RemoteSettings) {
  const names = Array.from({ length: keys }, (_, vehicle) => Buffer.from(prefix + keyOf(vehicle)).toString('latin1'));
  const texts = Array.from({ length: keys }, (_, vehicle) => JSON.stringify(makeLocation(vehicle)));
  return {
    nameOf: (vehicle: number) => names[vehicle] as string,
    textOf: (vehicle: number) => texts[vehicle] as string,
    checkText: (got: unknown, vehicle: number) => {
      if (got !== texts[vehicle]) throw new Error(`vehicle ${vehicle} is not there`);
    },
  };
}

/** Without L1 and L3: every read and write is one of Redis. */
const fleetflow: Opening = async ({ nodes, prefix, keys }) => {
  const { createCache } = await import('../../src/index.js');
  const cache = await createCache({
    redis: redisConfig(nodes, prefix),
    nearCache: false,
    deadlines: PATIENT_DEADLINES,
  });
  const names = Array.from({ length: keys }, (_, vehicle) => Buffer.from(keyOf(vehicle)).toString('latin1'));
  const values = Array.from({ length: keys }, (_, vehicle) => makeLocation(vehicle));
  const nameOf = (vehicle: number): string => names[vehicle] as string;
  const checkStored = ({ distributed }: { readonly distributed: string }): void => {
    if (distributed !== 'stored') throw new Error(`a write is ${distributed}`);
  };
  return {
    fill: async (vehicles) => {
      const results = await cache.setMany(vehicles.map((vehicle) => [nameOf(vehicle), values[vehicle]]));
      results.forEach(checkStored);
    },
    get: async (vehicle) => checkLocation(await cache.get(nameOf(vehicle)), vehicle),
    getMany: async (vehicles) => {
      const found = await cache.getMany(vehicles.map(nameOf));
      for (const vehicle of vehicles) checkLocation(found.get(nameOf(vehicle)), vehicle);
    },
    set: async (vehicle) => checkStored(await cache.set(nameOf(vehicle), values[vehicle])),
    close: () => cache.close(),
  };
};

/** Raw text, as it comes. README, "Autopipelining": commands of one tick leave together, per node of the cluster. */
const ioredis =
  (enableAutoPipelining: boolean): Opening =>
  async (settings) => {
    const { Cluster } = await import('ioredis6');
    const { nameOf, textOf, checkText } = prepare(settings);
    const client = new Cluster([...settings.nodes], { enableAutoPipelining });
    await once(client, 'ready');
    const set = async (vehicle: number): Promise<void> => {
      const said = await client.set(nameOf(vehicle), textOf(vehicle), 'PX', TTL_MS);
      if (said !== 'OK') throw new Error(`a write says ${said}`);
    };
    const get = async (vehicle: number): Promise<void> => checkText(await client.get(nameOf(vehicle)), vehicle);
    return {
      fill: async (vehicles) => void (await Promise.all(vehicles.map(set))),
      get,
      getMany: async (vehicles) => void (await Promise.all(vehicles.map(get))),
      set,
      close: async () => client.disconnect(),
    };
  };

/** The cluster object, and the decoding that ours does too. `timeout: 0` triples its speed: no timer per command. */
const nodeRedis =
  (commandOptions: { readonly timeout?: number }): Opening =>
  async (settings) => {
    const { createCluster } = await import('@redis/client');
    const { nameOf, textOf } = prepare(settings);
    const rootNodes = settings.nodes.map((address) => ({ url: `redis://${address}` }));
    const client = createCluster({ rootNodes, commandOptions });
    client.on('error', () => {});
    await client.connect();
    const set = async (vehicle: number): Promise<void> => {
      const said = await client.set(nameOf(vehicle), textOf(vehicle), { expiration: { type: 'PX', value: TTL_MS } });
      if (said !== 'OK') throw new Error(`a write says ${said}`);
    };
    const get = async (vehicle: number): Promise<void> =>
      checkLocation(JSON.parse((await client.get(nameOf(vehicle))) ?? 'null'), vehicle);
    return {
      fill: async (vehicles) => void (await Promise.all(vehicles.map(set))),
      get,
      getMany: async (vehicles) => void (await Promise.all(vehicles.map(get))),
      set,
      close: async () => client.destroy(),
    };
  };

/**
 * The limit: raw text on the primary's own client, the slot of each key known beforehand. A client of a node takes
 * no options over from the cluster's: with none of its own each command would have a timer.
 */
const nodeRedisDirect: Opening = async (settings) => {
  const { createCluster } = await import('@redis/client');
  const { nameOf, textOf, checkText } = prepare(settings);
  const rootNodes = settings.nodes.map((address) => ({ url: `redis://${address}` }));
  const client = createCluster({ rootNodes });
  client.on('error', () => {});
  await client.connect();
  const slots = Array.from({ length: settings.keys }, (_, vehicle) => slotOf(nameOf(vehicle)));
  await Promise.all(client.masters.map((primary) => client.nodeClient(primary)));
  const connectionOf = (vehicle: number) => {
    const connection = client.slots[slots[vehicle] as number]?.master.client;
    if (connection === undefined || connection instanceof Promise) throw new Error('a primary is not connected');
    return connection;
  };
  const send = (vehicle: number, args: readonly string[]) => connectionOf(vehicle).sendCommand(args, UNTIMED);
  const px = String(TTL_MS);
  const set = async (vehicle: number): Promise<void> => {
    const said: unknown = await send(vehicle, ['SET', nameOf(vehicle), textOf(vehicle), 'PX', px]);
    if (said !== 'OK') throw new Error(`a write says ${said}`);
  };
  const get = async (vehicle: number): Promise<void> =>
    checkText(await send(vehicle, ['GET', nameOf(vehicle)]), vehicle);
  return {
    fill: async (vehicles) => void (await Promise.all(vehicles.map(set))),
    get,
    getMany: async (vehicles) => void (await Promise.all(vehicles.map(get))),
    set,
    close: async () => client.destroy(),
  };
};

export const remoteSubjects = {
  'fleetflow-cache': fleetflow,
  'ioredis 6': ioredis(false),
  'ioredis 6, auto-pipelining': ioredis(true),
  'node-redis cluster, timeout 0': nodeRedis({ timeout: 0 }),
  'node-redis cluster, defaults': nodeRedis({}),
  'node-redis direct': nodeRedisDirect,
} as const satisfies Record<string, Opening>;

export type RemoteSubjectName = keyof typeof remoteSubjects;
