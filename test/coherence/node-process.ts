import { type ChildProcess, fork } from 'node:child_process';
import { addExitTask } from '../../src/cli/servers/exit-tasks.js';
import { type FromNode, fromPlainError, type ReadAfterStall, type ToNode, toPlainError } from './node-messages.js';
import { CacheNode, type KeepOptions, type Load, type NodeSettings, type Read, type Told } from './subject.js';
import { Broken, firstLine } from './verdict.js';

const STDERR_CHARS_MAX = 4_096;
const STOP_GRACE_MS = 6_000;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A node in a process of its own, that can be frozen, killed, stalled, and told a wrong time. */
export class NodeProcess extends CacheNode {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #loaders: Load[] = [];
  readonly #ended: Promise<void>;
  readonly #started: Promise<void>;
  #isStarted: Waiting = { resolve: () => {}, reject: () => {} };
  #calls = 0;
  #stderr = '';
  #isOver = false;

  private constructor(child: ChildProcess) {
    super();
    this.#child = child;
    this.#started = new Promise<void>((resolve, reject) => {
      this.#isStarted = { resolve: () => resolve(), reject };
    });
    this.#started.catch(() => {});
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARS_MAX);
    });
    child.on('message', (message) => this.#take(message as FromNode));
    const forget = addExitTask(() => child.kill('SIGKILL'));
    this.#ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        forget();
        this.#isOver = true;
        this.#fail(new Broken(`its process died (${signal ?? `exit code ${code}`})${this.#lastWords()}`));
        resolve();
      });
    });
  }

  static async start(subject: string, settings: NodeSettings, clockShiftMs: number): Promise<NodeProcess> {
    const child = fork(new URL('./node-main.ts', import.meta.url), {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, COHERENCE_CLOCK_SHIFT_MS: String(clockShiftMs) },
    });
    const node = new NodeProcess(child);
    node.#send({ kind: 'start', subject, settings });
    await node.#started;
    return node;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when the process is over. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Has the process do nothing at all for so long, then read in the same breath. */
  stallThenRead(ms: number, key: string): Promise<ReadAfterStall> {
    return this.#call('stallThenRead', ms, key) as Promise<ReadAfterStall>;
  }

  override async stop(): Promise<void> {
    if (this.#isOver) return;
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_GRACE_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  override getOrLoad(key: string, load: Load, options?: KeepOptions): Promise<unknown> {
    const loader = this.#loaders.push(load) - 1;
    return this.#call('getOrLoad', key, { loader }, options);
  }

  override get(key: string): Promise<unknown> {
    return this.#call('get', key);
  }

  override read(key: string): Promise<Read> {
    return this.#call('read', key) as Promise<Read>;
  }

  override set(key: string, value: unknown, options?: KeepOptions): Promise<Told> {
    return this.#call('set', key, value, options) as Promise<Told>;
  }

  override async delete(key: string): Promise<void> {
    await this.#call('delete', key);
  }

  override async deleteByTag(tag: string): Promise<void> {
    await this.#call('deleteByTag', tag);
  }

  override async whenJoined(nodes: number): Promise<void> {
    await this.#call('whenJoined', nodes);
  }

  #call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    if (this.#isOver) return Promise.reject(new Broken(`its process is over${this.#lastWords()}`));
    this.#calls += 1;
    const id = this.#calls;
    const answered = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#send({ kind: 'call', id, method, args });
    return answered;
  }

  #take(message: FromNode): void {
    switch (message.kind) {
      case 'started':
        settle(this.#isStarted, message);
        break;
      case 'answer': {
        const waiting = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        if (waiting !== undefined) settle(waiting, message);
        break;
      }
      case 'load':
        void this.#load(message.id, message.loader, message.key);
        break;
    }
  }

  async #load(id: number, loader: number, key: string): Promise<void> {
    try {
      const value = await (this.#loaders[loader] as Load)(key);
      this.#send({ kind: 'loaded', id, value });
    } catch (thrown) {
      this.#send({ kind: 'loaded', id, error: toPlainError(thrown) });
    }
  }

  #send(message: ToNode): void {
    // One that is gone hears nothing more; its end is told by `close`.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #fail(error: Error): void {
    this.#isStarted.reject(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** The line of a crash that says what it was. */
  #lastWords(): string {
    const line = /^(?:\w*Error|\[?\w+Error\b).*$/m.exec(this.#stderr)?.[0] ?? firstLine(this.#stderr.trim());
    return line === '' ? '' : `: ${line}`;
  }
}

function settle(waiting: Waiting, { value, error }: { value?: unknown; error?: Parameters<typeof fromPlainError>[0] }) {
  if (error === undefined) waiting.resolve(value);
  else waiting.reject(fromPlainError(error));
}
