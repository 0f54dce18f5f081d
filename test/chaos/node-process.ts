import { type ChildProcess, fork } from 'node:child_process';
import { addExitTask } from '../../src/cli/servers/exit-tasks.js';
import type { FromNode, NodeSettings, ToNode } from './node-messages.js';

const STDERR_CHARS_MAX = 4_096;
/** A node that leaves hands over first, for eight seconds at most. */
const STOP_GRACE_MS = 15_000;

interface Asked {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A node in a process of its own, that can be killed and frozen. */
export class NodeProcess {
  readonly name: string;
  readonly address: string;
  readonly #child: ChildProcess;
  /** In the order of the questions, which is that of the answers. */
  readonly #asked: Asked[] = [];
  readonly #ended: Promise<void>;
  #stderr = '';
  #isOver = false;

  constructor(name: string, port: number, onTold: (message: FromNode) => void) {
    this.name = name;
    this.address = `127.0.0.1:${port}`;
    const child = fork(new URL('./node-main.ts', import.meta.url), {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARS_MAX);
    });
    child.on('message', (message) => this.#take(message as FromNode, onTold));
    const forget = addExitTask(() => child.kill('SIGKILL'));
    this.#ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        forget();
        this.#isOver = true;
        const why = new Error(`${name} ended (${signal ?? `exit code ${code}`})\n${this.#stderr}`);
        for (const { reject } of this.#asked.splice(0)) reject(why);
        resolve();
      });
    });
  }

  async start(settings: NodeSettings): Promise<void> {
    await this.#ask({ kind: 'start', settings });
  }

  async warm(keys: readonly number[]): Promise<void> {
    await this.#ask({ kind: 'warm', keys });
  }

  async play(readsPerSecond: number, seed: number): Promise<void> {
    await this.#ask({ kind: 'play', readsPerSecond, seed });
  }

  /** Addresses of the owners of each key, as this node sees it. */
  async owners(): Promise<readonly (readonly string[])[]> {
    return (await this.#ask({ kind: 'owners' })) as readonly (readonly string[])[];
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(): Promise<void> {
    if (this.#isOver) return;
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_GRACE_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #take(message: FromNode, onTold: (message: FromNode) => void): void {
    if (message.kind !== 'done') {
      onTold(message);
      return;
    }
    const asked = this.#asked.shift();
    if (message.error === undefined) asked?.resolve(message.value);
    else asked?.reject(new Error(`${this.name}: ${message.error}`));
  }

  #ask(message: ToNode): Promise<unknown> {
    if (this.#isOver) return Promise.reject(new Error(`${this.name} is over\n${this.#stderr}`));
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      this.#child.send(message, (error) => {
        if (error !== null) reject(error);
      });
    });
  }
}
