import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { measureStaleness } from '../../bench/harness/foreign-writes.js';
import type { Cache } from '../../src/index.js';
import { createCache } from '../../src/index.js';
import {
  type ChangeFollowing,
  createFleet,
  type Fleet,
  type FleetDatabase,
  openFleetDatabase,
} from '../../src/node/fleet.js';
import { makeOwnPrefix } from '../servers.js';
import { type ChangeDatabase, openChangeDatabase, SOON, writeLocation, writeStatus } from './change-readers.js';

interface Node {
  readonly cache: Cache;
  readonly fleet: Fleet;
  readonly changes: ChangeFollowing;
}

const opened: (() => Promise<unknown>)[] = [];
let others: ChangeDatabase;
let database: FleetDatabase;

beforeEach(async () => {
  others = await openChangeDatabase(inject('databaseUrl'));
  opened.push(() => others.close());
  database = openFleetDatabase(others.url);
  opened.push(() => database.close());
});

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function openNode(config: Parameters<typeof createCache>[0] = {}): Promise<Node> {
  const cache = await createCache({ city: 'mumbai', ...config });
  opened.push(() => cache.close());
  const fleet = createFleet({ cache, repository: database.repository });
  opened.push(() => fleet.close());
  const changes = database.followChanges({ cache });
  opened.push(() => changes.close());
  await expect.poll(() => changes.stats().state, SOON).toMatch(/reading|standby/);
  return { cache, fleet, changes };
}

const at = (offsetMs: number) => new Date(Date.now() + offsetMs);
const report = (vehicleId: number, offsetMs: number) => ({
  vehicleId,
  lat: 19.07,
  lon: 72.87,
  speedKmh: 40,
  engineOn: true,
  at: at(offsetMs),
});

describe('what others write to the database', () => {
  it('is what the next reads of the fleet say, of every kind', async () => {
    const { fleet } = await openNode();
    const { other } = others;
    await writeStatus(other, 7);
    expect(await fleet.vehicle(7)).toMatchObject({ model: 'Prima' });
    expect(await fleet.trips(7)).toEqual([]);
    await expect.poll(async () => (await fleet.vehicleStatus(7))?.odometerKm, SOON).toBe(1_000);
    await other.query(`update vehicles set model = 'Signa' where id = 7`);
    await other.query(`insert into trips values ('t1', 7, 'a', 'b', 1, now(), now(), null)`);
    await writeStatus(other, 7);
    await expect.poll(async () => (await fleet.vehicle(7))?.model, SOON).toBe('Signa');
    await expect.poll(async () => (await fleet.trips(7))?.length, SOON).toBe(1);
    await expect.poll(async () => (await fleet.vehicleStatus(7))?.odometerKm, SOON).toBe(1_001);
    await other.query('truncate trips');
    await expect.poll(async () => (await fleet.trips(7))?.length, SOON).toBe(0);
  });

  it('moves vehicles: forward without asking the database, and back where somebody corrects a position', async () => {
    const { fleet, cache } = await openNode();
    await fleet.recordLocation(report(7, -60_000));
    const { queries } = database;
    await writeLocation(others.other, 7, at(-30_000).toISOString(), 19.5, '19.50:72.87');
    await expect.poll(() => cache.peek('vehicle:location:7'), SOON).toMatchObject({ lat: 19.5 });
    expect(await fleet.vehicleLocation(7)).toMatchObject({ lat: 19.5 });
    expect(database.queries).toBe(queries);
    await writeLocation(others.other, 7, at(-90_000).toISOString(), 19.1, '19.10:72.87');
    await expect.poll(async () => (await fleet.vehicleLocation(7))?.lat, SOON).toBe(19.1);
    await others.other.query('delete from vehicle_locations');
    await expect.poll(() => fleet.vehicleLocation(7), SOON).toBeUndefined();
  });

  it('is made up for when a node stopped between the database and the cache', async () => {
    const { fleet } = await openNode();
    await fleet.recordLocation(report(7, -60_000));
    const location = await fleet.vehicleLocation(7);
    await database.repository.saveLocations(
      [{ ...(location as NonNullable<typeof location>), at: at(-1_000), lat: 19.08 }],
      {
        signal: new AbortController().signal,
        remainingMs: 5_000,
      },
    );
    await expect.poll(async () => (await fleet.vehicleLocation(7))?.lat, SOON).toBe(19.08);
  });

  it('is not mistaken for what the fleet writes itself, which is left as it is', async () => {
    const { fleet, changes, cache } = await openNode();
    await changes.close();
    await fleet.recordLocations(Array.from({ length: 50 }, (_, i) => report(i + 1, -5_000)));
    const before = await cache.getEntry('vehicle:location:7');
    const next = database.followChanges({ cache });
    opened.push(() => next.close());
    await expect.poll(() => next.stats().changes, SOON).toBe(50);
    await expect.poll(() => next.stats().known, SOON).toBe(50);
    expect(next.stats()).toMatchObject({ positions: 0, deleted: 0, startedOver: 0 });
    expect((await cache.getEntry('vehicle:location:7'))?.version).toBe(before?.version);
    expect(next.metricsText()).toContain('fleetflow_change_feed_known_positions_total 50\n');
  });

  it('reaches every node of a city through the one that reads', async () => {
    const redis = { nodes: inject('redisClusterNodes'), prefix: makeOwnPrefix() };
    const nodes = await Promise.all([0, 1, 2].map(() => openNode({ redis })));
    await expect.poll(() => nodes.filter(({ changes }) => changes.stats().state === 'reading').length, SOON).toBe(1);
    await writeStatus(others.other, 7);
    const odometer = (node: Node) => async () => (await node.fleet.vehicleStatus(7))?.odometerKm;
    for (const node of nodes) await expect.poll(odometer(node), SOON).toBe(1_000);
    const stale = await measureStaleness({
      commit: () => writeStatus(others.other, 7),
      readers: nodes.map((node) => async () => (await odometer(node)()) === 1_001),
      boundMs: 15_000,
    });
    expect(stale).toHaveLength(3);
    expect(stale.every(Number.isFinite)).toBe(true);
    for (const node of nodes) expect(await odometer(node)()).toBe(1_001);
  });
});
