import { connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a node that can freeze: connections are taken, and nothing goes through, as with a stopped process. */
export class FreezingProxy {
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #server: Server;
  #target = 0;
  #frozen = false;

  constructor() {
    this.#server = createServer((client) => this.#accept(client));
  }

  /** @returns the address by which the node is to be known */
  listen(): Promise<string> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => {
        const address = this.#server.address();
        resolve(`127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
      });
    });
  }

  /** Where the node really listens. */
  leadTo(address: string): void {
    this.#target = Number(address.split(':').at(-1));
  }

  freeze(): void {
    this.#frozen = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  thaw(): void {
    this.#frozen = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  close(): Promise<void> {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #accept(client: Socket): void {
    const node = connect(this.#target, '127.0.0.1');
    const pair = [client, node] as const;
    this.#pairs.add(pair);
    const join = (from: Socket, to: Socket) => {
      from.on('data', (chunk) => to.write(chunk));
      from.on('error', () => {});
      from.on('close', () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
    };
    join(client, node);
    join(node, client);
    if (this.#frozen) for (const socket of pair) socket.pause();
  }
}
