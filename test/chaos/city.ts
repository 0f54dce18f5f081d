/** Nodes of one city on this machine, and what they read. */
import { randomBytes } from 'node:crypto';
import { findFreePort } from '../../src/cli/servers/free-port.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import { History } from './history.js';
import { NodeProcess } from './node-process.js';

const TOGETHER_BOUND_MS = 60_000;

export interface CityOptions {
  readonly keys: number;
  readonly readsPerSecond: number;
  readonly seed: number;
}

export class City {
  readonly history = new History();
  readonly #options: CityOptions;
  readonly #secret = randomBytes(24).toString('base64url');
  readonly #nodes: NodeProcess[] = [];
  #started = 0;

  constructor(options: CityOptions) {
    this.#options = options;
  }

  get nodes(): readonly NodeProcess[] {
    return this.#nodes;
  }

  async add(): Promise<NodeProcess> {
    this.#started += 1;
    const port = await findFreePort();
    const name = `node ${this.#started}`;
    const node = new NodeProcess(name, port, (message) => {
      if (message.kind === 'reads') this.history.read(name, message.reads, message.failures);
      else if (message.kind === 'loading') this.history.loading(message.keys, Date.now());
    });
    const seeds = this.#nodes.map(({ address }) => address);
    this.#nodes.push(node);
    await node.start({ port, seeds, secret: this.#secret, keys: this.#options.keys });
    return node;
  }

  /** A node that is gone for good is nobody's seed any more. */
  forget(node: NodeProcess): void {
    this.#nodes.splice(this.#nodes.indexOf(node), 1);
  }

  /** Resolves when all nodes agree on who owns what, and each owns something. */
  async whenTogether(): Promise<void> {
    await waitUntil({ what: 'the nodes to know each other', boundMs: TOGETHER_BOUND_MS }, async () => {
      const views = await Promise.all(this.#nodes.map((node) => node.owners()));
      const isSame = new Set(views.map((view) => JSON.stringify(view))).size === 1;
      return isSame && new Set(views[0]?.flat()).size === this.#nodes.length;
    });
  }

  /** Has every key loaded once, each node a share of them. */
  async warm(): Promise<void> {
    const keys = Array.from({ length: this.#options.keys }, (_, key) => key);
    const count = this.#nodes.length;
    await Promise.all(this.#nodes.map((node, nth) => node.warm(keys.filter((key) => key % count === nth))));
  }

  async play(node: NodeProcess): Promise<void> {
    const { readsPerSecond, seed } = this.#options;
    await node.play(readsPerSecond, seed + Number(node.name.split(' ')[1]));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
  }
}
