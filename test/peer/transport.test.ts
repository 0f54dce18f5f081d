import { createServer, type Server, type Socket } from 'node:net';
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
import { transportContract } from '../contract/transport-contract.js';
import { MemoryNetwork, MemoryTransport } from './memory-transport.js';

const clock = systemClock;
const chance = systemChance;
const drift = new DriftGate({ clock, hlc: new HybridClock(clock) });
const SECRET = 'a secret-that_both.know'.replace(' ', '-');

transportContract('HTTP', async () => {
  const transport = new HttpPeerTransport({ clock, chance, drift, secret: SECRET });
  const stranger = new HttpPeerTransport({ clock, chance, drift, secret: 'something-else' });
  const servers = new Map<string, PeerServer>();
  const silent: SilentServer[] = [];
  return {
    transport,
    stranger,
    clock,
    async serve(service, address) {
      const listen = parseAddress(address ?? '127.0.0.1:0', 'listen');
      const door = new Door({ secrets: [SECRET], clock, drift, address: () => '127.0.0.1:1' });
      const refusals = new Refusals({ clock, onRefused() {}, onError() {} });
      const server = new PeerServer({ listen, door, refusals, clock, onError() {} });
      const at = `127.0.0.1:${await server.listen()}`;
      server.serve(routesOf(service));
      servers.set(at, server);
      return at;
    },
    async leave(address) {
      await servers.get(address)?.close();
    },
    async silence() {
      const server = new SilentServer();
      silent.push(server);
      return server.listen();
    },
    async stop() {
      await Promise.all([transport.close(), stranger.close(), ...silent.map((server) => server.close())]);
      await Promise.all([...servers.values()].map((server) => server.close()));
    },
  };
});

transportContract('A transport in memory', async () => {
  const network = new MemoryNetwork(SECRET);
  const transport = new MemoryTransport(network, clock, SECRET);
  const stranger = new MemoryTransport(network, clock, 'something-else');
  return {
    transport,
    stranger,
    clock,
    serve: async (service, address) => network.serve(service, address),
    leave: async (address) => network.leave(address),
    silence: async () => network.serve('silent'),
    async stop() {
      await Promise.all([transport.close(), stranger.close()]);
    },
  };
});

function routesOf(service: PeerService) {
  const tier = { read: async () => [], write: async () => [] };
  return peerRoutes({ clock, hlc: new HybridClock(clock), origin: 1, service, tier, floors: new Floors(), drift });
}

/** Accepts connections, reads what comes, and never says anything. */
class SilentServer {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer((socket) => {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.resume();
  });

  listen(): Promise<string> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => {
        const address = this.#server.address();
        resolve(`127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
      });
    });
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}
