import { type ChildProcess, fork } from 'node:child_process';
import { addExitTask } from '../src/cli/servers/exit-tasks.js';
import type { FromWorker, ToWorker } from './worker-messages.js';

const STOP_GRACE_MS = 10_000;
const STDERR_CHARS_MAX = 8_192;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

type Method<T, K extends keyof T> = T[K] extends (...args: never[]) => unknown ? T[K] : never;

export interface WorkerOptions {
  readonly task: string;
  readonly options: unknown;
  readonly name: string;
  readonly nodeOptions: readonly string[];
  readonly profile: boolean;
}

/** A process with one open task in it. It does not outlive this one. */
export class Worker<T = object> {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #calls = 0;
  #stderr = '';
  #isOver = false;

  private constructor(options: WorkerOptions) {
    this.name = options.name;
    const child = fork(new URL('./worker-main.js', import.meta.url), {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [...process.execArgv, ...options.nodeOptions],
    });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARS_MAX);
      if (options.profile) process.stderr.write(text);
    });
    child.on('message', (message) => this.#take(message as FromWorker));
    child.on('error', (error) => this.#fail(error));
    const forget = addExitTask(() => child.kill('SIGKILL'));
    this.#ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        forget();
        this.#isOver = true;
        this.#fail(new Error(`${this.name}: its process ended (${signal ?? `exit code ${code}`})\n${this.#stderr}`));
        resolve();
      });
    });
  }

  static async start<T>(options: WorkerOptions): Promise<Worker<T>> {
    const worker = new Worker<T>(options);
    const { task, name, profile } = options;
    try {
      await worker.#send({ kind: 'open', id: 0, task, name, profile, options: options.options });
      return worker;
    } catch (thrown) {
      await worker.stop();
      throw thrown;
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  call<K extends keyof T & string>(
    method: K,
    ...args: Parameters<Method<T, K>>
  ): Promise<Awaited<ReturnType<Method<T, K>>>> {
    this.#calls += 1;
    const answer = this.#send({ kind: 'call', id: this.#calls, method, args });
    return answer as Promise<Awaited<ReturnType<Method<T, K>>>>;
  }

  /** Has the task close what it opened, and ends the process. */
  async stop(): Promise<void> {
    if (this.#isOver) return;
    if (this.#child.connected) this.#child.send({ kind: 'stop' } satisfies ToWorker, () => {});
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_GRACE_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #send(message: Extract<ToWorker, { id: number }>): Promise<unknown> {
    if (this.#isOver) return Promise.reject(new Error(`${this.name}: its process is over\n${this.#stderr}`));
    return new Promise((resolve, reject) => {
      this.#waiting.set(message.id, { resolve, reject });
      this.#child.send(message, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  #take({ id, value, error }: FromWorker): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(`${this.name}: ${error}`));
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
