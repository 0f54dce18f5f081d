import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type Child, runTool, startChild } from './child.js';
import { waitUntil } from './wait.js';

const STOPS_WITHIN_MS = 10_000;

function startShell(script: string): Promise<Child> {
  return startChild({ name: 'the shell', command: 'sh', args: ['-c', script] });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Runs a module in a process of its own; `start` is code that may use what the modules of this folder export. */
function startProcess(start: string): Promise<Child> {
  const source = (name: string): string => JSON.stringify(new URL(`./${name}.ts`, import.meta.url).href);
  const code = `
    import { startChild } from ${source('child')};
    import { createWorkspace } from ${source('workspace')};
    const { path } = await createWorkspace();
    const sleeper = await startChild({ name: 'sleeper', command: 'sleep', args: ['600'], cwd: path });
    console.log('pid ' + sleeper.pid + ' folder ' + path + '.');
    ${start}`;
  return startChild({
    name: 'the process',
    command: process.execPath,
    args: ['--import', 'tsx', '--input-type=module', '-e', code],
  });
}

async function readAnnouncement(child: Child): Promise<{ pid: number; folder: string }> {
  await child.waitForLog(/pid \d+ folder \S+\.\n/, 20_000);
  const [, pid, folder] = /pid (\d+) folder (\S+)\.\n/.exec(child.log) ?? [];
  return { pid: Number(pid), folder: String(folder) };
}

describe('a child', () => {
  it('is ready when its log says so, and stops when asked', async () => {
    const child = await startShell('echo ready; exec sleep 600');
    await child.waitForLog(/ready/, 5_000);
    expect(child.alive).toBe(true);
    await child.stop(STOPS_WITHIN_MS);
    expect(child.alive).toBe(false);
    expect(isRunning(child.pid)).toBe(false);
    expect((await child.ended).signal).toBe('SIGTERM');
  });

  it('is killed when it ignores the wish to stop', async () => {
    const child = await startShell('trap "" TERM; echo ready; while :; do sleep 0.1; done');
    await child.waitForLog(/ready/, 5_000);
    await child.stop(50);
    expect((await child.ended).signal).toBe('SIGKILL');
  });

  it('takes along what it has forked', async () => {
    const child = await startShell('sleep 600 & echo forked $!; wait');
    await child.waitForLog(/forked \d+/, 5_000);
    const forked = Number(/forked (\d+)/.exec(child.log)?.[1]);
    expect(isRunning(forked)).toBe(true);
    child.kill('SIGKILL');
    await child.ended;
    await waitUntil({ what: 'the fork to end', boundMs: 5_000 }, () => !isRunning(forked));
  });

  it('stops although it is frozen', async () => {
    const child = await startShell('echo ready; exec sleep 600');
    await child.waitForLog(/ready/, 5_000);
    child.kill('SIGSTOP');
    await child.stop(STOPS_WITHIN_MS);
    expect((await child.ended).signal).toBe('SIGTERM');
  });

  it('that ends before it is ready says so, with its last words', async () => {
    const child = await startShell('echo no such luck >&2; exit 3');
    await expect(child.waitForLog(/ready/, 5_000)).rejects.toThrow(/the shell ended \(exit code 3\).*\nno such luck/);
    await expect(child.waitForLog(/ready/, 5_000)).rejects.toThrow('exit code 3');
  });

  it('that is not ready in time says so; an abort ends the wait', async () => {
    const child = await startShell('echo hm; exec sleep 600');
    await expect(child.waitForLog(/ready/, 20)).rejects.toThrow('the shell was not ready within 20 ms');
    await expect(child.waitForLog(/ready/, 60_000, AbortSignal.timeout(20))).rejects.toThrow('no longer waited for');
    await child.stop(STOPS_WITHIN_MS);
  });

  it('has a bounded log that keeps the end', async () => {
    const child = await startShell('seq 1 100000');
    await child.silent;
    expect(child.log.length).toBe(16_384);
    expect(child.log.endsWith('\n99999\n100000\n')).toBe(true);
  });

  it('that does not exist is an error that names it', async () => {
    const missing = { name: 'nothing', command: '/no/such/program', args: [] };
    await expect(runTool({ ...missing, boundMs: 5_000 })).rejects.toThrow(/nothing.*\n?.*\/no\/such\/program/s);
  });
});

describe('the end of this process', () => {
  it('by an uncaught exception leaves no child and no folder', async () => {
    const child = await startProcess(`throw new Error('as planned');`);
    const { pid, folder } = await readAnnouncement(child);
    expect((await child.silent).code).toBe(1);
    expect(child.log).toContain('as planned');
    await waitUntil({ what: 'the sleeper to end', boundMs: 5_000 }, () => !isRunning(pid));
    expect(existsSync(folder)).toBe(false);
  });

  it('by process.exit leaves no child and no folder', async () => {
    const child = await startProcess('process.exit(7);');
    const { pid, folder } = await readAnnouncement(child);
    expect((await child.silent).code).toBe(7);
    await waitUntil({ what: 'the sleeper to end', boundMs: 5_000 }, () => !isRunning(pid));
    expect(existsSync(folder)).toBe(false);
  });

  it('by SIGKILL leaves no child', async () => {
    const child = await startProcess('await sleeper.ended;');
    const { pid, folder } = await readAnnouncement(child);
    expect(isRunning(pid)).toBe(true);
    child.kill('SIGKILL');
    await child.ended;
    await waitUntil({ what: 'the sleeper to end', boundMs: 5_000 }, () => !isRunning(pid));
    await rm(folder, { recursive: true });
  });
});

describe('runTool', () => {
  it('returns the output and tells each whole line', async () => {
    const lines: string[] = [];
    const args = ['-c', 'printf "one\\ntw"; sleep 0.05; printf "o\\nthree\\n"'];
    const said = await runTool({
      name: 'lines',
      command: 'sh',
      args,
      boundMs: 5_000,
      onLine: (line) => lines.push(line),
    });
    expect(said).toBe('one\ntwo\nthree\n');
    expect(lines).toEqual(['one', 'two', 'three']);
  });

  it('rejects, with the output, when the tool fails, takes too long or is aborted', async () => {
    const run = (script: string, boundMs: number, signal?: AbortSignal) =>
      runTool({ name: 'the tool', command: 'sh', args: ['-c', script], boundMs, signal });
    await expect(run('echo oh; exit 4', 5_000)).rejects.toThrow('the tool failed (exit code 4).\noh');
    await expect(run('exec sleep 600', 50)).rejects.toThrow('the tool took longer than 50 ms');
    await expect(run('exec sleep 600', 60_000, AbortSignal.timeout(50))).rejects.toThrow('the tool was aborted');
  });
});
