import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readOptions } from '../../bench/options.js';
import type { Result } from '../../bench/result.js';
import { createWorkspace } from '../../src/cli/servers/workspace.js';

const run = promisify(execFile);
const START = join(import.meta.dirname, '..', '..', 'bench', 'start.mjs');

describe('the command line', () => {
  it('takes sections in their own order, and all of them when none is named', () => {
    expect(readOptions(['l2', 'l1'])).toMatchObject({ sections: ['l1', 'l2'], quick: false });
    const all = readOptions([]);
    expect(all).toMatchObject({ sections: expect.arrayContaining(['l1', 'seeds']) });
    expect(readOptions(['report'])).toBe('report');
  });

  it('names what it does not know', () => {
    expect(() => readOptions(['l9'])).toThrow('There is no section l9');
    expect(() => readOptions(['--subjects', 'memcached'])).toThrow('There is no subject memcached');
    expect(() => readOptions(['--seed', 'x'])).toThrow('--seed');
  });
});

describe('npm run bench', () => {
  it('measures in processes of its own, says machine and command, and leaves nothing behind', async () => {
    const workspace = await createWorkspace();
    try {
      const file = join(workspace.path, 'result.json');
      const env = { ...process.env, TMPDIR: workspace.path };
      await run(process.execPath, [START, 'overhead', '--quick', '--json', file], { env });
      const result = JSON.parse(await readFile(file, 'utf8')) as Result;
      expect(result).toMatchObject({
        command: `npm run bench -- overhead --quick --json ${file}`,
        quick: true,
        errors: [],
      });
      expect(result.machine.node).toBe(process.version);
      const bounded = result.rows.filter(({ bound }) => bound !== undefined);
      expect(bounded.map(({ id }) => id)).toEqual(['overhead.metrics.peek', 'overhead.metrics.get']);
      expect((await run('ls', [workspace.path])).stdout).toBe('result.json\n');
    } finally {
      await workspace.remove();
    }
  });
});
