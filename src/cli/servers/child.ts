import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { addExitTask } from './exit-tasks.js';

export interface ChildOptions {
  /** How errors call it: "redis-server on port 20301". */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment; this process's own when left out. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly cwd?: string | undefined;
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** Asks it to stop. SIGTERM when left out. */
  readonly stopSignal?: NodeJS.Signals | undefined;
  /** What it gets when this process ends before it. SIGKILL when left out. */
  readonly lastSignal?: NodeJS.Signals | undefined;
}

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const LOG_TAIL_CHARS = 16_384;
/** A grandchild may hold the pipes open after the child has gone; its words are not worth a longer wait. */
const LAST_WORDS_MS = 250;

let bindsToParent: boolean | undefined;

/**
 * Has the kernel signal the child when this process dies, even by SIGKILL, where util-linux is there to set it up
 * (`prctl(PR_SET_PDEATHSIG)`). Elsewhere the exit task has to do.
 */
function boundToParent(command: string, args: readonly string[], signal: NodeJS.Signals): [string, string[]] {
  bindsToParent ??= spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true'], { timeout: 5_000 }).status === 0;
  if (!bindsToParent) return [command, [...args]];
  return ['setpriv', ['--pdeathsig', signal.replace(/^SIG/, ''), '--', command, ...args]];
}

/** A process that we started: its bounded log, its end, and its stopping. It does not outlive this process. */
export class Child {
  readonly name: string;
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason; never rejects. */
  readonly ended: Promise<ChildEnd>;
  /** Resolves when it has ended and all it printed has been read. */
  readonly silent: Promise<ChildEnd>;
  readonly #process: ChildProcess;
  readonly #stopSignal: NodeJS.Signals;
  readonly #listeners = new Set<(text: string) => void>();
  #log = '';
  #end: ChildEnd | undefined;

  constructor(options: ChildOptions, started: ChildProcess, pid: number) {
    this.name = options.name;
    this.pid = pid;
    this.#process = started;
    this.#stopSignal = options.stopSignal ?? 'SIGTERM';
    for (const stream of [started.stdout, started.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    }
    const forget = addExitTask(() => started.kill(options.lastSignal ?? 'SIGKILL'));
    const closed = new Promise<void>((resolve) => started.once('close', () => resolve()));
    this.ended = new Promise((resolve) => {
      started.once('exit', (code, signal) => {
        forget();
        this.#end = { code, signal };
        killGroup(pid);
        resolve(this.#end);
      });
    });
    this.silent = this.ended.then(async (end) => {
      const impatient = new AbortController();
      await Promise.race([closed, sleep(LAST_WORDS_MS, undefined, { signal: impatient.signal })]);
      impatient.abort();
      return end;
    });
  }

  get alive(): boolean {
    return this.#end === undefined;
  }

  /** The end of what it printed, at most 16,384 characters. */
  get log(): string {
    return this.#log;
  }

  #hear(text: string): void {
    this.#log = (this.#log + text).slice(-LOG_TAIL_CHARS);
    for (const listener of [...this.#listeners]) listener(text);
  }

  /** Calls `listener` with each piece of output from now on; the function returned ends that. */
  onOutput(listener: (text: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when what it printed matches; rejects, with its log, when it ended or `boundMs` passed before that. */
  async waitForLog(pattern: RegExp, boundMs: number, signal?: AbortSignal): Promise<void> {
    const bound = AbortSignal.timeout(boundMs);
    const given = signal ? AbortSignal.any([signal, bound]) : bound;
    let forget = (): void => {};
    try {
      await new Promise<void>((resolve, reject) => {
        const fail = (why: string): void => reject(new Error(`${this.name} ${why}.\n${this.#log}`));
        const abort = (): void =>
          fail(bound.aborted ? `was not ready within ${boundMs} ms` : 'is no longer waited for');
        const look = (): void => {
          if (pattern.test(this.#log)) resolve();
        };
        const forgetOutput = this.onOutput(look);
        given.addEventListener('abort', abort);
        forget = () => {
          forgetOutput();
          given.removeEventListener('abort', abort);
        };
        look();
        if (given.aborted) abort();
        void this.silent.then((end) => fail(`ended (${endText(end)}) before it was ready`));
      });
    } finally {
      forget();
    }
  }

  /** Sends a signal to the process; false if it has ended. */
  kill(signal: NodeJS.Signals): boolean {
    return this.alive && this.#process.kill(signal);
  }

  /** Asks it to stop, and kills it after `graceMs`. Resolves when it has ended. */
  async stop(graceMs: number): Promise<void> {
    if (!this.alive) return;
    this.kill(this.#stopSignal);
    // One that was frozen with SIGSTOP hears nothing else until it is woken.
    this.kill('SIGCONT');
    const timer = setTimeout(() => this.kill('SIGKILL'), graceMs);
    await this.ended;
    clearTimeout(timer);
  }
}

/** The process led a group of its own: a helper that it forked (for a snapshot, say) goes with it. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is empty, as it should be.
  }
}

function endText(end: ChildEnd): string {
  return end.signal ?? `exit code ${end.code}`;
}

/**
 * Starts a process in a group of its own, so that a Ctrl-C in the terminal reaches only us, who stop things in order.
 * Rejects when there is no such program.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const [command, args] = boundToParent(options.command, options.args, options.lastSignal ?? 'SIGKILL');
  const started = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    ...options.user,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = started;
  if (pid === undefined) {
    const cause = await new Promise<Error>((resolve) => started.once('error', resolve));
    throw new Error(`${options.name}: ${options.command} could not be started.`, { cause });
  }
  // A failed kill() is reported here too; the caller sees its result.
  started.on('error', () => {});
  return new Child(options, started, pid);
}

export interface RunOptions extends ChildOptions {
  readonly boundMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: ((line: string) => void) | undefined;
}

/** How long a tool that ran out of its time may take to end by itself. */
const TOOL_GRACE_MS = 2_000;

/** Runs a tool to its end and returns its output; rejects, with its log, if it fails, is aborted or takes too long. */
export async function runTool(options: RunOptions): Promise<string> {
  const { boundMs, signal, onLine } = options;
  const bound = AbortSignal.timeout(boundMs);
  const stopped = signal ? AbortSignal.any([signal, bound]) : bound;
  stopped.throwIfAborted();
  const child = await startChild({ ...options, lastSignal: options.lastSignal ?? 'SIGTERM' });
  const abort = (): void => void child.stop(TOOL_GRACE_MS);
  stopped.addEventListener('abort', abort);
  let line = '';
  child.onOutput((text) => {
    const lines = (line + text).split('\n');
    line = lines.pop() ?? '';
    for (const one of lines) onLine?.(one);
  });
  const end = await child.silent;
  stopped.removeEventListener('abort', abort);
  if (end.code === 0) return child.log;
  const why = signal?.aborted
    ? 'was aborted'
    : bound.aborted
      ? `took longer than ${boundMs} ms`
      : `failed (${endText(end)})`;
  throw new Error(`${options.name} ${why}.\n${child.log}`);
}
