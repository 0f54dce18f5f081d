import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

/** A cable between a client and a server that a test can cut, or hold still as a frozen server does. */
export interface Wire {
  /** The same URL by way of the wire. */
  readonly url: string;
  /** Connections now open. */
  readonly open: number;
  /** Nothing gets through any more, in either direction; connections stay open, new ones too. */
  freeze(): void;
  thaw(): void;
  /** Resets what is open. */
  cut(): void;
  close(): Promise<void>;
}

export async function startWire(targetUrl: string): Promise<Wire> {
  const target = new URL(targetUrl);
  const pairs = new Set<readonly [Socket, Socket]>();
  let frozen = false;
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on('error', () => {});
      from.on('close', () => {
        pairs.delete(pair);
        to.destroy();
      });
      from.pipe(to);
      if (frozen) from.pause();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(targetUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  const each = (act: (socket: Socket) => void) => {
    for (const socket of [...pairs].flat()) act(socket);
  };
  const cut = () => each((socket) => socket.resetAndDestroy());
  return {
    url: url.href,
    get open() {
      return pairs.size;
    },
    freeze() {
      frozen = true;
      each((socket) => socket.pause());
    },
    thaw() {
      frozen = false;
      each((socket) => socket.resume());
    },
    cut,
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
