/** `npm run coherence`: plays the scenarios with ours and with the others, and says who was right. */
import { writeFileSync } from 'node:fs';
import { HostProcess } from './host-process.js';
import { HELP, type Options, readOptions } from './options.js';
import { formatTable, machine, type Played, rowsOf, verdictOf } from './report.js';
import type { Scenario } from './scenario.js';
import { scenarios } from './scenarios.js';
import type { Shape } from './subject.js';
import { OURS } from './subjects.js';
import type { Finding } from './verdict.js';

async function playAll(options: Options): Promise<Played[]> {
  const played: Played[] = [];
  for (const subject of options.subjects) {
    const host = new HostProcess(subject);
    try {
      const shapes = await shapesOf(host, subject, options);
      for (const shape of shapes) {
        for (const scenario of scenarios) {
          if (!options.ids.includes(scenario.id)) continue;
          if (scenario.shapes?.includes(shape) === false) continue;
          // On a cluster in any case, so what runs there anyhow need not do it twice.
          if (scenario.onCluster === true && shape === 'single' && shapes.includes('cluster')) continue;
          played.push(await playOne(host, subject, scenario, shape, options.repeat));
          // What a scenario left behind in a process that is not ours must not be blamed on the next one.
          if (subject !== OURS) await host.stop();
        }
      }
    } finally {
      await host.stop();
    }
  }
  return played;
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
  repeat: number,
): Promise<Played> {
  const shape = usual === 'single' && scenario.onCluster === true ? 'cluster' : usual;
  const runs: Finding[] = [];
  for (let i = 0; i < repeat; i++) {
    const startedMs = performance.now();
    const finding = await host.play({ id: scenario.id, shape }, scenario.limitMs);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    runs.push(finding);
    const head = `${scenario.id.padEnd(4)} ${`${subject} ${shape}`.padEnd(24)}`;
    process.stderr.write(`${head} ${finding.verdict.padEnd(4)} ${seconds.padStart(6)} s  ${finding.note}\n`);
  }
  return { scenario, subject, version: await host.version(), shape, runs };
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const options = readOptions(args);
  if (options === 'help') {
    console.log(HELP);
    return;
  }
  const played = await playAll(options);
  console.log(`\n${formatTable(played, OURS)}`);
  if (options.jsonFile !== undefined) {
    const command = ['coherence', ...args].join(' ');
    const report = { machine: machine(), command, at: new Date().toISOString(), rows: rowsOf(played) };
    writeFileSync(options.jsonFile, `${JSON.stringify(report, null, 2)}\n`);
  }
  const failed = played.filter(
    (one) => one.subject === OURS && one.scenario.informative !== true && verdictOf(one) === 'FAIL',
  );
  if (failed.length === 0) return;
  console.log(`\nOurs fails in ${failed.map(({ scenario, shape }) => `${scenario.id} (${shape})`).join(', ')}.`);
  process.exitCode = 1;
}

await main().catch((thrown: unknown) => {
  console.error(thrown instanceof Error ? thrown.message : thrown);
  process.exitCode = 2;
});
