/** `npm run coherence`: plays the scenarios with ours and with the others, and says who was right. */
import { readFileSync, writeFileSync } from 'node:fs';
import { machineOf } from '../../src/cli/demo/report.js';
import { HostProcess } from './host-process.js';
import { HELP, type Options, readOptions } from './options.js';
import { pageOf } from './page.js';
import { joinReports, type Report, type Row, rowOf } from './report.js';
import type { Scenario } from './scenario.js';
import { scenarios } from './scenarios.js';
import { hasRedis, type Shape } from './subject.js';
import { OURS } from './subjects.js';
import { formatTable } from './table.js';
import type { Finding } from './verdict.js';

async function playAll(options: Options): Promise<Row[]> {
  const rows: Row[] = [];
  for (const subject of options.subjects) {
    const host = new HostProcess(subject);
    try {
      const shapes = await shapesOf(host, subject, options);
      for (const shape of shapes) {
        for (const scenario of scenarios.filter((one) => isWanted(one, shape, shapes, options))) {
          rows.push(await playOne(host, subject, scenario, shape, options));
          // What a scenario left behind in a process that is not ours must not be blamed on the next one.
          if (subject !== OURS) await host.stop();
        }
      }
    } finally {
      await host.stop();
    }
  }
  return rows;
}

function isWanted(scenario: Scenario, shape: Shape, all: readonly Shape[], { ids, effort }: Options): boolean {
  if (!ids.includes(scenario.id)) return false;
  if (effort.isQuick && scenario.quick?.includes(shape) !== true) return false;
  if (!hasRedis(shape) && scenario.withoutRedis?.includes(shape) !== true) return false;
  // On a cluster in any case, so what runs there anyhow need not do it twice.
  return !(scenario.onCluster === true && shape === 'single' && all.includes('cluster'));
}

async function shapesOf(host: HostProcess, subject: string, options: Options): Promise<readonly Shape[]> {
  const shapes = await host.shapes();
  return subject === OURS ? shapes.filter((shape) => options.shapes.includes(shape)) : shapes;
}

async function playOne(
  host: HostProcess,
  subject: string,
  scenario: Scenario,
  usual: Shape,
  { repeat, effort }: Options,
): Promise<Row> {
  const shape = usual === 'single' && scenario.onCluster === true ? 'cluster' : usual;
  const runs: Finding[] = [];
  for (let i = 0; i < repeat; i++) {
    const startedMs = performance.now();
    const finding = await host.play({ id: scenario.id, shape, effort }, scenario.limitMs);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    runs.push(finding);
    const head = `${scenario.id.padEnd(4)} ${`${subject} ${shape}`.padEnd(24)}`;
    process.stderr.write(`${head} ${finding.verdict.padEnd(4)} ${seconds.padStart(6)} s  ${finding.note}\n`);
  }
  return rowOf({ scenario, subject, version: await host.version(), shape, runs });
}

async function play(options: Options, args: readonly string[]): Promise<Report> {
  const at = new Date().toISOString();
  return { machine: machineOf(), command: commandOf(args), at, rows: await playAll(options) };
}

/** What to type to have it again; where it was written to is nobody's concern. */
function commandOf(args: readonly string[]): string {
  const kept = args.filter((arg, i) => !isOutput(arg) && (!isOutput(args[i - 1] ?? '') || args[i - 1]?.includes('=')));
  return ['npm run coherence', ...(kept.length > 0 ? ['--'] : []), ...kept].join(' ');
}

function isOutput(arg: string): boolean {
  return /^--(json|markdown)(=|$)/.test(arg);
}

function readReport(file: string): Report {
  return JSON.parse(readFileSync(file, 'utf8')) as Report;
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const options = readOptions(args);
  if (options === 'help') {
    console.log(HELP);
    return;
  }
  const { from, jsonFile, markdownFile } = options;
  const report = from === undefined ? await play(options, args) : joinReports(from.map(readReport));
  console.log(`\n${formatTable(report.rows)}`);
  if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify(report, null, 2)}\n`);
  if (markdownFile !== undefined) writeFileSync(markdownFile, pageOf(report));
  const failed = report.rows.filter(({ subject, ok }) => subject === OURS && ok === false);
  if (failed.length === 0) return;
  console.log(`\nOurs fails in ${failed.map(({ id, shape }) => `${id} (${shape})`).join(', ')}.`);
  process.exitCode = 1;
}

await main().catch((thrown: unknown) => {
  console.error(thrown instanceof Error ? thrown.message : thrown);
  process.exitCode = 2;
});
