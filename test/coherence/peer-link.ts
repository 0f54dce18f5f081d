import { TcpProxy } from './tcp-proxy.js';

/**
 * What one node has between it and the other nodes: a proxy before its own port, and those before theirs. A node in a
 * process of its own asks the others from the address that its proxy has, and so is told apart by them.
 */
export class PeerLink {
  readonly host: string;
  readonly #proxy: TcpProxy;
  /** Of all nodes of the stage. */
  readonly #all: readonly PeerLink[];

  private constructor(host: string, proxy: TcpProxy, all: readonly PeerLink[]) {
    this.host = host;
    this.#proxy = proxy;
    this.#all = all;
  }

  /**
   * @param host a loopback address that no other node has
   * @param port on which the node listens, and the proxy too
   * @param all those of all nodes, the ones that are still to come among them
   */
  static async open(host: string, port: number, all: readonly PeerLink[]): Promise<PeerLink> {
    return new PeerLink(host, await TcpProxy.start({ host, port }, { host: '127.0.0.1', port }), all);
  }

  get address(): string {
    const { host, port } = this.#proxy.address;
    return `${host}:${port}`;
  }

  /** The node reaches nobody, and nobody reaches it; only for one in a process of its own. */
  isolate(): void {
    for (const other of this.#all) other.#proxy.refuseFrom(other === this ? undefined : this.host);
  }

  /** All nodes reach each other. */
  accept(): void {
    for (const other of this.#all) other.#proxy.accept();
  }

  close(): Promise<void> {
    return this.#proxy.close();
  }
}
