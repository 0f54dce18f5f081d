/**
 * Stands between one client and one Redis server and breaks what a network breaks: replies that come late, connections
 * that are cut, a peer that is silent. It knows one thing of the protocol: a connection on which the client subscribed
 * to something is its *feed*, every other one carries *commands*.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net';

export type Traffic = 'commands' | 'feed';

/** `[length]\r\nSUBSCRIBE\r\n`, with the letters of its pattern and shard forms. */
const SUBSCRIBES = /\$\d+\r\n[ps]?subscribe\r\n/i;
const SUBSCRIBE_CHARS_MAX = 24;

export interface ProxyAddress {
  readonly host: string;
  readonly port: number;
}

/** Keeps the replies of some traffic back until it is released. */
export interface Hold {
  /** What came from the server and was kept back so far. */
  kept(): Buffer;
  /** Lets everything pass, what was kept back first. */
  release(): void;
}

export class TcpProxy {
  readonly address: ProxyAddress;
  readonly #to: ProxyAddress;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #holds = new Set<{ readonly traffic: Traffic }>();
  readonly #refused = new Set<Traffic>();
  #refusesHost: (host: string | undefined) => boolean = () => false;
  #accepted = 0;

  private constructor(server: Server, address: ProxyAddress, to: ProxyAddress) {
    this.#server = server;
    this.address = address;
    this.#to = to;
    server.on('connection', (client) => this.#accept(client));
  }

  static async start(address: ProxyAddress, to: ProxyAddress): Promise<TcpProxy> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ ...address, exclusive: true }, resolve);
    });
    return new TcpProxy(server, address, to);
  }

  /** Connections that clients made so far, also those that were ended at once. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Connections that stand now. */
  get open(): number {
    return this.#connections.size;
  }

  /** Replies of this traffic stay here from now on, on connections that exist and on new ones. */
  hold(traffic: Traffic): Hold {
    const rule = { traffic };
    this.#holds.add(rule);
    return {
      kept: () => Buffer.concat([...this.#connections].filter((one) => one.traffic === traffic).map((one) => one.kept)),
      release: () => {
        this.#holds.delete(rule);
        for (const one of this.#connections) one.pump();
      },
    };
  }

  /** Ends the connections of this traffic, or all. What is on its way is lost. */
  cut(traffic?: Traffic): void {
    for (const one of [...this.#connections]) if (traffic === undefined || one.traffic === traffic) one.end();
  }

  /** Ends every new connection as soon as it shows to be of this traffic. */
  refuse(traffic: Traffic): void {
    this.#refused.add(traffic);
  }

  /** Ends the connections that come from this address, or all, and every new one. */
  refuseFrom(host: string | undefined): void {
    this.#refusesHost = (from) => host === undefined || from === host;
    for (const one of [...this.#connections]) if (this.#refusesHost(one.from)) one.end();
  }

  accept(): void {
    this.#refused.clear();
    this.#refusesHost = () => false;
  }

  /** Stops to read what the server sends on this traffic, so that it piles up there; the function returned ends that. */
  stall(traffic: Traffic): () => void {
    const stalled = [...this.#connections].filter((one) => one.traffic === traffic);
    for (const one of stalled) one.server.pause();
    return () => {
      for (const one of stalled) one.server.resume();
    };
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    this.#accepted += 1;
    const server = createConnection({ ...this.#to, noDelay: true });
    const connection = new Connection(client, server, {
      isHeld: (traffic) => [...this.#holds].some((rule) => rule.traffic === traffic),
      isRefused: (traffic) => this.#refused.has(traffic),
      onEnd: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    // A connection shows itself as a feed only when it subscribes; until then it counts as one of commands.
    if (this.#refused.has('commands') || this.#refusesHost(connection.from)) connection.end();
  }
}

interface Orders {
  isHeld(traffic: Traffic): boolean;
  isRefused(traffic: Traffic): boolean;
  onEnd(): void;
}

class Connection {
  traffic: Traffic = 'commands';
  /** The address that the client has. */
  readonly from: string | undefined;
  readonly server: Socket;
  readonly #client: Socket;
  readonly #orders: Orders;
  readonly #queue: Buffer[] = [];
  #tail = '';
  #ended = false;

  constructor(client: Socket, server: Socket, orders: Orders) {
    this.#client = client;
    this.from = client.remoteAddress;
    this.server = server;
    this.#orders = orders;
    client.on('data', (bytes) => this.#toServer(bytes));
    server.on('data', (bytes) => {
      this.#queue.push(bytes);
      this.pump();
    });
    client.on('drain', () => server.resume());
    for (const socket of [client, server]) {
      socket.on('error', () => this.end());
      socket.on('close', () => this.end());
    }
  }

  /** What waits here for the client. */
  get kept(): Buffer {
    return Buffer.concat(this.#queue);
  }

  /** Gives the client what may pass. */
  pump(): void {
    while (!this.#ended && !this.#orders.isHeld(this.traffic)) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      if (!this.#client.write(next)) this.server.pause();
    }
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#client.destroy();
    this.server.destroy();
    this.#orders.onEnd();
  }

  #toServer(bytes: Buffer): void {
    if (this.traffic === 'commands') {
      const text = this.#tail + bytes.toString('latin1');
      if (SUBSCRIBES.test(text)) this.traffic = 'feed';
      this.#tail = text.slice(-SUBSCRIBE_CHARS_MAX);
    }
    if (this.#orders.isRefused(this.traffic)) this.end();
    else if (!this.#ended) this.server.write(bytes);
  }
}
