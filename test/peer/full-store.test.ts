import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const BUDGET_BYTES = 256 * 1_048_576;

it('the store of a peer takes its budget of the machine, and no tenth more', async () => {
  const args = ['--expose-gc', '--import', './scripts/typescript-loader.mjs', 'test/peer/full-store-main.ts'];
  const { stdout } = await promisify(execFile)(process.execPath, [...args, String(BUDGET_BYTES)]);
  const { residentBytes, sizeBytes } = JSON.parse(stdout) as { residentBytes: number; sizeBytes: number };
  expect(sizeBytes).toBeGreaterThan(BUDGET_BYTES * 0.99);
  expect(sizeBytes).toBeLessThanOrEqual(BUDGET_BYTES);
  expect(residentBytes).toBeLessThan(BUDGET_BYTES * 1.1);
  // It really is there.
  expect(residentBytes).toBeGreaterThan(BUDGET_BYTES * 0.9);
}, 60_000);
