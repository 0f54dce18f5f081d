import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { compose } from '../../src/node/compose.js';
import { keyOf, makeLocation } from '../data/locations.js';
import { PATIENT_DEADLINES, peersConfig } from './fleet-config.js';
import { decodeParts, FrameWriter, receiveFrames } from './frames.js';

/** The one that keeps the values, in a process of its own. */
export interface PeerOwner {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** Of a node of ours; empty otherwise. */
  readonly nodeId: string;
  close(): Promise<void>;
}

type Opening = (keys: number) => Promise<PeerOwner>;

/** Encoded beforehand: the servers beside ours do nothing but look up and send. */
function storedTexts(keys: number): Map<string, Buffer> {
  return new Map(
    Array.from({ length: keys }, (_, vehicle) => [keyOf(vehicle), Buffer.from(JSON.stringify(makeLocation(vehicle)))]),
  );
}

async function listening(server: Server): Promise<PeerOwner> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    nodeId: '',
    close: async () => void server.close(),
  };
}

const fleetflow: Opening = async () => {
  const node = await compose({ peers: peersConfig([]), nearCache: false, deadlines: PATIENT_DEADLINES });
  return { address: node.peerAddress ?? '', nodeId: node.cache.stats().nodeId, close: () => node.cache.close() };
};

/** `GET /{key}`, and nothing else. */
const http: Opening = async (keys) => {
  const texts = storedTexts(keys);
  const server = createHttpServer((request, response) => {
    const text = texts.get(decodeURIComponent(request.url?.slice(1) ?? ''));
    response.writeHead(text === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(text);
  });
  return listening(server);
};

const framedTcp: Opening = async (keys) => {
  const texts = storedTexts(keys);
  const nothing = Buffer.alloc(0);
  const server = createTcpServer({ noDelay: true }, (socket) => {
    const writer = new FrameWriter(socket);
    socket.on('error', () => {});
    receiveFrames(socket, (id, body) => {
      writer.send(
        id,
        decodeParts(body).map((key) => texts.get(key) ?? nothing),
      );
    });
  });
  return listening(server);
};

export const peerOwners = {
  'fleetflow-cache': fleetflow,
  'undici request': http,
  'framed TCP': framedTcp,
} as const satisfies Record<string, Opening>;
