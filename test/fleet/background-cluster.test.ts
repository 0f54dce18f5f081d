import { afterEach, describe, expect, inject, it } from 'vitest';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Cache } from '../../src/core/cache.js';
import type { Clock } from '../../src/core/clock.js';
import type { VehicleId } from '../../src/fleet/domain.js';
import { VirtualClock } from '../virtual-clock.js';
import { type CityNode, type FleetCity, NotingRepository, openFleetCity, saveFleet } from './fleet-city.js';

const opened: FleetCity[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((city) => city.close()));
});

async function openCity(vehicles: number, size = 3, clock?: Clock) {
  const repository = new NotingRepository();
  const ids = await saveFleet(repository, vehicles);
  const city = await openFleetCity(inject('redisClusterNodes'), size, repository, clock);
  opened.push(city);
  return { city, repository, ids };
}

/** Every node reads the statuses, and they are about to expire: due for a refresh on every node. */
async function expiring({ nodes }: FleetCity, ids: readonly VehicleId[]): Promise<void> {
  const read = ({ fleet }: CityNode) => Promise.all(ids.map((id) => fleet.vehicleStatus(id)));
  const [first, ...others] = nodes as [CityNode, ...CityNode[]];
  await read(first);
  const touched = await Promise.all(ids.map((id) => first.cache.touch(`vehicle:status:${id}`, '2m')));
  expect(touched).toEqual(ids.map(() => true));
  await Promise.all(others.map(read));
  const looks = nodes.flatMap(({ cache }) => ids.map((id) => cache.getEntry(`vehicle:status:${id}`)));
  const left = (await Promise.all(looks)).map((entry) => entry?.ttlMs ?? 0);
  expect(Math.min(...left)).toBeGreaterThan(0);
  // Clocks of a city differ a little.
  expect(Math.max(...left)).toBeLessThan(130_000);
}

describe('the refresh of a city', () => {
  it('loads each key once, though every node is asked for it and all take their rounds at once', async () => {
    const { city, repository, ids } = await openCity(120);
    await expiring(city, ids);
    repository.forget();
    // Both kinds of overlap: at the same moment, and one round after another.
    await Promise.all(city.nodes.map(({ fleet }) => fleet.refresh.runOnce()));
    for (const { fleet } of city.nodes) await fleet.refresh.runOnce();
    expect([...repository.asked.statuses.keys()].sort()).toEqual([...ids].sort());
    expect(new Set(repository.asked.statuses.values())).toEqual(new Set([1]));
    const stats = city.nodes.map(({ fleet }) => fleet.stats());
    expect(stats.reduce((sum, { refreshed }) => sum + refreshed, 0)).toBe(120);
    expect(stats.reduce((sum, { refreshErrors }) => sum + refreshErrors, 0)).toBe(0);
  });

  it('spares a node that looked before another one refreshed, and loads only after', async () => {
    const { city, repository, ids } = await openCity(40, 1);
    const [first] = city.nodes as [CityNode];
    let late = async () => {};
    // It looks, and before it loads anything the other node's whole round goes by.
    const second = await city.join((cache) => lookingThenWaiting(cache, () => late()));
    await expiring({ ...city, nodes: [first, second] }, ids);
    repository.forget();
    let rounds = 0;
    late = async () => {
      late = async () => {};
      rounds += await first.fleet.refresh.runOnce();
    };
    expect(await second.fleet.refresh.runOnce()).toBe(0);
    expect(rounds).toBe(40);
    expect(new Set(repository.asked.statuses.values())).toEqual(new Set([1]));
    expect(second.fleet.stats()).toMatchObject({ refreshed: 0, refreshesSpared: 40 });
  });

  it('brings each node what the one who refreshed has loaded', async () => {
    const { city, repository, ids } = await openCity(10, 2);
    await expiring(city, ids);
    await repository.saveStatuses(
      ids.map((id) => ({ vehicleId: id, state: 'moving', fuelPercent: 7, odometerKm: 2, updatedAt: new Date() })),
      { signal: new AbortController().signal, remainingMs: 1_000 },
    );
    await Promise.all(city.nodes.map(({ fleet }) => fleet.refresh.runOnce()));
    for (const { fleet } of city.nodes) {
      const statuses = await Promise.all(ids.map((id) => fleet.vehicleStatus(id)));
      expect(statuses.map((status) => status?.fuelPercent)).toEqual(ids.map(() => 7));
    }
  });
});

describe('the warm-up of a city', () => {
  it('asks the database for no more when three nodes start at once than when one does (P14)', async () => {
    const { city, repository, ids } = await openCity(300);
    const results = await Promise.all(city.nodes.map(({ fleet }) => fleet.warmUp()));
    const alone = 4 * ids.length;
    expect(results.map(({ failed }) => failed)).toEqual([0, 0, 0]);
    expect(repository.rows).toBeLessThanOrEqual(1.2 * alone);
    expect(results.reduce((sum, { loaded }) => sum + loaded, 0)).toBe(repository.rows);
    for (const counts of Object.values(repository.asked)) expect(counts.size).toBe(ids.length);

    // A node that comes later finds all of it.
    repository.forget();
    const late = await city.join();
    expect(await late.fleet.warmUp()).toEqual({ vehicles: 300, failed: 0, loaded: 0 });
    expect(repository.rows).toBe(0);
  });

  it('begins with what the city was asked for, also when no node is left of those who were asked', async () => {
    const { city, repository, ids } = await openCity(200, 2);
    const hot = ['150', '7', '199'];
    for (const [at, { fleet }] of city.nodes.entries()) {
      for (const id of hot) for (let i = 0; i < 20; i++) await fleet.vehicleLocation(id);
      // One vehicle is asked for of this node only.
      await fleet.trips(at === 0 ? 101 : 102);
      await fleet.refresh.runOnce();
    }
    for (const node of city.nodes) await city.leave(node);
    const next = await city.join();
    // Else the hot ones were no part of any statement: they are cached.
    await next.cache.deleteByPattern('vehicle:*');
    repository.forget();
    await next.fleet.warmUp();
    const [first] = repository.statements;
    expect(first?.ids.slice(0, 3).toSorted()).toEqual(hot.toSorted());
    expect(first?.ids.slice(3, 5).toSorted()).toEqual(['101', '102']);
    expect(repository.asked.vehicles.size).toBe(ids.length);
  });

  it('is done once in the morning, by one node for all', async () => {
    const clock = new VirtualClock();
    const { city, repository, ids } = await openCity(100, 3, clock);
    for (const { fleet } of city.nodes) fleet.mornings.start();
    clock.advance(Date.parse('2023-11-15T05:20:00+05:30') - clock.wallMs());
    const mornings = () => city.nodes.map(({ fleet }) => fleet.stats().morningWarmUps);
    await waitUntil({ what: 'the morning', boundMs: 30_000 }, () => {
      clock.advance(100);
      return mornings().includes(1);
    });
    // Time enough for the others to find it done, and to warm up as well if they did not.
    await waitUntil({ what: 'the end of the night', boundMs: 60_000 }, () => {
      clock.advance(3_000);
      return clock.wallMs() > Date.parse('2023-11-15T05:31:00+05:30');
    });
    expect(mornings().toSorted()).toEqual([0, 0, 1]);
    expect(repository.rows).toBe(4 * ids.length);
  });

  it('is done by another node when the one that had the morning has died', async () => {
    const clock = new VirtualClock();
    const { city, repository, ids } = await openCity(10, 2, clock);
    const [{ cache }] = city.nodes as [CityNode];
    const midnight = Date.parse('2023-11-15T00:00:00+05:30');
    await cache.set(`fleet:morning-warm-up:${midnight}`, { nodeId: 'dead', done: false }, { ttl: '2s' });
    for (const { fleet } of city.nodes) fleet.mornings.start();
    clock.advance(midnight + 320 * 60_000 - clock.wallMs());
    await waitUntil({ what: 'somebody to take over', boundMs: 30_000 }, () => {
      clock.advance(100);
      return city.nodes.some(({ fleet }) => fleet.stats().morningWarmUps === 1);
    });
    expect(repository.rows).toBe(4 * ids.length);
  });
});

/** A cache whose looks at entries are answered, and then held up once all of a batch have been taken. */
function lookingThenWaiting(cache: Cache, wait: () => Promise<void>): Cache {
  const looks: Promise<unknown>[] = [];
  const getEntry: Cache['getEntry'] = async <T>(key: string, call?: Parameters<Cache['getEntry']>[1]) => {
    const look = cache.getEntry<T>(key, call);
    looks.push(look);
    const entry = await look;
    await Promise.all(looks);
    await wait();
    return entry;
  };
  return new Proxy(cache, {
    get: (target, name) => {
      if (name === 'getEntry') return getEntry;
      const found: unknown = Reflect.get(target, name, target);
      return typeof found === 'function' ? found.bind(target) : found;
    },
  });
}
