/**
 * Starts the benchmark as an application would run us: plain JavaScript, made once, and not in every process. What is
 * edited during a run does not disturb it. Only types are taken away: `tsx` would keep the names of functions too, at a
 * call per closure, which would be measured with our code and not with that of the others, which is built already.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');

function sourcesOf(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(({ name }) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map(({ parentPath, name }) => join(parentPath, name));
}

const outdir = mkdtempSync(join(tmpdir(), 'fleetflow-bench-'));
process.on('exit', () => rmSync(outdir, { recursive: true, force: true }));
writeFileSync(join(outdir, 'package.json'), '{"type":"module"}');
symlinkSync(join(root, 'node_modules'), join(outdir, 'node_modules'));
await build({
  entryPoints: [...sourcesOf('src'), ...sourcesOf('bench')],
  outdir,
  outbase: root,
  format: 'esm',
  target: 'node20',
  logLevel: 'error',
});
// The fleet's tables are made by statements that are read when they are needed.
const migrations = join('src', 'source', 'migrations');
cpSync(join(root, migrations), join(outdir, migrations), { recursive: true });
await import(pathToFileURL(join(outdir, 'bench', 'main.js')).href);
