import { afterEach, expect, it } from 'vitest';
import { encodeEntry } from '../../src/core/entry-format.js';
import { Floors } from '../../src/core/floors.js';
import { HybridClock } from '../../src/core/hlc.js';
import { systemChance, systemClock } from '../../src/node/system-clock.js';
import { Door } from '../../src/peer/door.js';
import { DriftGate } from '../../src/peer/drift.js';
import { HttpPeerTransport } from '../../src/peer/http-transport.js';
import { parseAddress } from '../../src/peer/peer-address.js';
import { peerRoutes } from '../../src/peer/peer-routes.js';
import { PeerServer } from '../../src/peer/peer-server.js';
import type { PeerService } from '../../src/peer/peer-service.js';
import { Refusals } from '../../src/peer/refusals.js';
import { entry } from './entries.js';
import { call, SECRET } from './peer-nodes.js';

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

/** An owner of which everything is hot, and which places by the members of this epoch. */
async function openOwner(epoch: string): Promise<string> {
  const clock = systemClock;
  const hlc = new HybridClock(clock);
  const drift = new DriftGate({ clock, hlc });
  const bytes = encodeEntry(entry('it'));
  const kept = { length: bytes.length, copyTo: (target: Uint8Array, at: number) => target.set(bytes, at) };
  const service: Pick<PeerService, 'batch' | 'epoch'> = {
    batch: ({ reads }) => ({ reads: reads.map(() => kept), writes: [], leases: [], hot: [...reads.keys()] }),
    epoch: () => epoch,
  };
  const tier = { read: async () => [], write: async () => [] };
  const routes = { clock, hlc, origin: 1, service: service as PeerService, tier, floors: new Floors(), drift };
  const server = new PeerServer({
    listen: parseAddress('127.0.0.1:0', 'listen'),
    door: new Door({ secrets: [SECRET], clock, drift, address: () => '127.0.0.1:1' }),
    refusals: new Refusals({ clock, onRefused() {}, onError() {} }),
    clock,
    onError() {},
  });
  opened.push(server);
  const address = `127.0.0.1:${await server.listen()}`;
  server.serve(peerRoutes(routes));
  return address;
}

function openTransport(epoch: string, onEpoch: (address: string) => void): HttpPeerTransport {
  const drift = new DriftGate({ clock: systemClock, hlc: new HybridClock(systemClock) });
  const parts = { clock: systemClock, chance: systemChance, drift, secret: SECRET };
  const transport = new HttpPeerTransport({ ...parts, epoch: () => epoch, onEpoch });
  opened.push(transport);
  return transport;
}

it('an owner that places by other members has the entry, but not the say whether it is hot', async () => {
  const told: string[] = [];
  const transport = openTransport('mine', (address) => told.push(address));
  const [same, other] = [await openOwner('mine'), await openOwner('another')];
  const hotOf = async (address: string) => {
    const [read] = await transport.read(address, ['k'], call());
    return read?.kind === 'found' ? (read.hot ?? false) : read?.kind;
  };
  expect(await hotOf(same)).toBe(true);
  expect(await hotOf(other)).toBe(false);
  expect(told).toEqual([other]);
});
