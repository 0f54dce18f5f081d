import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findFreePort } from '../../src/cli/servers/free-port.js';
import { RunningCommand } from './command.js';

const BOUND_MS = 120_000;
const SECRET = 'a-secret-of-this-test';

let folder: string;
const commands: RunningCommand[] = [];
const servers: Server[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serve-test-'));
});
afterEach(async () => {
  await Promise.all(commands.splice(0).map((command) => command.clear()));
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});
afterAll(() => rm(folder, { recursive: true }));

async function serve(config: unknown): Promise<RunningCommand> {
  const path = join(folder, `${commands.length}-${Math.random().toString(36).slice(2)}.json`);
  await writeFile(path, typeof config === 'string' ? config : JSON.stringify(config));
  const command = await RunningCommand.start(['serve', '--config', path]);
  commands.push(command);
  return command;
}

async function takePort(): Promise<number> {
  const port = await findFreePort();
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return port;
}

describe('serve', { timeout: BOUND_MS }, () => {
  it('runs a node with its operator page until it is told to stop', async () => {
    const node = await serve({ cache: { city: 'pune' }, http: { listen: '127.0.0.1:0' } });
    await node.printed(/operators on http/);
    const [, url = ''] = /operators on (\S+?)\/?,?\s/.exec(node.stdout) ?? [];
    const [health, stats, metrics, page] = await Promise.all(
      ['/healthz', '/stats', '/metrics', '/'].map(async (path) => {
        const response = await fetch(`${url}${path}`);
        return { status: response.status, text: await response.text() };
      }),
    );
    expect(health).toMatchObject({ status: 200, text: expect.stringContaining('"ok":true') });
    expect(JSON.parse(stats?.text ?? '')).toMatchObject({ city: 'pune', reads: 0 });
    expect(metrics?.text).toContain('fleetflow_cache_misses_total 0');
    expect(page?.text).toMatch(/<!doctype html>/i);
    node.kill('SIGTERM');
    expect(await node.ended).toBe(0);
  });

  it('finds its peers', async () => {
    const [first, second] = [await findFreePort(), await findFreePort()].map((port) => `127.0.0.1:${port}`);
    const configOf = (listen: string | undefined, seed: string | undefined) => ({
      cache: { peers: { listen, seeds: [seed], secret: SECRET } },
      http: { listen: '127.0.0.1:0' },
    });
    const node = await serve(configOf(first, second));
    const other = await serve(configOf(second, first));
    await Promise.all([node, other].map((one) => one.printed(/peers on/)));
    const [, url = ''] = /operators on (\S+?)\/?,?\s/.exec(node.stdout) ?? [];
    const peerLevel = async () => {
      const { levels } = (await (await fetch(`${url}/healthz`)).json()) as {
        levels: { level: string; parts: number; state: string }[];
      };
      return levels.find(({ level }) => level === 'peer');
    };
    await expect.poll(peerLevel, { timeout: 30_000 }).toMatchObject({ parts: 2, state: 'ok' });
  });

  it('says that a peer does not accept its secret, and which field that is', async () => {
    const [first, second] = [await findFreePort(), await findFreePort()].map((port) => `127.0.0.1:${port}`);
    const node = await serve({ cache: { peers: { listen: first, secret: SECRET } }, http: { listen: '127.0.0.1:0' } });
    await node.printed(/peers on/);
    const stranger = await serve({
      cache: { peers: { listen: second, seeds: [first], secret: 'another-secret-of-this-test' } },
      http: { listen: '127.0.0.1:0' },
    });
    await stranger.printed(/does not accept our secret: both nodes need the same peers\.secret/);
    expect(stranger.stderr).not.toContain('another-secret');
  });

  it.each([
    ['{', /^fleetflow-cache: --config: .*\.json is not JSON/m],
    [{ cache: { local: { maxByte: 1 } } }, /local\.maxByte is not a field that exists/],
  ])('refuses the configuration %j with one line that names the field, and exit code 2', async (config, complaint) => {
    const node = await serve(config);
    expect(await node.ended).toBe(2);
    expect(node.stderr).toMatch(complaint);
    expect(node.stderr.trim().split('\n')).toHaveLength(1);
  });

  it('names a file that is not there', async () => {
    const node = await RunningCommand.start(['serve', '--config', '/nowhere.json']);
    commands.push(node);
    expect(await node.ended).toBe(2);
    expect(node.stderr).toMatch(/^fleetflow-cache: --config: \/nowhere\.json cannot be read/m);
  });

  it('names the field of a port that is in use, and has kept nothing open', async () => {
    const port = await takePort();
    const operators = await serve({ http: { listen: `127.0.0.1:${port}` } });
    expect(await operators.ended).toBe(1);
    expect(operators.stderr).toMatch(/^fleetflow-cache: http\.listen: .*in use/m);
    const peers = await serve({
      cache: { peers: { listen: `127.0.0.1:${port}`, secret: SECRET } },
      http: { listen: '127.0.0.1:0' },
    });
    expect(await peers.ended, peers.stderr).toBe(1);
    expect(peers.stderr).toMatch(/^fleetflow-cache: peers\.listen is .*another process listens on/m);
  });
});
