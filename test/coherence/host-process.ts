import { type ChildProcess, fork } from 'node:child_process';
import { addExitTask } from '../../src/cli/servers/exit-tasks.js';
import type { FromHost, ToHost } from './host-messages.js';
import type { Shape } from './subject.js';
import type { Finding } from './verdict.js';
import { said } from './waiting.js';

const READY_BOUND_MS = 60_000;
const END_GRACE_MS = 5_000;
const STDERR_CHARS_MAX = 4_096;

/** The process of one subject, made again whenever a scenario ended it. */
export class HostProcess {
  readonly #subject: string;
  #child: ChildProcess | undefined;
  #about: Extract<FromHost, { kind: 'ready' }> | undefined;
  #stderr = '';

  constructor(subject: string) {
    this.#subject = subject;
  }

  async version(): Promise<string> {
    return (await this.#start()).version;
  }

  async shapes(): Promise<readonly Shape[]> {
    return (await this.#start()).shapes;
  }

  /** Plays a scenario. Whatever happens, there is a finding, `limitMs` later at most. */
  async play(order: ToHost, limitMs: number): Promise<Finding> {
    await this.#start();
    const child = this.#child as ChildProcess;
    const answer = nextMessage(child, limitMs);
    child.send(order);
    try {
      const message = await answer;
      if (message.kind !== 'found') throw new Error('the process said something else');
      if (message.isLast) await this.stop();
      return message.finding;
    } catch (thrown) {
      await this.stop();
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      return { verdict: 'FAIL', note: `${why} ${this.#stderr.trim().split('\n').at(-1) ?? ''}`.trim() };
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), END_GRACE_MS);
    await ended;
    clearTimeout(timer);
  }

  async #start(): Promise<Extract<FromHost, { kind: 'ready' }>> {
    if (this.#child !== undefined && this.#about !== undefined) return this.#about;
    const child = fork(new URL('./host-main.ts', import.meta.url), [this.#subject], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    this.#stderr = '';
    const forget = addExitTask(() => child.kill('SIGTERM'));
    child.once('close', forget);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARS_MAX);
      if (process.env.COHERENCE_DEBUG !== undefined) process.stderr.write(text);
    });
    const about = await nextMessage(child, READY_BOUND_MS).catch((cause: unknown) => {
      throw new Error(`The process of ${this.#subject} did not start.\n${this.#stderr}`, { cause });
    });
    if (about.kind !== 'ready') throw new Error(`The process of ${this.#subject} did not begin with its name.`);
    this.#about = about;
    return about;
  }
}

function nextMessage(child: ChildProcess, boundMs: number): Promise<FromHost> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      clearTimeout(timer);
      child.removeAllListeners('message');
      child.removeListener('close', onClose);
      then();
    };
    const onClose = (code: number | null, signal: NodeJS.Signals | null): void =>
      settle(() => reject(new Error(`the process dies: ${signal ?? `exit code ${code}`}`)));
    const timer = setTimeout(() => settle(() => reject(new Error(`hangs: nothing after ${said(boundMs)}`))), boundMs);
    child.once('message', (message) => settle(() => resolve(message as FromHost)));
    child.once('close', onClose);
  });
}
