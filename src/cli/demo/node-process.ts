import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DemoNodeConfig, NodeAnswers, NodeCall, NodeMessage, NodeRequest } from '../../node/demo/protocol.js';
import { addExitTask } from '../servers/exit-tasks.js';

export interface NodeProcessOptions {
  readonly config: DemoNodeConfig;
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly what: string;
  settle(error: Error | undefined, answer?: NodeAnswers[NodeRequest['kind']]): void;
}

/** From source the worker is TypeScript too, and `execArgv` brings the loader along. */
const WORKER = fileURLToPath(new URL(`../../node/demo/worker${extname(import.meta.url)}`, import.meta.url));
const START_BOUND_MS = 30_000;
const STOP_GRACE_MS = 8_000;
const LOG_TAIL_CHARS = 8_192;
/** Requests under way at a time: a few are, and each is bounded. */
const WAITING_MAX = 100;

/** A cache node in a process of its own, which does not outlive this one. */
export class NodeProcess {
  readonly name: string;
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason. */
  readonly ended: Promise<void>;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #alive = true;
  #log = '';

  private constructor(options: NodeProcessOptions, started: ChildProcess, pid: number) {
    this.name = options.config.name;
    this.pid = pid;
    this.#process = started;
    for (const stream of [started.stdout, started.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-LOG_TAIL_CHARS);
      });
    }
    const forget = addExitTask(() => started.kill('SIGKILL'));
    started.on('message', (message: NodeMessage) => this.#hear(message));
    // A message that cannot be sent any more: the end of the process says it all.
    started.on('error', () => {});
    this.ended = new Promise((resolve) => {
      started.once('exit', (code, signal) => {
        forget();
        this.#alive = false;
        const error = new Error(`${this.name} has ended (${signal ?? `exit code ${code}`}).${this.log}`);
        for (const waiting of [...this.#waiting.values()]) waiting.settle(error);
        resolve();
      });
    });
  }

  /** Forks a node into a process group of its own, so that a Ctrl-C reaches only us, and waits until it is open. */
  static async start(options: NodeProcessOptions): Promise<NodeProcess> {
    options.signal.throwIfAborted();
    const started = fork(WORKER, [], { detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    const { pid } = started;
    if (pid === undefined) {
      const cause = await new Promise<Error>((resolve) => started.once('error', resolve));
      throw new Error(`${options.config.name}: its process could not be started`, { cause });
    }
    const node = new NodeProcess(options, started, pid);
    // Nothing is lost with a node that has not begun.
    const giveUp = () => started.kill('SIGKILL');
    options.signal.addEventListener('abort', giveUp);
    try {
      await node.ask({ kind: 'start', config: options.config }, START_BOUND_MS);
      return node;
    } catch (error) {
      await node.stop();
      throw error;
    } finally {
      options.signal.removeEventListener('abort', giveUp);
    }
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** The end of what it printed, on lines of its own; empty when there is nothing. */
  get log(): string {
    return this.#log === '' ? '' : `\n${this.#log.trimEnd()}`;
  }

  /** Sends a request; rejects when the node says so, has ended, or does not answer within `boundMs`. */
  ask<R extends NodeRequest>(request: R, boundMs: number): Promise<NodeAnswers[R['kind']]> {
    const what = `${this.name}, asked to ${request.kind}`;
    if (!this.#alive) return Promise.reject(new Error(`${this.name} has ended.${this.log}`));
    if (this.#waiting.size >= WAITING_MAX) {
      return Promise.reject(new Error(`${this.name} has ${WAITING_MAX} requests to answer already`));
    }
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(new Error(`${what}: no answer within ${boundMs} ms`)), boundMs);
      const settle: Waiting['settle'] = (error, answer) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        // The protocol pairs each request with its answer; the channel cannot.
        if (error === undefined) resolve(answer as NodeAnswers[R['kind']]);
        else reject(error);
      };
      this.#waiting.set(id, { what, settle });
      this.#process.send({ id, request } satisfies NodeCall);
    });
  }

  /** Asks it to stop, and kills it when it does not in time. Resolves when it has ended. */
  async stop(): Promise<void> {
    if (!this.#alive) return;
    // One that was frozen hears nothing until it is woken.
    this.#process.kill('SIGCONT');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_GRACE_MS);
    await this.ask({ kind: 'stop' }, STOP_GRACE_MS).catch(() => {});
    await this.ended;
    clearTimeout(timer);
  }

  #hear(message: NodeMessage): void {
    switch (message.kind) {
      case 'answer':
        this.#waiting.get(message.id)?.settle(undefined, message.answer);
        break;
      case 'failure': {
        const waiting = this.#waiting.get(message.id);
        waiting?.settle(new Error(`${waiting.what}: ${message.error}`));
        break;
      }
    }
  }
}
