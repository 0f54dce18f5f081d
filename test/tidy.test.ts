/**
 * The rules that cross folders, held as tests: the import table, purity, and the style that a formatter cannot see.
 * The rules are in test/tidy/; each has a bad sample in test/tidy/rules.test.ts.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importRules } from './tidy/import-rules.js';
import { purityRules } from './tidy/purity-rules.js';
import type { Source } from './tidy/source.js';
import { describeFinding, parseSource } from './tidy/source.js';
import { styleRules } from './tidy/style-rules.js';

const root = join(import.meta.dirname, '..');
const folders: readonly string[] = ['src', 'test', 'scripts', 'sim', 'bench'];
const written = /\.(?:[cm]?[jt]s|html|css|sql|lua|svg|sh)$/;

function readSources(): readonly Source[] {
  const inFolders = folders.flatMap((folder) => filesBelow(join(root, folder)));
  const atRoot = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isFile());
  return [...inFolders, ...atRoot.map((entry) => join(root, entry.name))]
    .filter((path) => written.test(path))
    .map((path) => parseSource(relative(root, path).split(sep).join('/'), readFileSync(path, 'utf8')));
}

function filesBelow(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe('the code base is tidy', () => {
  const sources = readSources();

  it('the rules see the sources and the tests', () => {
    const seen = new Set(sources.map((source) => source.path));
    const expected = ['src/index.ts', 'src/cli/main.ts', 'test/tidy.test.ts', 'scripts/check.mjs'];
    expect(expected.filter((path) => !seen.has(path))).toEqual([]);
  });

  for (const { name, check } of [...importRules, ...purityRules, ...styleRules]) {
    it(name, () => {
      expect(check(sources).map(describeFinding).join('\n')).toBe('');
    });
  }
});
