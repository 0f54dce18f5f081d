import { parseArgs } from 'node:util';
import { OURS } from './row.js';
import { sections } from './sections.js';

export interface Options {
  readonly sections: readonly string[];
  /** Besides ours; everybody when undefined. */
  readonly subjects: readonly string[] | undefined;
  readonly quick: boolean;
  readonly profile: boolean;
  readonly seed: number;
  readonly jsonFile: string | undefined;
}

/** What is run by its name beside the sections: makes the page out of the results. */
const REPORT = 'report';

/** The others, by the names that their variants begin with. */
const OTHERS = [
  'lru-cache',
  'bentocache',
  'cacheable',
  'cache-manager',
  'layered-loader',
  'node-redis',
  'ioredis',
  'undici',
  'framed TCP',
  'no cache',
];

export const HELP = `npm run bench -- [SECTION...] [options]
npm run bench -- report        makes docs/benchmarks.md and its plots out of bench/results/*.json

${sections.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join('\n')}

  --quick               everything smaller and shorter; timings decide nothing: only errors fail, and what is counted
  --subjects A,B        measure ours beside these: ${OTHERS.join(', ')}
  --json FILE           writes the rows there
  --profile             says in which functions of ours the time goes; the figures of such a run mean nothing
  --seed N              of the order of runs and of the keys

Exit code 1 when ours misses a bound, 2 when something could not be measured.`;

/** @throws Error that says what is wrong with the command line */
export function readOptions(args: readonly string[]): Options | 'help' | 'report' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      subjects: { type: 'string' },
      quick: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  if (positionals.length === 1 && positionals[0] === REPORT) return 'report';
  const names = sections.map(({ name }) => name);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new Error('--seed takes a whole number.');
  return {
    sections: positionals.length === 0 ? names : pick(positionals, names, 'section'),
    subjects:
      values.subjects === undefined
        ? undefined
        : pick(values.subjects.split(','), [OURS, 'ours', ...OTHERS], 'subject'),
    quick: values.quick,
    profile: values.profile,
    seed,
    jsonFile: values.json,
  };
}

function pick(names: readonly string[], known: readonly string[], what: string): readonly string[] {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`There is no ${what} ${unknown}; there are ${known.join(', ')}.`);
  return known.filter((name) => names.includes(name));
}
