import { findPrimaryPorts, parseClusterNodes } from './cluster-nodes.js';
import { connectTo, type RedisConnection, RedisNode } from './redis-node.js';
import type { RedisProgram } from './redis-program.js';
import { waitUntil } from './wait.js';

export interface RedisClusterOptions {
  readonly program: RedisProgram;
  /** Where each node gets a folder of its own, removed by `stop()`. */
  readonly dir: string;
  readonly primaries?: number | undefined;
  readonly replicasPerPrimary?: number | undefined;
  /** A dead primary is replaced about 1.5 s after this time. */
  readonly nodeTimeoutMs?: number | undefined;
  /** Of each node; without it, no limit. */
  readonly maxMemoryMiB?: number | undefined;
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RedisClusterNode {
  readonly port: number;
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  readonly alive: boolean;
  readonly roleAtStart: 'primary' | 'replica';
}

const SLOTS = 16_384;
const FORMATION_BOUND_MS = 20_000;
/** A node that is frozen or overloaded is not asked for longer than this. */
const ANSWER_BOUND_MS = 1_000;

/** A Redis Cluster on 127.0.0.1 whose nodes can be killed and started again. */
export class RedisCluster {
  readonly #nodes: readonly RedisNode[];
  readonly #primariesAtStart: number;

  constructor(nodes: readonly RedisNode[], primariesAtStart: number) {
    this.#nodes = nodes;
    this.#primariesAtStart = primariesAtStart;
  }

  /** Those that started as primaries come first. */
  get nodes(): RedisClusterNode[] {
    return this.#nodes.map((node, index) => ({
      port: node.port,
      pid: node.pid,
      alive: node.alive,
      roleAtStart: index < this.#primariesAtStart ? 'primary' : 'replica',
    }));
  }

  /** `127.0.0.1:port` of every node. */
  get addresses(): string[] {
    return this.#nodes.map((node) => node.address);
  }

  /** The healthy primaries that hold slots now, as the best informed living node sees it. */
  async primaries(): Promise<{ port: number; pid: number }[]> {
    const asked = this.#nodes.filter((node) => node.alive).map((node) => askClusterNodes(node.port));
    const answers = (await Promise.allSettled(asked)).filter((answer) => answer.status === 'fulfilled');
    if (answers.length === 0) throw new Error('No node of the Redis Cluster answers.');
    return findPrimaryPorts(answers.map((answer) => answer.value)).flatMap((port) => {
      const node = this.#nodes.find((one) => one.port === port);
      return node ? [{ port, pid: node.pid }] : [];
    });
  }

  /** Signals the node on `port`. Resolves at once, or, where the signal ends the process, when it has ended. */
  async kill(port: number, signal: NodeJS.Signals): Promise<void> {
    await this.#node(port).kill(signal);
  }

  /** Starts the node on `port` again. It remembers the cluster, and comes back as what the others make of it. */
  async restart(port: number): Promise<void> {
    await this.#node(port).restart();
  }

  /** Stops every node and removes their folders. */
  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
  }

  #node(port: number): RedisNode {
    const node = this.#nodes.find((one) => one.port === port);
    if (!node) throw new Error(`No node of this Redis Cluster has port ${port}.`);
    return node;
  }
}

/** Starts a Redis Cluster and resolves when it takes writes on every slot and each replica follows its primary. */
export async function startRedisCluster(options: RedisClusterOptions): Promise<RedisCluster> {
  const { primaries = 3, replicasPerPrimary = 1, nodeTimeoutMs = 2_000, onProgress } = options;
  const count = primaries * (1 + replicasPerPrimary);
  const boundedBy = { boundMs: FORMATION_BOUND_MS, signal: options.signal };
  onProgress?.(`Starting a Redis Cluster: ${primaries} primaries, ${count - primaries} replicas`);
  const started = await Promise.allSettled(
    Array.from({ length: count }, () => RedisNode.start({ ...options, nodeTimeoutMs })),
  );
  const nodes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const connections: RedisConnection[] = [];
  try {
    for (const one of started) if (one.status === 'rejected') throw one.reason;
    for (const node of nodes) connections.push(await connectTo(node.port, FORMATION_BOUND_MS));
    await formCluster(nodes, connections, primaries, boundedBy);
  } catch (error) {
    const logs = nodes.map((node) => `--- ${node.address}\n${node.log.slice(-1_000)}`).join('\n');
    await Promise.all(nodes.map((node) => node.stop()));
    throw new Error(`The Redis Cluster could not be started: ${errorText(error)}\n${logs}`, { cause: error });
  } finally {
    for (const connection of connections) connection.destroy();
  }
  onProgress?.(`Redis Cluster is ready on ports ${nodes.map((node) => node.port).join(', ')}`);
  return new RedisCluster(nodes, primaries);
}

async function formCluster(
  nodes: readonly RedisNode[],
  connections: readonly RedisConnection[],
  primaries: number,
  boundedBy: { boundMs: number; signal: AbortSignal | undefined },
): Promise<void> {
  const onAll = (command: (connection: RedisConnection, index: number) => Promise<unknown>) =>
    Promise.all(connections.map(command));
  const waitForAll = (what: string, check: (connection: RedisConnection, index: number) => Promise<boolean>) =>
    waitUntil({ what, ...boundedBy }, async () => (await Promise.all(connections.map(check))).every(Boolean));
  const ids = await onAll((connection) => connection.sendCommand(['CLUSTER', 'MYID']));

  await onAll(async (connection, index) => {
    // Different epochs from the start; else the nodes that meet spend rounds of gossip on settling them.
    await connection.sendCommand(['CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1)]);
    if (index >= primaries) return;
    const first = Math.floor((SLOTS * index) / primaries);
    const last = Math.floor((SLOTS * (index + 1)) / primaries) - 1;
    await connection.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', String(first), String(last)]);
  });

  // Every pair is introduced, so that nobody has to hear of anybody by gossip, which takes seconds.
  await onAll(async (connection, index) => {
    for (const { port, busPort } of nodes.slice(index + 1)) {
      await connection.sendCommand(['CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort)]);
    }
  });
  await waitForAll('all nodes of the Redis Cluster to know each other', async (connection) => {
    const views = parseClusterNodes(await clusterNodes(connection));
    return views.length === nodes.length && views.every((view) => view.healthy && view.linked);
  });

  await onAll(async (connection, index) => {
    if (index < primaries) return;
    await connection.sendCommand(['CLUSTER', 'REPLICATE', String(ids[index % primaries])]);
  });
  await waitForAll('every node to take part in the Redis Cluster', async (connection, index) => {
    const info = String(await connection.sendCommand(['CLUSTER', 'INFO']));
    if (!info.includes('cluster_state:ok') || !info.includes(`cluster_slots_ok:${SLOTS}`)) return false;
    const views = parseClusterNodes(await clusterNodes(connection));
    const rolesKnown = views.filter((view) => view.primaryId !== undefined).length === nodes.length - primaries;
    if (index < primaries || !rolesKnown) return rolesKnown;
    const replication = String(await connection.sendCommand(['INFO', 'replication']));
    return replication.includes('master_link_status:up') && replication.includes('master_sync_in_progress:0');
  });
  await waitForAll('every primary to have its replicas in step', async (connection, index) => {
    if (index >= primaries) return true;
    const replication = String(await connection.sendCommand(['INFO', 'replication']));
    const following = replication.match(/^slave\d+:.*state=online/gm)?.length ?? 0;
    return following === nodes.length / primaries - 1;
  });
}

async function askClusterNodes(port: number): Promise<string> {
  const connection = await connectTo(port, ANSWER_BOUND_MS);
  try {
    return await clusterNodes(connection);
  } finally {
    connection.destroy();
  }
}

async function clusterNodes(connection: RedisConnection): Promise<string> {
  return String(await connection.sendCommand(['CLUSTER', 'NODES']));
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
