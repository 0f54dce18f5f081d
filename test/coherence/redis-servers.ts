import { RedisCluster, startRedisCluster } from '../../src/cli/servers/redis-cluster.js';
import { connectTo, type RedisConnection, type RedisNode, startRedis } from '../../src/cli/servers/redis-node.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import { createWorkspace, type Workspace } from '../../src/cli/servers/workspace.js';
import { requireRedis } from '../servers.js';

const ANSWER_BOUND_MS = 20_000;
const WHOLE_BOUND_MS = 30_000;

/** A Redis, or a Redis Cluster, whose servers a scenario may break. */
export class RedisServers {
  readonly isCluster: boolean;
  readonly #servers: RedisNode | RedisCluster;
  readonly #workspace: Workspace;
  readonly #hostless: boolean;
  readonly #connections = new Map<number, RedisConnection>();
  #isBroken = false;

  private constructor(servers: RedisNode | RedisCluster, workspace: Workspace, hostless: boolean) {
    this.#servers = servers;
    this.#workspace = workspace;
    this.#hostless = hostless;
    this.isCluster = servers instanceof RedisCluster;
  }

  /** @param hostless the cluster announces ports only: a client keeps to the host that it asked */
  static async start(isCluster: boolean, hostless: boolean): Promise<RedisServers> {
    const workspace = await createWorkspace();
    try {
      const options = { program: await requireRedis(), dir: workspace.path };
      const started = isCluster ? await startRedisCluster(options) : await startRedis(options);
      const servers = new RedisServers(started, workspace, hostless);
      await servers.#configure();
      return servers;
    } catch (thrown) {
      await workspace.remove();
      throw thrown;
    }
  }

  /** A scenario did to it what the next one should not find. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  markBroken(): void {
    this.#isBroken = true;
  }

  get ports(): number[] {
    return this.#servers instanceof RedisCluster ? this.#servers.nodes.map(({ port }) => port) : [this.#servers.port];
  }

  async primaryPorts(): Promise<number[]> {
    const servers = this.#servers;
    if (!(servers instanceof RedisCluster)) return [servers.port];
    let ports: number[] = [];
    await waitUntil({ what: 'the cluster to know its primaries', boundMs: WHOLE_BOUND_MS }, async () => {
      ports = (await servers.primaries()).map(({ port }) => port);
      return ports.length > 0;
    });
    return ports;
  }

  /** Signals one server, or all. */
  async kill(signal: NodeJS.Signals, ports: readonly number[] = this.ports): Promise<void> {
    this.#isBroken = true;
    for (const port of ports) this.#forget(port);
    await Promise.all(ports.map((port) => this.#killOne(port, signal)));
  }

  /** Starts servers that were killed again, empty; resolves when they take part. */
  async restart(ports: readonly number[] = this.ports): Promise<void> {
    for (const port of ports) this.#forget(port);
    const servers = this.#servers;
    await Promise.all(
      ports.map((port) => (servers instanceof RedisCluster ? servers.restart(port) : servers.restart())),
    );
    await this.#configure(ports);
    await this.whenWhole();
  }

  /** Resolves when every slot is served. */
  async whenWhole(): Promise<void> {
    if (!this.isCluster) return;
    await waitUntil({ what: 'the cluster to be whole', boundMs: WHOLE_BOUND_MS }, async () => {
      const info = String(await this.command(this.ports[0] as number, ['CLUSTER', 'INFO']));
      return info.includes('cluster_state:ok') && info.includes('cluster_slots_ok:16384');
    });
  }

  /** Asks one server, past every proxy. */
  async command(port: number, args: readonly string[]): Promise<unknown> {
    let connection = this.#connections.get(port);
    if (connection === undefined || !connection.isReady) {
      connection = await connectTo(port, ANSWER_BOUND_MS);
      this.#connections.set(port, connection);
    }
    return connection.sendCommand([...args]);
  }

  async commandAll(args: readonly string[], ports: readonly number[] = this.ports): Promise<unknown[]> {
    return Promise.all(ports.map((port) => this.command(port, args)));
  }

  /** Commands that all servers have executed so far. */
  async commandCount(): Promise<number> {
    const infos = await this.commandAll(['INFO', 'stats']);
    return infos.reduce<number>(
      (sum, info) => sum + Number(/total_commands_processed:(\d+)/.exec(String(info))?.[1]),
      0,
    );
  }

  /** Channels that clients listen to, each as often as somebody does. */
  async subscriptionCount(): Promise<number> {
    const lists = await this.commandAll(['CLIENT', 'LIST']);
    const counts = [...lists.join('\n').matchAll(/ [ps]?sub=(\d+)/g)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** Forgets every key, so that the next scenario starts empty. */
  async empty(): Promise<void> {
    await this.commandAll(['FLUSHALL'], await this.primaryPorts());
  }

  async stop(): Promise<void> {
    for (const port of this.#connections.keys()) this.#forget(port);
    await this.#servers.stop();
    await this.#workspace.remove();
  }

  async #configure(ports: readonly number[] = this.ports): Promise<void> {
    if (!this.isCluster || !this.#hostless) return;
    await this.commandAll(['CONFIG', 'SET', 'cluster-preferred-endpoint-type', 'unknown-endpoint'], ports);
  }

  async #killOne(port: number, signal: NodeJS.Signals): Promise<void> {
    if (this.#servers instanceof RedisCluster) await this.#servers.kill(port, signal);
    else await this.#servers.kill(signal);
  }

  #forget(port: number): void {
    this.#connections.get(port)?.destroy();
    this.#connections.delete(port);
  }
}
