import { parseArgs } from 'node:util';
import { scenarios } from './scenarios.js';
import { OURS, subjectNames } from './subjects.js';

export interface Options {
  readonly ids: readonly string[];
  readonly subjects: readonly string[];
  /** Of ours; all when empty. */
  readonly shapes: readonly string[];
  readonly repeat: number;
  readonly jsonFile: string | undefined;
}

export const HELP = `npm run coherence -- [options]

  --only S1,S2          these scenarios; all when left out
  --subjects ours,NAME  these libraries; all when left out: ours, ${subjectNames.slice(1).join(', ')}
  --shapes single,peers these shapes of ours; all when left out: single, cluster, peers
  --repeat N            plays each N times; one time that fails is a failure
  --quick               ours on one Redis, the fast scenarios: for CI
  --json FILE           writes the rows there`;

/** @throws Error that says what is wrong with the command line */
export function readOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      subjects: { type: 'string' },
      shapes: { type: 'string' },
      repeat: { type: 'string', default: '1' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const repeat = Number(values.repeat);
  if (!(Number.isInteger(repeat) && repeat >= 1)) throw new Error('--repeat takes a number from 1 on.');
  const known = scenarios.filter(({ quick }) => quick || !values.quick).map(({ id }) => id);
  return {
    ids: known.filter((id) =>
      pick(
        values.only,
        scenarios.map((one) => one.id),
        'scenario',
      ).includes(id),
    ),
    subjects: values.quick ? [OURS] : pick(values.subjects?.replace(/\bours\b/, OURS), subjectNames, 'subject'),
    shapes: values.quick ? ['single'] : pick(values.shapes, ['single', 'cluster', 'peers'], 'shape'),
    repeat,
    jsonFile: values.json,
  };
}

function pick(given: string | undefined, known: readonly string[], what: string): readonly string[] {
  if (given === undefined) return known;
  const names = given.split(',');
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`There is no ${what} ${unknown}; there are ${known.join(', ')}.`);
  return known.filter((name) => names.includes(name));
}
