import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PeerNode, SECRET, startNodes, stopNodes, until } from './peer-nodes.js';

const page = readFileSync(join(import.meta.dirname, '../../docs/peers.md'), 'utf8');
const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text);

let nodes: PeerNode[];
let folder: string;

beforeAll(async () => {
  nodes = await startNodes(2);
  folder = await mkdtemp(join(tmpdir(), 'peers-page-'));
  // `date` knows whole seconds: what it signs now is signed before the node started, until the next one.
  const startedAtMs = Date.now();
  await until('a second has begun', () => Math.floor(Date.now() / 1_000) > Math.floor(startedAtMs / 1_000));
});
afterAll(async () => {
  await stopNodes(nodes);
  await rm(folder, { recursive: true });
});

/** What a shell prints that runs these blocks as they stand on the page. */
function run(...texts: readonly string[]): Promise<string> {
  const env = { ...process.env, NODE: nodes[0]!.peers.address, SECRET };
  return new Promise((resolve, reject) => {
    execFile('sh', ['-euc', texts.join('\n')], { cwd: folder, env, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error === null && stderr === '') resolve(stdout);
      else reject(error ?? new Error(stderr));
    });
  });
}

describe('what docs/peers.md shows to do by hand', () => {
  const [define = '', put = '', strange = '', members = '', refused = '', ...others] = blocks;

  it('is all run here', () => {
    expect(others).toEqual([]);
    expect(refused).toContain('409');
  });

  it('puts an entry and gets it', async () => {
    expect(await run(define, put)).toMatch(/^\{"outcome":"stored","version":"[0-9a-f]{40}"\}any bytes$/);
  });

  it('takes dots, slashes and NUL for characters of a key, and refuses what is not UTF-8', async () => {
    const said = await run(define, strange);
    expect(said).toMatch(/^\{"outcome":"stored","version":"[0-9a-f]{40}"\}only a key\{"error":\{"code":"invalid-key"/);
  });

  it('shows who is there', async () => {
    const said = JSON.parse(await run(define, members));
    expect(said.node.address).toBe(nodes[0]!.peers.address);
    expect(said.members).toMatchObject([{ address: nodes[1]!.peers.address, status: 'up' }]);
  });

  it('is refused where it says so, for the reason that it says', async () => {
    const said = await run(define, refused);
    const promised = [...refused.matchAll(/^# \d{3} ([a-z-]+):/gm)].map(([, code]) => code);
    const codes = [...said.matchAll(/"error":\{"code":"([a-z-]+)"/g)].map(([, code]) => code);
    expect(promised).toHaveLength(4);
    expect(codes).toEqual(promised);
    expect(said).toContain('"members":');
  });
});
