/** `npm run bench`: measures ours beside the others, and says what came out against what was promised. */
import { listenForInterrupt } from '../src/cli/interrupt.js';
import { describeMachine, machineOf } from './machine.js';
import { HELP, type Options, readOptions } from './options.js';
import { writePage } from './report/page.js';
import { formatRows } from './report/table.js';
import { writeResult } from './result.js';
import { lossesOf, type Row } from './row.js';
import { Run } from './run.js';
import { sections } from './sections.js';

const LOST = 1;
const BROKEN = 2;

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === 'help') {
    console.log(HELP);
    return 0;
  }
  if (options === 'report') {
    console.log(`wrote ${writePage(process.cwd())}`);
    return 0;
  }
  return measure(options, ['npm run bench --', ...args].join(' '));
}

async function measure(options: Options, command: string): Promise<number> {
  const interrupt = listenForInterrupt(() => process.stderr.write('stopping\n'));
  const run = new Run(options, interrupt.signal);
  const machine = machineOf();
  const at = new Date().toISOString();
  const errors: string[] = [];
  try {
    for (const section of sections.filter(({ name }) => options.sections.includes(name))) {
      if (interrupt.exitCode !== undefined) break;
      const rows: Row[] = [];
      try {
        rows.push(...(await run.play(section)));
      } catch (thrown) {
        if (interrupt.exitCode !== undefined) break;
        errors.push(`${section.name}: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}`);
        process.stderr.write(`${errors.at(-1)}\n`);
      }
      if (rows.length > 0) console.log(`\n${formatRows(rows)}`);
    }
  } finally {
    await run.close();
    interrupt.release();
  }
  if (interrupt.exitCode !== undefined) return interrupt.exitCode;
  const tookSeconds = Object.fromEntries(run.tookSeconds);
  if (options.jsonFile !== undefined) {
    const { quick, seed } = options;
    writeResult(options.jsonFile, { machine, command, at, quick, seed, tookSeconds, rows: run.rows, errors });
  }
  const losses = lossesOf(run.rows);
  const bounded = run.rows.filter(({ ok }) => ok !== undefined).length;
  console.log(`\n${describeMachine(machine)}\n${describeTimes(run.tookSeconds)}`);
  console.log(`${bounded - losses.length} of ${bounded} bounds are met; ${errors.length} sections broke`);
  if (errors.length > 0) return BROKEN;
  const exactOnly = options.quick || options.profile;
  return lossesOf(run.rows, exactOnly).length > 0 ? LOST : 0;
}

function describeTimes(tookSeconds: ReadonlyMap<string, number>): string {
  const each = [...tookSeconds].map(([section, seconds]) => `${section} ${seconds.toFixed(1)} s`);
  const all = [...tookSeconds.values()].reduce((a, b) => a + b, 0);
  return `${each.join(', ')}; ${all.toFixed(1)} s in all`;
}

process.exitCode = await main(process.argv.slice(2)).catch((thrown: unknown) => {
  console.error(thrown instanceof Error ? thrown.message : thrown);
  return BROKEN;
});
