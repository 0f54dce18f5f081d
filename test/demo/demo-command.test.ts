import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { demoCommand } from '../../src/cli/demo/demo-command.js';
import type { Report } from '../../src/cli/demo/report.js';
import { findFreePort } from '../../src/cli/servers/free-port.js';
import { seededChance } from '../../src/node/demo/seeded-random.js';
import { RunningCommand } from './command.js';

/** Seconds become minutes on a machine that has other things to do. */
const BOUND_MS = 240_000;

let command: RunningCommand | undefined;
afterEach(() => command?.clear());

async function start(...args: readonly string[]): Promise<RunningCommand> {
  command = await RunningCommand.start(args);
  return command;
}

async function expectNothingLeft(ran: RunningCommand): Promise<void> {
  expect(await ran.processes()).toEqual([]);
  expect(await ran.leftovers()).toEqual([]);
}

describe('the demo', () => {
  it('hits every level, fails no read, reports that, and leaves nothing behind', { timeout: BOUND_MS }, async () => {
    const demo = await start('demo', '--for', '12s', '--json', '--vehicles', '300', '--reads', '2000');
    expect(await demo.ended, demo.stderr).toBe(0);
    const report = JSON.parse(demo.stdout) as Report;
    const value = (section: string, id: string) =>
      report.rows.find((row) => row.section === section && row.id === id)?.value;
    expect(report.command).toBe('fleetflow-cache demo --for 12s --json --vehicles 300 --reads 2000');
    expect(report.machine.cores).toBeGreaterThan(0);
    expect(value('reads', 'failed')).toBe(0);
    for (const level of ['local', 'distributed', 'peer', 'source']) {
      expect(value('levels', `${level}.hits`), level).toBeGreaterThan(0);
    }
    expect(value('positions', 'final-positions')).toBe(0);
    expect(value('changes', 'events')).toBeGreaterThan(0);
    // Details and status of twenty vehicles.
    expect(value('demo', 'foreign.rows')).toBe(40);
    expect(value('demo', 'foreign.unseen')).toBe(0);
    expect(report.rows.filter(({ ok }) => ok === false)).toEqual([]);
    await expectNothingLeft(demo);
  });

  it('shows every vehicle of a replayed file where it was last, whatever else is in the file', {
    timeout: BOUND_MS,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'demo-test-'));
    const path = join(folder, 'pings.ndjson.gz');
    await writeFile(path, gzipSync(messyPings()));
    try {
      const demo = await start(
        'demo',
        '--replay',
        path,
        '--speed',
        '200',
        '--vehicles',
        '100',
        '--reads',
        '500',
        '--json',
      );
      expect(await demo.ended, demo.stderr).toBe(0);
      const report = JSON.parse(demo.stdout) as Report;
      const replay = report.rows.filter(({ section }) => section === 'replay').map(({ id, value }) => [id, value]);
      expect(Object.fromEntries(replay)).toEqual({
        pings: 2_040,
        'bad-lines': 10,
        'future-clocks': 10,
        'broken-files': 0,
        'vehicles-compared': 20,
        'final-positions': 0,
      });
      expect(report.problems[0]).toContain(`${path}:`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('ends in order when it is interrupted, and leaves nothing behind', { timeout: BOUND_MS }, async () => {
    const demo = await start('demo', '--vehicles', '100', '--reads', '500');
    await demo.printed(/reads\/s/);
    expect((await demo.processes()).length).toBeGreaterThanOrEqual(3);
    demo.kill('SIGINT');
    expect(await demo.ended, demo.stdout).toBe(0);
    await expectNothingLeft(demo);
  });

  it('ends while it is still setting up, and leaves nothing behind', { timeout: BOUND_MS }, async () => {
    const demo = await start('demo', '--vehicles', '100');
    await demo.printed(/Starting \d cache nodes/);
    demo.kill('SIGTERM');
    expect(await demo.ended).toBe(143);
    await expectNothingLeft(demo);
  });

  it('ends at once when it is interrupted twice, and leaves nothing behind', { timeout: BOUND_MS }, async () => {
    const demo = await start('demo', '--vehicles', '100', '--reads', '500');
    await demo.printed(/reads\/s/);
    demo.kill('SIGINT');
    await demo.printed(/Ending the demo/);
    demo.kill('SIGINT');
    await demo.ended;
    await expect.poll(() => demo.processes(), { timeout: 20_000 }).toEqual([]);
    expect(await demo.leftovers()).toEqual([]);
  });

  it('refuses an option that it does not have, with exit code 2', { timeout: BOUND_MS }, async () => {
    const demo = await start('demo', '--sped', '2');
    expect(await demo.ended).toBe(2);
    expect(demo.stderr).toMatch(/unknown option '--sped'/);
    expect(demo.stderr).not.toMatch(/^\s+at /m);
  });

  it.each([
    [
      ['--replay', '/nowhere/pings.ndjson'],
      /^fleetflow-cache: --replay: \/nowhere\/pings\.ndjson cannot be read \(ENOENT\)$/m,
    ],
    [['--json', '/nowhere/report.json'], /^fleetflow-cache: --json: \/nowhere\/report\.json cannot be written/m],
  ])('names the file of %j that is not there, with exit code 1', { timeout: BOUND_MS }, async (args, complaint) => {
    const demo = await start('demo', ...args);
    expect(await demo.ended).toBe(1);
    expect(demo.stderr).toMatch(complaint);
    expect(await demo.leftovers()).toEqual([]);
  });

  it('names the port of the page that is in use, before it starts anything', { timeout: BOUND_MS }, async () => {
    const port = await findFreePort();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(port, '127.0.0.1', resolve));
    const demo = await start('demo', '--port', String(port));
    expect(await demo.ended).toBe(1);
    taken.close();
    expect(demo.stderr).toMatch(/^fleetflow-cache: --port: .*in use/m);
    expect(demo.stdout).not.toContain('Starting');
  });
});

/** 20 vehicles in a hundred steps of ten seconds, out of order, and between them what a replay has to see through. */
function messyPings(): string {
  const chance = seededChance(11);
  const lines: string[] = [];
  for (let i = 0; i < 2_000; i++) {
    const t = Date.UTC(2026, 0, 5) + Math.floor(i / 20) * 10_000;
    const ping = {
      v: `KA05MJ${1_000 + (i % 20)}`,
      t,
      // Nowhere farther than a vehicle can have come: order and time are what is messy here.
      lat: 12 + chance.next() / 20,
      lon: 77 + chance.next() / 20,
      kmh: 30,
      ign: 1,
    };
    lines.push(JSON.stringify(ping));
    if (i % 200 !== 0) continue;
    lines.push(
      'garbage {',
      JSON.stringify({ ...ping, lat: 12.06 }),
      JSON.stringify({ ...ping, t: t + 1, lat: 0, lon: 0 }),
      JSON.stringify({ ...ping, t: t + 2, lat: 95 }),
      JSON.stringify({ ...ping, t: t + 3, kmh: 655.35 }),
      JSON.stringify({ ...ping, t: Date.UTC(2068, 0, 1) }),
    );
  }
  return lines
    .map((line) => ({ line, at: chance.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ line }) => line)
    .join('\n');
}

describe('the options of the demo', () => {
  it.each([
    [['--for', '1s'], /--for.*It must be 5s or longer/],
    [['--for', 'soon'], /--for is "soon"/],
    [['--reads', '-1'], /--reads.*whole number from 1/],
    [['--vehicles', '3'], /--vehicles.*whole number from 10/],
    [['--speed', '0'], /--speed.*whole number from 1/],
    [['--port', '70000'], /--port.*whole number from 1 to 65535/],
    [['now'], /too many arguments/],
  ])('refuse %j by name', async (args, complaint) => {
    const command = demoCommand('0.0.0', () => {})
      .exitOverride()
      .configureOutput({ writeErr: () => {} });
    await expect(command.parseAsync(args, { from: 'user' })).rejects.toThrow(complaint);
  });
});
