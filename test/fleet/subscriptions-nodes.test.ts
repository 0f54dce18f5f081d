import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, it } from 'vitest';
import { findFreePorts } from '../../src/cli/servers/free-port.js';
import { connectTo } from '../../src/cli/servers/redis-node.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { VehicleLocation } from '../../src/node/fleet.js';
import { makeOwnPrefix, startOwnRedis } from '../servers.js';
import { openNodes, reportNow, useClosing } from './fleet-nodes.js';

const onClose = useClosing();
const soon = (what: string, check: () => boolean | Promise<boolean>) => waitUntil({ what, boundMs: 20_000 }, check);
const MUMBAI = { south: 18.9, west: 72.7, north: 19.3, east: 73.1 };

/** A listener that keeps what it is told, and fails the test when something older comes after something newer. */
function ear() {
  const told = new Map<string, VehicleLocation>();
  let count = 0;
  const listener = (location: VehicleLocation) => {
    const before = told.get(location.vehicleId);
    if (before !== undefined) expect(location.at.getTime()).toBeGreaterThanOrEqual(before.at.getTime());
    told.set(location.vehicleId, location);
    count += 1;
  };
  const speedOf = (id: number) => told.get(String(id))?.speedKmh;
  return { told, listener, speedOf, count: () => count };
}

describe('subscribe', () => {
  it('tells on every node of what another one recorded, each listener of what it wants', async () => {
    const config = { redis: { nodes: inject('redisClusterNodes'), prefix: makeOwnPrefix() } };
    const { nodes } = await openNodes([config, config, config], onClose);
    const ears = nodes.map(({ fleet }) => {
      const byVehicle = ear();
      const byRegion = ear();
      const byBox = ear();
      fleet.subscribe({ vehicles: [1, 2] }, byVehicle.listener);
      fleet.subscribe({ regions: ['19.07,72.87'] }, byRegion.listener);
      fleet.subscribe({ box: MUMBAI }, byBox.listener);
      return { byVehicle, byRegion, byBox };
    });
    await nodes[0]?.fleet.recordLocations([1, 2, 3].map((id) => reportNow(id)));
    await nodes[1]?.fleet.recordLocation(reportNow(4, { lat: 19.2 }));
    await nodes[2]?.fleet.recordLocation(reportNow(5, { lat: 28.6, lon: 77.2 }));
    await soon('all to be told', () =>
      ears.every(({ byVehicle, byRegion, byBox }) => byVehicle.told.size + byRegion.told.size + byBox.told.size === 9),
    );
    await nodes[1]?.fleet.recordLocation(reportNow(3, { lat: 19.0865, at: Date.now() + 1_000 }));
    await soon('all to be told that 3 has left the region', () =>
      ears.every(({ byRegion }) => byRegion.told.get('3')?.lat === 19.0865),
    );
    for (const { byVehicle, byRegion, byBox } of ears) {
      expect([...byVehicle.told.keys()].sort()).toEqual(['1', '2']);
      expect([...byRegion.told.keys()].sort()).toEqual(['1', '2', '3']);
      expect([...byBox.told.keys()].sort()).toEqual(['1', '2', '3', '4']);
    }
  });

  it('tells first where they are, and under load nothing older after something newer; the newest always comes', async () => {
    const config = { redis: { nodes: inject('redisClusterNodes'), prefix: makeOwnPrefix() } };
    const { nodes } = await openNodes([config, config], onClose);
    const [here, there] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
    const ids = Array.from({ length: 50 }, (_, i) => i + 1);
    await there.fleet.recordLocations(ids.map((id) => reportNow(id, { speedKmh: 1 })));
    const quick = ear();
    const slow = ear();
    let isCurrent = false;
    here.fleet.subscribe({ box: MUMBAI }, quick.listener, {
      current: true,
      onCurrent: () => {
        isCurrent = true;
      },
    });
    here.fleet.subscribe({ box: MUMBAI }, async (location) => {
      slow.listener(location);
      await sleep(5);
    });
    await soon('the present state', () => isCurrent);
    expect(quick.told.size).toBe(50);
    const startMs = Date.now();
    for (let round = 2; round <= 40; round++) {
      const by = round % 2 === 0 ? here : there;
      await by.fleet.recordLocations(ids.map((id) => reportNow(id, { speedKmh: round, at: startMs + round })));
    }
    await soon('the newest of all', () => ids.every((id) => quick.speedOf(id) === 40 && slow.speedOf(id) === 40));
    expect(slow.count()).toBeLessThan(39 * 50);
  });

  it('tells the newest after the feed was cut, also of who has come meanwhile', async () => {
    const { node, stop } = await startOwnRedis();
    onClose(stop);
    const config = { redis: { nodes: [node.address] } };
    const { nodes } = await openNodes([config, config], onClose);
    const [here, there] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
    const byVehicle = ear();
    const byBox = ear();
    here.fleet.subscribe({ vehicles: [1] }, byVehicle.listener);
    here.fleet.subscribe({ box: MUMBAI }, byBox.listener);
    await there.fleet.recordLocations([reportNow(1), reportNow(2)]);
    await soon('both', () => byVehicle.told.size === 1 && byBox.told.size === 2);
    for (let round = 1; round <= 3; round++) {
      const server = await connectTo(node.port, 5_000);
      await server.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
      server.destroy();
      await there.fleet.recordLocations(
        [1, 2, 10 + round].map((id) => reportNow(id, { speedKmh: round, at: Date.now() + round * 10 })),
      );
      await soon('what was said while nobody heard', () =>
        [byVehicle.speedOf(1), byBox.speedOf(2), byBox.speedOf(10 + round)].every((speed) => speed === round),
      );
    }
  });

  it('where peers share all there is, reads what is watched again, as often as copies are asked for', async () => {
    const listens = (await findFreePorts(2)).map((port) => `127.0.0.1:${port}`);
    const configs = listens.map((listen) => ({
      local: { ttl: 500 },
      peers: { listen, seeds: listens, secret: 'only-for-this-test', profile: 'local' as const },
    }));
    const { nodes } = await openNodes(configs, onClose);
    const [here, there] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
    expect(here.fleet.hearsAll).toBe(false);
    const heard = ear();
    here.fleet.subscribe({ box: MUMBAI }, heard.listener);
    await there.fleet.recordLocation(reportNow(1, { speedKmh: 7 }));
    await soon('what another node recorded', () => heard.speedOf(1) === 7);
    await there.fleet.recordLocation(reportNow(1, { speedKmh: 9, at: Date.now() + 1 }));
    await soon('the next', () => heard.speedOf(1) === 9);
  });
});
