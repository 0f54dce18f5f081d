/** `npm run chaos`: real processes, to which something happens while they are used. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { machineOf } from '../../bench/machine.js';
import { formatRows } from '../../bench/report/table.js';
import { lossesOf, type Row } from '../../bench/row.js';
import * as database from './database.js';
import * as outage from './outage.js';
import * as peers from './peers.js';

type Say = (text: string) => void;

const CAMPAIGNS: Readonly<Record<string, (quick: boolean, seed: number, say: Say) => Promise<readonly Row[]>>> = {
  peers: (quick, seed, say) => peers.playPeers(quick ? peers.QUICK : peers.FULL, seed, say),
  outage: (quick, seed, say) => outage.playOutage(quick ? outage.QUICK : outage.FULL, seed, say),
  database: (quick, seed, say) => database.playDatabase(quick ? database.QUICK : database.FULL, seed, say),
};

const HELP = `npm run chaos -- CAMPAIGN [options]

  peers        five nodes without Redis under load; one is killed, one freezes and thaws, one is added
  outage       2,000 of 20,000 trackers send what they kept for three hours, to three nodes, the newest first
  database     three nodes under load, whose database is away for a minute

  --quick      fewer keys, fewer reads, seconds instead of minutes; timings decide nothing, for CI
  --seed N     of the order of the keys
  --json FILE  writes the rows there

Exit code 1 when a bound is missed, 2 when it could not be played.`;

async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const [name = '', ...others] = positionals;
  const campaign = CAMPAIGNS[name];
  if (campaign === undefined || others.length > 0)
    throw new Error(`Name one campaign of ${Object.keys(CAMPAIGNS).join(', ')}, and not '${positionals.join(' ')}'.`);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new Error('--seed takes a whole number.');
  const [at, machine] = [new Date().toISOString(), machineOf()];
  const rows = await campaign(values.quick, seed, (text) => process.stderr.write(`${text}\n`));
  console.log(formatRows(rows));
  const command = `npm run chaos -- ${name}${values.quick ? ' --quick' : ''}${seed === 1 ? '' : ` --seed ${seed}`}`;
  const report = { machine, command, at, rows };
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  const lost = lossesOf(rows, values.quick);
  if (lost.length === 0) return;
  console.log(`\nNot met: ${lost.map(({ id }) => id).join(', ')}.`);
  process.exitCode = 1;
}

await main(process.argv.slice(2)).catch((thrown: unknown) => {
  console.error(thrown instanceof Error ? thrown.message : thrown);
  process.exitCode = 2;
});
