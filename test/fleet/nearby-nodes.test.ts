import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, it } from 'vitest';
import { connectTo } from '../../src/cli/servers/redis-node.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import { regionOf } from '../../src/fleet/region.js';
import { makeOwnPrefix, startOwnRedisCluster } from '../servers.js';
import { openNodes, reportNow, useClosing } from './fleet-nodes.js';

const onClose = useClosing();
const soon = (what: string, check: () => boolean | Promise<boolean>) => waitUntil({ what, boundMs: 20_000 }, check);
/** P1 of the design. */
const BOUND_MS = 1_000;
const CIRCLE = { lat: 19.0765, lon: 72.8777, radiusKm: 12 };

const idsOf = (found: readonly { readonly vehicleId: string }[]) => found.map(({ vehicleId }) => vehicleId).sort();

async function openThree() {
  const prefix = makeOwnPrefix();
  const config = { redis: { nodes: inject('redisClusterNodes'), prefix } };
  return openNodes([config, config, config], onClose);
}

describe('nearbyVehicles on three nodes', () => {
  it('finds a vehicle in its new cell wherever one asks, and loses none that is changing cells', async () => {
    const { nodes, repository } = await openThree();
    const vehicles = Array.from({ length: 30 }, (_, i) => i + 1);
    const home = (id: number) => ({ lat: 19.005 + (id % 10) / 100, lon: 72.805 + (id % 7) / 100 });
    await nodes[0]?.fleet.recordLocations(vehicles.map((id) => reportNow(id, home(id))));
    const all = vehicles.map(String).sort();
    // From here on each knows its cells by what it hears.
    await soon('each to know all of them', async () => {
      const before = repository.placeReads;
      await sleep(BOUND_MS);
      const found = await Promise.all(nodes.map(({ fleet }) => fleet.nearbyVehicles(CIRCLE)));
      return found.every((one) => idsOf(one).length === all.length) && repository.placeReads === before;
    });
    const before = repository.placeReads;
    let moves = 0;
    let asked = 0;
    let isOver = false;
    const ask = async (nth: number) => {
      while (!isOver) {
        // A vehicle that drives from one cell of the circle to another is in the one or in the other, never in none.
        expect(idsOf((await nodes[nth]?.fleet.nearbyVehicles(CIRCLE)) ?? [])).toEqual(all);
        asked += 1;
        await sleep(1);
      }
    };
    const asking = nodes.map((_, nth) => ask(nth));
    try {
      for (let round = 0; round < 40; round++) {
        const at = nodes[round % 3]?.fleet;
        const id = vehicles[(round * 7) % vehicles.length] as number;
        const to = { lat: home(id).lat + ((round % 5) - 2) / 100, lon: home(id).lon + ((round % 3) - 1) / 100 };
        const recorded = await at?.recordLocation(reportNow(id, { ...to, at: Date.now() + round }));
        const recordedAtMs = performance.now();
        if (recorded?.outcome === 'newest') moves += 1;
        const region = regionOf(to.lat, to.lon);
        // At once by whoever recorded it, and by the others within the second that is promised for every read.
        expect(idsOf((await at?.nearbyVehicles(region)) ?? [])).toContain(String(id));
        await Promise.all(
          nodes.map(async ({ fleet }) => {
            for (;;) {
              const begunAfterMs = performance.now() - recordedAtMs;
              const found = idsOf(await fleet.nearbyVehicles(region)).includes(String(id));
              if (found) return;
              expect(begunAfterMs).toBeLessThan(BOUND_MS);
            }
          }),
        );
      }
    } finally {
      isOver = true;
      await Promise.all(asking);
    }
    expect(moves).toBe(40);
    expect(asked).toBeGreaterThan(40);
    // None of all that is a reason to ask the database who is where; a lease of the feed that runs out is.
    expect(repository.placeReads - before).toBeLessThan(moves / 2);
  });

  it('answers from a memory that has no room for all, and hears of moves all the same', async () => {
    const redis = { nodes: inject('redisClusterNodes'), prefix: makeOwnPrefix() };
    const { nodes, repository } = await openNodes([{ redis, local: { maxEntries: 40 } }, { redis }], onClose);
    const [small, other] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
    const vehicles = Array.from({ length: 200 }, (_, i) => i + 1);
    await other.fleet.recordLocations(vehicles.map((id) => reportNow(id)));
    await small.fleet.nearbyVehicles('19.07,72.87');
    await soon('its own cells', async () => {
      await sleep(BOUND_MS);
      const before = repository.placeReads;
      expect(await small.fleet.nearbyVehicles('19.07,72.87')).toHaveLength(200);
      return repository.placeReads === before;
    });
    for (let round = 1; round <= 20; round++) {
      await other.fleet.recordLocation(reportNow(round, { lat: 19.0865, at: Date.now() + round }));
      await soon('the move', async () => (await small.fleet.nearbyVehicles('19.08,72.87')).length === round);
      expect(await small.fleet.nearbyVehicles('19.07,72.87')).toHaveLength(200 - round);
    }
  });

  it('finds what moved while the feed was cut', async () => {
    const { cluster, stop } = await startOwnRedisCluster();
    onClose(stop);
    const config = { redis: { nodes: cluster.nodes.map(({ port }) => `127.0.0.1:${port}`) } };
    const { nodes } = await openNodes([config, config], onClose);
    const [here, there] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
    const vehicles = Array.from({ length: 20 }, (_, i) => i + 1);
    await there.fleet.recordLocations(vehicles.map((id) => reportNow(id)));
    await here.fleet.nearbyVehicles(CIRCLE);
    await sleep(BOUND_MS);
    expect(await here.fleet.nearbyVehicles(CIRCLE)).toHaveLength(20);
    for (let round = 1; round <= 3; round++) {
      const lat = 19.0765 + round / 100;
      await Promise.all(
        cluster.nodes.map(async ({ port }) => {
          const server = await connectTo(port, 5_000);
          await server.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
          server.destroy();
        }),
      );
      await there.fleet.recordLocations(vehicles.map((id) => reportNow(id, { lat, at: Date.now() + round })));
      const recordedAtMs = performance.now();
      for (;;) {
        const begunAfterMs = performance.now() - recordedAtMs;
        const found = await here.fleet.nearbyVehicles(regionOf(lat, 72.8777));
        if (found.length === vehicles.length) break;
        expect(begunAfterMs).toBeLessThan(BOUND_MS);
      }
      await soon('the feed', () => here.cache.hearsAll && there.cache.hearsAll);
      // From here on it goes by its own cells again, which must know what it did not hear.
      await sleep(BOUND_MS);
      expect(await here.fleet.nearbyVehicles(regionOf(lat, 72.8777))).toHaveLength(20);
    }
  });
});
