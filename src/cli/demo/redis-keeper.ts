import type { RedisCluster } from '../servers/redis-cluster.js';

/** Long enough to see the cluster do without it. */
const RESTART_AFTER_MS = 10_000;
const ASK_EVERY_MS = 2_000;

/** Watches the Redis Cluster, and starts a node that was killed again, as a supervisor would. */
export class RedisKeeper {
  readonly #cluster: RedisCluster;
  readonly #log: (text: string) => void;
  readonly #deadSinceMs = new Map<number, number>();
  #primaries: readonly { readonly port: number; readonly pid: number }[] = [];
  #askAtMs = 0;

  constructor(cluster: RedisCluster, log: (text: string) => void) {
    this.#cluster = cluster;
    this.#log = log;
  }

  /** As of the last look. */
  get primaries(): readonly { readonly port: number; readonly pid: number }[] {
    return this.#primaries;
  }

  /** To be called about once a second; never rejects. */
  async look(): Promise<void> {
    const nowMs = performance.now();
    await Promise.all(this.#cluster.nodes.map((node) => this.#lookAt(node, nowMs)));
    if (nowMs < this.#askAtMs) return;
    this.#askAtMs = nowMs + ASK_EVERY_MS;
    this.#primaries = await this.#cluster.primaries().catch(() => []);
  }

  async #lookAt({ port, pid, alive }: RedisCluster['nodes'][number], nowMs: number): Promise<void> {
    if (alive) return;
    const sinceMs = this.#deadSinceMs.get(port);
    if (sinceMs === undefined) {
      this.#deadSinceMs.set(port, nowMs);
      this.#log(`Redis on port ${port} (pid ${pid}) has ended; it is started again in ${RESTART_AFTER_MS / 1_000} s`);
    } else if (nowMs - sinceMs >= RESTART_AFTER_MS) {
      this.#deadSinceMs.delete(port);
      await this.#cluster.restart(port).then(
        () => this.#log(`Redis on port ${port} was started again`),
        (error: unknown) => this.#log(`Redis on port ${port} could not be started: ${error}`),
      );
    }
  }
}
