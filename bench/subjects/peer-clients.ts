import { once } from 'node:events';
import { connect } from 'node:net';
import { Pool } from 'undici';
import { waitUntil } from '../../src/cli/servers/wait.js';
import { bucketOf } from '../../src/core/key.js';
import { compose } from '../../src/node/compose.js';
import { placeBuckets } from '../../src/peer/placement.js';
import { type BenchLocation, keyOf, makeLocation } from '../data/locations.js';
import { PATIENT_DEADLINES, peersConfig } from './fleet-config.js';
import { decodeParts, FrameWriter, receiveFrames } from './frames.js';
import type { PeerOwner } from './peer-owners.js';

/** The one that asks, in another process. Each call checks what it gets, and rejects when it is not what it asked for. */
export interface PeerClient {
  /** Those that the owner keeps. */
  readonly vehicles: readonly number[];
  get(vehicle: number): Promise<void>;
  getMany(vehicles: readonly number[]): Promise<void>;
  close(): Promise<void>;
}

export type OwnerPlace = Pick<PeerOwner, 'address' | 'nodeId'>;

type Opening = (owner: OwnerPlace, keys: number) => Promise<PeerClient>;

const JOIN_BOUND_MS = 30_000;
const FILL_BATCH = 500;
/** More of them were slower. */
const HTTP_CONNECTIONS = 64;

function check(got: unknown, vehicle: number): void {
  const location = got as BenchLocation | undefined;
  if (location?.odometerKm !== vehicle) throw new Error(`vehicle ${vehicle} is not there`);
  if (!(location.at instanceof Date)) throw new Error(`vehicle ${vehicle} has not the value that was put`);
}

/** What ours brings is the value that was put, dates and all: so everybody makes it of what was sent. */
function decode(text: string): BenchLocation {
  const location = JSON.parse(text) as { -readonly [K in keyof BenchLocation]: BenchLocation[K] };
  location.at = new Date(location.at);
  return location;
}

/** Put together beforehand, as an application would not, but for everybody alike. */
function namesOf(vehicles: readonly number[]): (vehicle: number) => string {
  const names = new Map(vehicles.map((vehicle) => [vehicle, Buffer.from(keyOf(vehicle)).toString('latin1')]));
  return (vehicle) => names.get(vehicle) as string;
}

function firstVehicles(keys: number): number[] {
  return Array.from({ length: keys }, (_, vehicle) => vehicle);
}

/** Two nodes, one owner per key, no memory of its own in front: what the other one owns has to be asked for. */
const fleetflow: Opening = async (owner, keys) => {
  const { cache, health } = await compose({
    peers: peersConfig([owner.address]),
    nearCache: false,
    deadlines: PATIENT_DEADLINES,
  });
  await waitUntil({ what: 'the owner', boundMs: JOIN_BOUND_MS }, () =>
    health().levels.some(({ level, parts, state }) => level === 'peer' && parts === 2 && state === 'ok'),
  );
  const vehicles = ownedBy(owner.nodeId, cache.stats().nodeId, keys);
  const nameOf = namesOf(vehicles);
  for (let first = 0; first < vehicles.length; first += FILL_BATCH) {
    const batch = vehicles.slice(first, first + FILL_BATCH);
    const results = await cache.setMany(batch.map((vehicle) => [nameOf(vehicle), makeLocation(vehicle)]));
    if (results.some(({ peer }) => peer !== 'stored')) throw new Error('the owner does not take a write');
  }
  return {
    vehicles,
    get: async (vehicle) => check(await cache.get(nameOf(vehicle)), vehicle),
    getMany: async (asked) => {
      const found = await cache.getMany(asked.map(nameOf));
      for (const vehicle of asked) check(found.get(nameOf(vehicle)), vehicle);
    },
    close: () => cache.close(),
  };
};

/** The first vehicles of which another node is the one owner. */
function ownedBy(other: string, self: string, count: number): number[] {
  const members = [other, self].map((id) => ({ id, address: '', weight: 1 }));
  const { owners } = placeBuckets(members, 1);
  const vehicles: number[] = [];
  for (let vehicle = 0; vehicles.length < count; vehicle++) {
    if (owners[bucketOf(keyOf(vehicle))]?.[0]?.id === other) vehicles.push(vehicle);
  }
  return vehicles;
}

/** One request per key; undici's README has `request` as the fastest that gives a body. */
const undici: Opening = async ({ address }, keys) => {
  const vehicles = firstVehicles(keys);
  const nameOf = namesOf(vehicles);
  const pool = new Pool(`http://${address}`, { connections: HTTP_CONNECTIONS, pipelining: 1 });
  const get = async (vehicle: number): Promise<void> => {
    const { body } = await pool.request({ method: 'GET', path: `/${nameOf(vehicle)}` });
    check(decode(await body.text()), vehicle);
  };
  return {
    vehicles,
    get,
    getMany: async (asked) => void (await Promise.all(asked.map(get))),
    close: () => pool.close(),
  };
};

const framedTcp: Opening = async ({ address }, keys) => {
  const own = firstVehicles(keys);
  const nameOf = namesOf(own);
  const [host = '', port = ''] = address.split(':');
  const socket = connect({ host, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  const waiting = new Map<number, (texts: string[]) => void>();
  const writer = new FrameWriter(socket);
  receiveFrames(socket, (id, body) => {
    waiting.get(id)?.(decodeParts(body));
    waiting.delete(id);
  });
  let asked = 0;
  const ask = (vehicles: readonly number[]): Promise<string[]> =>
    new Promise((resolve) => {
      asked += 1;
      waiting.set(asked, resolve);
      writer.send(
        asked,
        vehicles.map((vehicle) => Buffer.from(nameOf(vehicle), 'latin1')),
      );
    });
  const getMany = async (vehicles: readonly number[]): Promise<void> => {
    const texts = await ask(vehicles);
    vehicles.forEach((vehicle, i) => {
      check(decode(texts[i] ?? ''), vehicle);
    });
  };
  return {
    vehicles: own,
    get: (vehicle) => getMany([vehicle]),
    getMany,
    close: async () => void socket.destroy(),
  };
};

export const peerClients = {
  'fleetflow-cache': fleetflow,
  'undici request': undici,
  'framed TCP': framedTcp,
} as const satisfies Record<string, Opening>;

export type PeerSubjectName = keyof typeof peerClients;
