import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const modules = join(import.meta.dirname, '..', '..', 'node_modules');

/** The version of a package that is installed here. */
export function versionOf(name: string): string {
  const about = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')) as { readonly version: string };
  return about.version;
}
