import { constants } from 'node:fs';
import { access, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { type Duration, durationMs } from '../../core/duration.js';
import { listenForInterrupt } from '../interrupt.js';
import { runDemo } from './demo.js';
import type { DemoOptions } from './demo-options.js';
import { countText } from './figures-text.js';
import { machineOf, type Report, type ReportRow } from './report.js';
import { openScreen } from './screen.js';

interface Given {
  readonly vehicles: number;
  readonly reads: number;
  readonly for?: number;
  readonly replay?: string;
  readonly speed: number;
  readonly port: number;
  readonly json?: string | true;
}

const VEHICLES_MAX = 100_000;
const READS_MAX = 1_000_000;
const SPEED_MAX = 1_000_000;
const SHORTEST_RUN_MS = 5_000;

export function demoCommand(version: string, exit: (code: number) => void): Command {
  return new Command('demo')
    .description('Show the whole cache at work on this machine: three nodes, a Redis Cluster, PostgreSQL and a fleet.')
    .option('--vehicles <n>', 'vehicles of the fleet', wholeNumber(10, VEHICLES_MAX), 5_000)
    .option('--reads <n>', 'reads per second, of all nodes together', wholeNumber(1, READS_MAX), 4_000)
    .option('--replay <file>', 'feed the pings of a file (NDJSON, plain or gzip), not simulated ones')
    .option('--speed <n>', 'how many times as fast as they were to replay them', wholeNumber(1, SPEED_MAX), 60)
    .option('--for <duration>', 'stop by itself after so long, such as 30s or 5m (otherwise: Ctrl-C)', runTime)
    .option('--json [file]', 'no table; write a report at the end, to a file or to standard output')
    .option('--port <n>', 'port of the web page (otherwise: a free one)', wholeNumber(1, 65_535), 0)
    .addHelpText(
      'after',
      `
Redis (7 or newer) and PostgreSQL (15 or newer) are taken from PATH, or installed; DATABASE_URL names another
PostgreSQL. Everything runs on 127.0.0.1, in a temporary folder, and is gone when the demo ends.

Examples:
  fleetflow-cache demo
  fleetflow-cache demo --for 30s --json
  fleetflow-cache demo --replay pings.ndjson.gz --speed 3600

A line of a replay file: {"v":"MH12AB1234","t":1761417010000,"lat":18.52,"lon":73.85,"kmh":42,"ign":1}`,
    )
    .action(async (given: Given) => exit(await demo(given, version)));
}

/** @returns the exit code */
async function demo(given: Given, version: string): Promise<number> {
  const at = new Date().toISOString();
  const { json } = given;
  if (typeof json === 'string') await checkWritable(json);
  const screen = openScreen(json === undefined ? process.stdout : process.stderr, json === undefined);
  const interrupt = listenForInterrupt(() => screen.progress('Ending the demo. Once more Ctrl-C ends it at once'));
  // Nobody reads any more (`demo | head`): the demo has lost its purpose.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => interrupt.stop());
  const options: DemoOptions = {
    vehicles: given.vehicles,
    readsPerSecond: given.reads,
    forMs: given.for,
    replay: given.replay,
    speed: given.speed,
    port: given.port,
  };
  try {
    const { rows, problems, complete } = await runDemo(options, { screen, interrupt, version });
    const failed = rows.filter(({ ok }) => ok === false);
    for (const one of failed) screen.progress(`NOT OK  ${rowText(one)}`);
    for (const problem of problems) screen.progress(problem);
    if (json === undefined) for (const line of summary(rows)) screen.progress(line);
    else await writeReport({ machine: machineOf(), command: commandText(), at, complete, rows, problems }, json);
    if (!complete) return options.forMs === undefined && failed.length === 0 ? 0 : (interrupt.exitCode ?? 1);
    return failed.length === 0 ? 0 : 1;
  } catch (error) {
    if (interrupt.exitCode !== undefined) return interrupt.exitCode;
    throw error;
  } finally {
    interrupt.release();
  }
}

/** Before the run, not after it. */
async function checkWritable(path: string): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK);
  } catch (cause) {
    throw new Error(`--json: ${path} cannot be written: its folder is not there, or closed to us`, { cause });
  }
}

async function writeReport(report: Report, json: string | true): Promise<void> {
  const text = `${JSON.stringify(report, undefined, 2)}\n`;
  if (typeof json === 'string') await writeFile(json, text);
  else await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
}

/** The few figures that somebody who watched the table still wants at the end. */
function summary(rows: readonly ReportRow[]): string[] {
  const wanted = [
    'reads count',
    'reads failed',
    'reads rate',
    'writes newest',
    'replay final-positions',
    'demo foreign.unseen',
  ];
  return rows.filter(({ section, id }) => wanted.includes(`${section} ${id}`)).map(rowText);
}

function rowText({ section, id, value, unit, bound }: ReportRow): string {
  return `${section} ${id}: ${countText(value)} ${unit}${bound === undefined ? '' : ` (bound: ${bound})`}`;
}

function commandText(): string {
  return ['fleetflow-cache', ...process.argv.slice(2)].join(' ');
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw misused(`It must be a whole number from ${min} to ${max}.`);
  };
}

function runTime(text: string): number {
  let ms: number;
  try {
    ms = durationMs(text as Duration, '--for');
  } catch (error) {
    throw misused(`${error instanceof Error ? error.message : error}.`);
  }
  if (ms < SHORTEST_RUN_MS) throw misused(`It must be ${SHORTEST_RUN_MS / 1_000}s or longer.`);
  return ms;
}

function misused(message: string): InvalidArgumentError {
  return new InvalidArgumentError(message);
}
