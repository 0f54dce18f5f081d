import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import { type Child, startChild } from './child.js';
import { findFreePorts } from './free-port.js';
import type { RedisProgram } from './redis-program.js';

export interface RedisNodeOptions {
  readonly program: RedisProgram;
  /** Where it gets a folder of its own, removed by `stop()`. */
  readonly dir: string;
  /** Without it, no limit. */
  readonly maxMemoryMiB?: number | undefined;
  /** Makes it a node of a cluster. */
  readonly nodeTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const READY_BOUND_MS = 10_000;
const STOP_GRACE_MS = 2_000;
const CONNECT_BOUND_MS = 1_000;
const MAX_PORT_TRIES = 3;

/** One redis-server on 127.0.0.1, that can be killed and started again. */
export class RedisNode {
  readonly port: number;
  /** Of the cluster bus. */
  readonly busPort: number;
  readonly #options: RedisNodeOptions;
  readonly #dir: string;
  #child: Child | undefined;

  private constructor(options: RedisNodeOptions, port: number, busPort: number) {
    this.port = port;
    this.busPort = busPort;
    this.#options = options;
    this.#dir = join(options.dir, `redis-${port}`);
  }

  /** Starts one on free ports. A port can be lost between the look and the use: then another is tried. */
  static async start(options: RedisNodeOptions): Promise<RedisNode> {
    for (let tries = 1; ; tries++) {
      const [port = 0, busPort = 0] = await findFreePorts(2);
      const node = new RedisNode(options, port, busPort);
      try {
        await node.restart();
        return node;
      } catch (error) {
        await node.stop();
        if (tries === MAX_PORT_TRIES || !/Address already in use/.test(String(error))) throw error;
      }
    }
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Of the process that runs now, or ran last. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get alive(): boolean {
    return this.#child?.alive ?? false;
  }

  /** The end of what the process that runs now, or ran last, has printed. */
  get log(): string {
    return this.#child?.log ?? '';
  }

  /** Starts it on its ports, with what its folder holds; a process that still runs is stopped first. */
  async restart(): Promise<void> {
    await this.#child?.stop(STOP_GRACE_MS);
    await mkdir(this.#dir, { recursive: true });
    this.#child = await startChild({
      name: `redis-server on port ${this.port}`,
      command: this.#options.program.path,
      args: Object.entries(this.#settings()).flatMap(([name, value]) => [`--${name}`, value]),
      env: this.#options.program.env,
      cwd: this.#dir,
    });
    await this.#child.waitForLog(/Ready to accept connections/, READY_BOUND_MS, this.#options.signal);
  }

  #settings(): Record<string, string> {
    const { maxMemoryMiB, nodeTimeoutMs } = this.#options;
    return {
      port: String(this.port),
      bind: '127.0.0.1',
      'protected-mode': 'yes',
      dir: this.#dir,
      // Nothing is worth keeping on disk, and nothing worth waiting for at the end.
      save: '',
      appendonly: 'no',
      'shutdown-timeout': '0',
      ...(maxMemoryMiB === undefined ? {} : { maxmemory: `${maxMemoryMiB}mb` }),
      'maxmemory-policy': 'volatile-lfu',
      'repl-diskless-sync-delay': '0',
      // One replica per primary: after a fail-over there is none, and a new primary must still take writes.
      'min-replicas-to-write': '0',
      ...(nodeTimeoutMs === undefined ? {} : this.#clusterSettings(nodeTimeoutMs)),
    };
  }

  #clusterSettings(nodeTimeoutMs: number): Record<string, string> {
    return {
      'cluster-enabled': 'yes',
      'cluster-config-file': 'nodes.conf',
      'cluster-port': String(this.busPort),
      // Else a node does not know its own address until another one has told it.
      'cluster-announce-ip': '127.0.0.1',
      'cluster-node-timeout': String(nodeTimeoutMs),
      // A primary cut off from the others would answer with old values; the slots of the others stay in service.
      'cluster-allow-reads-when-down': 'no',
      'cluster-require-full-coverage': 'no',
      // Pings count towards how long a replica may have been without its primary and still replace it.
      'repl-ping-replica-period': '1',
    };
  }

  /** Signals the process. Resolves at once, or, where the signal ends it, when it has ended. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (!this.#child?.kill(signal)) throw new Error(`redis-server on port ${this.port} does not run.`);
    if (signal === 'SIGKILL' || signal === 'SIGTERM') await this.#child.ended;
  }

  /** Stops the process and removes its folder. */
  async stop(): Promise<void> {
    await this.#child?.stop(STOP_GRACE_MS);
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** `createClient` takes 30 ms to make a class for options it has not seen; a duplicate shares the class. */
const createTemplate = () => createClient({ disableClientInfo: true, maintNotifications: 'disabled' });
let template: ReturnType<typeof createTemplate> | undefined;

/** A connection for the commands that form or watch a cluster; it fails rather than wait or connect again. */
export async function connectTo(port: number, answerBoundMs: number): Promise<RedisConnection> {
  template ??= createTemplate();
  const client = template.duplicate({
    socket: {
      host: '127.0.0.1',
      port,
      connectTimeout: CONNECT_BOUND_MS,
      socketTimeout: answerBoundMs,
      reconnectStrategy: false,
    },
  });
  // The command under way is rejected with it.
  client.on('error', () => {});
  return client.connect();
}

export type RedisConnection = ReturnType<typeof createTemplate>;

/** A single Redis, without a cluster. */
export async function startRedis(options: Omit<RedisNodeOptions, 'nodeTimeoutMs'>): Promise<RedisNode> {
  return RedisNode.start(options);
}
