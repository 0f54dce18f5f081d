import { afterEach, describe, expect, inject, it } from 'vitest';
import type { Cache } from '../../src/core/cache.js';
import type { VehicleId } from '../../src/fleet/domain.js';
import { type CityNode, type FleetCity, NotingRepository, openFleetCity, saveFleet } from './fleet-city.js';

const opened: FleetCity[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((city) => city.close()));
});

async function openCity(vehicles: number, size = 3) {
  const repository = new NotingRepository();
  const ids = await saveFleet(repository, vehicles);
  const city = await openFleetCity(inject('redisClusterNodes'), size, repository);
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
  expect(Math.max(...left)).toBeLessThanOrEqual(120_000);
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
