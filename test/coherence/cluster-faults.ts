/** What can happen to one primary of a Redis Cluster: it loses its replica, its life, or its place among the others. */
import { findFreePorts } from '../../src/cli/servers/free-port.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { RedisServers } from './redis-servers.js';
import { TcpProxy } from './tcp-proxy.js';

const SETTLED_BOUND_MS = 20_000;
const ELECTED_BOUND_MS = 30_000;
const ISOLATED_HOST = '127.0.3.1';

/** A primary and the replica that will take its place. */
export class DoomedPrimary {
  readonly port: number;
  readonly replicaPort: number;
  readonly #redis: RedisServers;
  readonly #busProxies: { readonly port: number; readonly proxy: TcpProxy }[] = [];

  private constructor(redis: RedisServers, port: number, replicaPort: number) {
    this.#redis = redis;
    this.port = port;
    this.replicaPort = replicaPort;
  }

  static async choose(redis: RedisServers): Promise<DoomedPrimary> {
    for (const port of redis.ports) {
      const info = String(await redis.command(port, ['INFO', 'replication']));
      const primary = /role:slave[\s\S]*master_port:(\d+)/.exec(info)?.[1];
      if (primary !== undefined) return new DoomedPrimary(redis, Number(primary), port);
    }
    throw new Error('No server of the cluster is a replica.');
  }

  /** Resolves when the replica has all that the primary had acknowledged. */
  async whenInStep(): Promise<void> {
    await waitUntil({ what: 'the replica to follow', boundMs: SETTLED_BOUND_MS }, async () => {
      return (await this.bytesBehind()) <= 0;
    });
  }

  /** How much of what the primary did its replica has not heard of. */
  async bytesBehind(): Promise<number> {
    const offset = async (port: number, field: string): Promise<number> => {
      const info = String(await this.#redis.command(port, ['INFO', 'replication']));
      return Number(new RegExp(`${field}:(\\d+)`).exec(info)?.[1]);
    };
    return (await offset(this.port, 'master_repl_offset')) - (await offset(this.replicaPort, 'slave_repl_offset'));
  }

  /** From now on the replica hears nothing of what the primary acknowledges, and may all the same succeed it. */
  async orphanReplica(): Promise<void> {
    const { replicaPort } = this;
    await this.#redis.command(replicaPort, ['CONFIG', 'SET', 'cluster-replica-validity-factor', '0']);
    await this.#redis.command(replicaPort, ['CONFIG', 'SET', 'masteruser', 'nobody']);
    await this.#redis.command(replicaPort, ['CONFIG', 'SET', 'masterauth', 'nothing']);
    await this.#redis.command(this.port, ['CLIENT', 'KILL', 'TYPE', 'replica']);
    this.#redis.markBroken();
    await waitUntil({ what: 'the replica to lose its primary', boundMs: SETTLED_BOUND_MS }, async () => {
      const info = String(await this.#redis.command(replicaPort, ['INFO', 'replication']));
      return info.includes('master_link_status:down');
    });
  }

  kill(): Promise<void> {
    return this.#redis.kill('SIGKILL', [this.port]);
  }

  freeze(): Promise<void> {
    return this.#redis.kill('SIGSTOP', [this.port]);
  }

  thaw(): Promise<void> {
    return this.#redis.kill('SIGCONT', [this.port]);
  }

  /**
   * Leads what the servers say to each other through proxies, so that `isolate` can cut one off. A server is told from
   * the others by the address from which it connects.
   */
  async prepareIsolation(): Promise<void> {
    const redis = this.#redis;
    redis.markBroken();
    await redis.command(this.port, ['CONFIG', 'SET', 'bind-source-addr', ISOLATED_HOST]);
    const nodes = String(await redis.command(this.port, ['CLUSTER', 'NODES']));
    const buses = [...nodes.matchAll(/127\.0\.0\.1:(\d+)@(\d+)/g)].map(([, port, bus]) => [Number(port), Number(bus)]);
    const freePorts = await findFreePorts(buses.length);
    for (const [i, [port = 0, bus = 0]] of buses.entries()) {
      const announced = freePorts[i] as number;
      const proxy = await TcpProxy.start({ host: '127.0.0.1', port: announced }, { host: '127.0.0.1', port: bus });
      this.#busProxies.push({ port, proxy });
      await redis.command(port, ['CONFIG', 'SET', 'cluster-announce-bus-port', String(announced)]);
    }
    await waitUntil({ what: 'the servers to use the proxies', boundMs: SETTLED_BOUND_MS }, async () => {
      const views = (await redis.commandAll(['CLUSTER', 'NODES'])).map(String);
      return views.every((view) => freePorts.every((free) => new RegExp(`@${free}[, ].* connected`).test(view)));
    });
  }

  /** The others hear nothing of this primary any more, nor it of them; clients still reach it. */
  isolate(): void {
    for (const { port, proxy } of this.#busProxies) {
      proxy.refuseFrom(port === this.port ? undefined : ISOLATED_HOST);
    }
  }

  /** Resolves when the replica has taken over. */
  async whenSucceeded(): Promise<void> {
    await waitUntil({ what: 'a new primary', boundMs: ELECTED_BOUND_MS }, async () => {
      const [role] = (await this.#redis.command(this.replicaPort, ['ROLE'])) as unknown[];
      return String(role) === 'master';
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#busProxies.map(({ proxy }) => proxy.close()));
  }
}
