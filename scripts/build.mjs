/** Compiles `src/` into `dist/`: JavaScript, declarations, and the files beside them that the code reads when it runs. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const source = join(root, 'src');
const target = join(root, 'dist');
const asset = /\.(?:html|css|js|sql|lua|svg)$/;

rmSync(target, { recursive: true, force: true });

const tsc = join(root, 'node_modules', '.bin', 'tsc');
const compiled = spawnSync(tsc, ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit', timeout: 300_000 });
if (compiled.status !== 0) {
  fail(
    compiled.error === undefined ? 'src/ does not compile, see above' : `tsc did not finish: ${compiled.error.message}`,
  );
}

for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !asset.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  cpSync(path, join(target, relative(source, path)));
}

const command = join(target, 'cli', 'main.js');
if (!existsSync(command))
  fail('dist/cli/main.js is missing: the command of package.json "bin" comes from src/cli/main.ts');
chmodSync(command, 0o755);

function fail(message) {
  console.error(`build: ${message}`);
  process.exit(1);
}
