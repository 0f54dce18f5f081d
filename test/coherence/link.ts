import type { ProxyAddress, Traffic } from './tcp-proxy.js';
import { type Hold, TcpProxy } from './tcp-proxy.js';

/** What one node has between it and the Redis servers: a proxy to each, all broken alike. */
export class Link {
  readonly host: string;
  readonly #proxies: readonly TcpProxy[];

  private constructor(host: string, proxies: readonly TcpProxy[]) {
    this.host = host;
    this.#proxies = proxies;
  }

  /**
   * Every node gets a loopback address of its own, with the ports of the servers: so what a cluster announces leads each
   * node through its own proxies, and needs no change but that of the host.
   */
  static async open(host: string, ports: readonly number[]): Promise<Link> {
    const proxies = await Promise.all(ports.map((port) => TcpProxy.start({ host, port }, { host: '127.0.0.1', port })));
    return new Link(host, proxies);
  }

  get addresses(): string[] {
    return this.#proxies.map(({ address }) => `${address.host}:${address.port}`);
  }

  /** Where this node finds what a server says of itself and of the others. */
  get addressMap(): Record<string, ProxyAddress> {
    return Object.fromEntries(this.#proxies.map(({ address }) => [`127.0.0.1:${address.port}`, address]));
  }

  hold(traffic: Traffic): Hold {
    const holds = this.#proxies.map((proxy) => proxy.hold(traffic));
    return {
      kept: () => Buffer.concat(holds.map((one) => one.kept())),
      release: () => {
        for (const one of holds) one.release();
      },
    };
  }

  cut(traffic?: Traffic): void {
    for (const proxy of this.#proxies) proxy.cut(traffic);
  }

  refuse(traffic: Traffic): void {
    for (const proxy of this.#proxies) proxy.refuse(traffic);
  }

  accept(): void {
    for (const proxy of this.#proxies) proxy.accept();
  }

  /** Nothing gets through, and nothing can be opened; but to the server on `spared`, if there is one. */
  sever(spared?: number): void {
    for (const proxy of this.#proxies) {
      if (proxy.address.port === spared) continue;
      proxy.refuse('commands');
      proxy.cut();
    }
  }

  stall(traffic: Traffic): () => void {
    const resumes = this.#proxies.map((proxy) => proxy.stall(traffic));
    return () => {
      for (const resume of resumes) resume();
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }
}
