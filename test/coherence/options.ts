import { parseArgs } from 'node:util';
import type { Effort } from './effort.js';
import { scenarios } from './scenarios.js';
import { SHAPES } from './subject.js';
import { OURS, subjectNames } from './subjects.js';

export interface Options {
  readonly ids: readonly string[];
  readonly subjects: readonly string[];
  /** Of ours; all when empty. */
  readonly shapes: readonly string[];
  readonly repeat: number;
  readonly effort: Effort;
  readonly jsonFile: string | undefined;
  readonly markdownFile: string | undefined;
  /** Reports of earlier runs, to be shown instead of playing. */
  readonly from: readonly string[] | undefined;
}

export const HELP = `npm run coherence -- [options]

  --only S1,S2          these scenarios; all when left out
  --subjects ours,NAME  these libraries; all when left out: ours, ${subjectNames.slice(1).join(', ')}
  --shapes single,peers these shapes of ours; all when left out: ${SHAPES.join(', ')}
  --repeat N            plays each N times; one time that fails is a failure, and the largest number counts
  --writes N            writes of the scenarios that lose many (S23, S25); when left out, 100,000 and 200,000
  --quick               ours only, a choice of scenarios in little more than a minute: for CI
  --json FILE           writes the rows there
  --markdown FILE       writes the table there
  --from A.json,B.json  plays nothing, and joins what earlier runs wrote; of what was played twice the later file counts`;

/** Writes that the quick form loses. */
const QUICK_WRITES = 6_000;

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
      markdown: { type: 'string' },
      from: { type: 'string' },
      writes: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const isQuick = values.quick;
  const known = scenarios.filter(({ quick }) => !isQuick || quick !== undefined).map(({ id }) => id);
  return {
    ids: known.filter((id) =>
      pick(
        values.only,
        scenarios.map((one) => one.id),
        'scenario',
      ).includes(id),
    ),
    subjects: isQuick ? [OURS] : pick(values.subjects?.replace(/\bours\b/, OURS), subjectNames, 'subject'),
    shapes: pick(values.shapes, SHAPES, 'shape'),
    repeat: count(values.repeat, 'repeat'),
    effort: {
      isQuick,
      writes: values.writes === undefined ? (isQuick ? QUICK_WRITES : undefined) : count(values.writes, 'writes'),
    },
    jsonFile: values.json,
    markdownFile: values.markdown,
    from: values.from?.split(','),
  };
}

function count(given: string, option: string): number {
  const number = Number(given);
  if (Number.isInteger(number) && number >= 1) return number;
  throw new Error(`--${option} takes a number from 1 on, not ${given}.`);
}

function pick(given: string | undefined, known: readonly string[], what: string): readonly string[] {
  if (given === undefined) return known;
  const names = given.split(',');
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`There is no ${what} ${unknown}; there are ${known.join(', ')}.`);
  return known.filter((name) => names.includes(name));
}
