import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The real command in a process of its own, whose temporary folder is one that the test can look into. */
export class RunningCommand {
  readonly ended: Promise<number | null>;
  readonly temporary: string;
  readonly #process: ChildProcess;
  stdout = '';
  stderr = '';

  private constructor(started: ChildProcess, temporary: string) {
    this.#process = started;
    this.temporary = temporary;
    started.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    started.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => started.once('close', (code) => resolve(code)));
  }

  static async start(args: readonly string[]): Promise<RunningCommand> {
    const temporary = await mkdtemp(join(tmpdir(), 'command-test-'));
    // As root, PostgreSQL runs under another user, who has to pass through here.
    await chmod(temporary, 0o711);
    const command = ['--import', './scripts/typescript-loader.mjs', 'src/cli/main.ts', ...args];
    const started = spawn(process.execPath, command, {
      cwd: ROOT,
      env: { ...process.env, TMPDIR: temporary, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new RunningCommand(started, temporary);
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Resolves when it has printed what matches; rejects when it ends before that. */
  async printed(pattern: RegExp): Promise<void> {
    let look = (): void => {};
    const seen = new Promise<true>((resolve) => {
      look = () => {
        if (pattern.test(this.stdout) || pattern.test(this.stderr)) resolve(true);
      };
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) stream?.on('data', look);
    look();
    if ((await Promise.race([seen, this.ended])) !== true) {
      throw new Error(`It ended without printing ${pattern}.\n${this.stdout}${this.stderr}`);
    }
  }

  /** Files and folders that it has left in the temporary folder. */
  leftovers(): Promise<string[]> {
    return readdir(this.temporary);
  }

  /** Processes that were started by it: its temporary folder is in their environment, and in nobody else's. */
  async processes(): Promise<string[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(this.#process.pid));
    const found = await Promise.all(pids.map(async (pid) => ((await this.#startedIt(pid)) ? [pid] : [])));
    return found.flat();
  }

  /** Ends it, whatever state it is in, and removes its temporary folder. */
  async clear(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.ended;
    await rm(this.temporary, { recursive: true, force: true });
  }

  async #startedIt(pid: string): Promise<boolean> {
    try {
      return (await readFile(`/proc/${pid}/environ`, 'utf8')).includes(`TMPDIR=${this.temporary}\0`);
    } catch {
      // It has ended in the meantime, or is not ours to look into.
      return false;
    }
  }
}
