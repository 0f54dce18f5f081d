/**
 * Everything that can be checked without running a server: format and lint, types, the tidy rules, unused code, and the
 * package as somebody would install it. Runs every step, says in one line how each went, and shows the output of those
 * that failed. Needs no network.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const stepLimitMs = 300_000;
const packed = mkdtempSync(join(tmpdir(), 'fleetflow-cache-check-'));
const env = { ...process.env, NO_COLOR: '1', npm_config_offline: 'true', npm_config_update_notifier: 'false' };
delete env.FORCE_COLOR;

const loadEntryPoints = "await import('fleetflow-cache'); await import('fleetflow-cache/fleet');";

const steps = [
  ['format and lint', () => tool('biome', 'ci', '--colors=off', '--error-on-warnings', '.')],
  ['types', () => tool('tsc', '--noEmit', '-p', '.')],
  ['tidy', () => tool('vitest', 'run', '--config', 'vitest.tidy.config.ts', '--reporter=dot')],
  ['unused code', () => tool('knip')],
  ['package: npm pack', () => run('npm', ['pack', '--pack-destination', packed])],
  ['package: publint', () => onTarball((path) => tool('publint', 'run', path, '--strict'))],
  ['package: types', () => onTarball((path) => tool('attw', path, '--profile', 'esm-only', '--no-definitely-typed'))],
  ['package: loads', () => run(process.execPath, ['--input-type=module', '--eval', loadEntryPoints])],
];

function tool(name, ...args) {
  return run(join(root, 'node_modules', '.bin', name), args);
}

function run(command, args) {
  const ended = spawnSync(command, args, {
    cwd: root,
    env,
    encoding: 'utf8',
    timeout: stepLimitMs,
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = `${ended.stdout ?? ''}${ended.stderr ?? ''}`;
  const error = ended.error === undefined ? '' : `did not finish within ${stepLimitMs} ms: ${ended.error.message}\n`;
  return { ok: ended.status === 0, output: output + error };
}

function onTarball(look) {
  const name = readdirSync(packed).find((file) => file.endsWith('.tgz'));
  return name === undefined ? { ok: false, output: 'npm pack made no tarball\n' } : look(join(packed, name));
}

let failed = 0;
try {
  for (const [name, step] of steps) {
    const startMs = performance.now();
    const { ok, output } = step();
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    console.log(`${ok ? 'ok  ' : 'FAIL'}  ${name.padEnd(18)} ${seconds.padStart(6)} s`);
    if (ok) continue;
    failed += 1;
    console.log(output.trimEnd().replace(/^/gm, '      '));
  }
} finally {
  rmSync(packed, { recursive: true, force: true });
}
console.log(
  failed === 0 ? `check: all ${steps.length} steps passed` : `check: ${failed} of ${steps.length} steps failed`,
);
process.exitCode = failed === 0 ? 0 : 1;
