import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';

const LOWEST_PORT = 10_000;
/** Where Linux starts to take the local ports of outgoing connections from, unless it was told otherwise. */
const USUAL_EPHEMERAL_START = 32_768;
const MAX_TRIES_PER_PORT = 200;

/** What this process has given out: between the look here and the server's own `listen`, nobody else may get it. */
const given = new Set<number>();

/**
 * Free TCP ports of 127.0.0.1, all different and never given twice by this process.
 *
 * They lie below the range from which the kernel takes local ports for outgoing connections. From inside it, a client
 * that keeps knocking at a stopped server's port may be given that very port as its own, connect to itself, and so
 * keep the server from coming back.
 */
export async function findFreePorts(count: number): Promise<number[]> {
  const end = ephemeralStart();
  const held: Server[] = [];
  const ports: number[] = [];
  try {
    for (let tries = 0; ports.length < count; tries++) {
      if (tries >= count * MAX_TRIES_PER_PORT || given.size >= end - LOWEST_PORT) {
        throw new Error(`Found ${ports.length} of ${count} free ports on 127.0.0.1 between ${LOWEST_PORT} and ${end}.`);
      }
      const port = randomInt(LOWEST_PORT, end);
      if (given.has(port)) continue;
      const server = await tryListen(port);
      if (!server) continue;
      given.add(port);
      held.push(server);
      ports.push(port);
    }
    return ports;
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

export async function findFreePort(): Promise<number> {
  const [port] = await findFreePorts(1);
  if (port === undefined) throw new Error('No free port on 127.0.0.1.');
  return port;
}

function ephemeralStart(): number {
  try {
    const start = Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10);
    // A machine that hands out nearly every port leaves no room below; then the usual range has to do.
    return start > LOWEST_PORT + 1_000 ? start : USUAL_EPHEMERAL_START;
  } catch {
    return USUAL_EPHEMERAL_START;
  }
}

function tryListen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}
