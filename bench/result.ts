import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.js';
import type { Row } from './row.js';

/** One run, as `--json` writes it. */
export interface Result {
  readonly machine: Machine;
  readonly command: string;
  /** ISO 8601, when it began. */
  readonly at: string;
  readonly quick: boolean;
  readonly seed: number;
  /** By section. */
  readonly tookSeconds: Readonly<Record<string, number>>;
  readonly rows: readonly Row[];
  readonly errors: readonly string[];
}

export function writeResult(file: string, result: Result): void {
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
}

/** What is in a folder, the oldest first. */
export function readResults(folder: string): readonly Result[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Result)
    .sort((a, b) => (a.at < b.at ? -1 : 1));
}
