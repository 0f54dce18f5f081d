/**
 * Adds to package-lock.json the optional packages of other platforms that npm left out. `npm install` leaves them out where
 * the registry (a mirror that carries one platform) does not know them, and then `npm ci` refuses the lock file that npm
 * just wrote (npm/cli#9846). An entry says version and platform, so `npm ci` skips it without asking for it. Run it after
 * `npm install` changed the lock file; a complete lock file stays as it is.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const path = join(import.meta.dirname, '..', 'package-lock.json');
const lock = JSON.parse(readFileSync(path, 'utf8'));

const systems = 'aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32|wasi';
const processors = 'arm64|arm|ia32|loong64|mips64el|ppc64|riscv64|s390x|wasm32|x64';
const platform = new RegExp(`\\b(?:(${systems})-(${processors})|(wasm32)-(wasi))\\b`);

const added = [];
for (const [place, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isLocked(place, name)) continue;
    lock.packages[`node_modules/${name}`] = {
      version: range.replace(/^[~^]/, ''),
      ...platformOf(name),
      ...(entry.dev === true ? { dev: true } : {}),
      optional: true,
    };
    added.push(name);
  }
}

lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
if (added.length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length === 0 ? 'the lock file is complete' : `added ${added.length}: ${added.join(', ')}`);

/** Whether Node would find the package from there, as npm looks it up: beside, then further up. */
function isLocked(place, name) {
  for (let at = place; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (lock.packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`] !== undefined) return true;
    if (at === '') return false;
  }
}

function platformOf(name) {
  if (name === 'fsevents') return { os: ['darwin'] };
  const [, system, processor, wasm] = platform.exec(name) ?? [];
  if (wasm !== undefined) return { cpu: [wasm] };
  if (system === undefined) throw new Error(`${name} does not name its platform: add it to platformOf`);
  return { os: [system], cpu: [processor] };
}
