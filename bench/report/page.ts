/** `npm run bench -- report`: docs/benchmarks.md and its plots out of the committed results. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeMachine } from '../machine.js';
import { type Result, readResults } from '../result.js';
import { OURS, type Row } from '../row.js';
import { type Bar, plotBars } from './bars.js';
import { figureOf, formatNumber, labelOf, spreadText, verdictOf } from './table.js';

/** Where pages and plots go, relative to the root of the repository. */
const PAGE = join('docs', 'benchmarks.md');
const PLOTS = join('docs', 'benchmarks');
const RESULTS = join('bench', 'results');

const INTRODUCTION = `# Benchmarks

This page is made by \`npm run bench -- report\` out of the results in \`bench/results/\`. Run them yourself with
\`npm run bench\`, or one section with \`npm run bench -- l2\`; \`npm run bench -- --help\` says what there is.

A figure is the median of several rounds, in which all subjects run once each in a shuffled order, each in a process of
its own; the range in brackets is from the lowest to the highest round. Ratios are ratios of medians, and say how many
times better ours is (or, where it says "at most", how many times more ours takes). The line across a bar is the bound
that it has to reach. What is lost is printed like what is won. Client and servers share one machine, so the ratios hold
better elsewhere than the absolute figures.
`;

/** One section of one run: the newest that there is. */
interface Part {
  readonly section: string;
  readonly result: Result;
  readonly rows: readonly Row[];
}

export interface Page {
  readonly text: string;
  /** By file name. */
  readonly plots: ReadonlyMap<string, string>;
}

/** Reads the results, and writes the page and its plots in place of those that were there. */
export function writePage(root: string): string {
  // What `npm run coherence` wrote lies there too, and has a page of its own.
  const results = readResults(join(root, RESULTS)).filter(
    ({ quick, command }) => !quick && command.startsWith('npm run bench'),
  );
  if (results.length === 0)
    throw new Error(`There is no result of a full run in ${RESULTS}: run npm run bench -- --json FILE.`);
  const { text, plots } = makePage(results, (section) => existsSync(join(root, RESULTS, `${section}.svg`)));
  rmSync(join(root, PLOTS), { recursive: true, force: true });
  mkdirSync(join(root, PLOTS), { recursive: true });
  for (const [name, plot] of plots) writeFileSync(join(root, PLOTS, name), plot);
  writeFileSync(join(root, PAGE), text);
  return PAGE;
}

/**
 * @param results the oldest first
 * @param hasPlot whether a section has drawn one plot of all that it has to say, beside its results
 */
export function makePage(results: readonly Result[], hasPlot: (section: string) => boolean = () => false): Page {
  const plots = new Map<string, string>();
  const sections = partsOf(results).map((part) => sectionText(part, plots, hasPlot(part.section)));
  return { text: [INTRODUCTION, ...sections].join('\n'), plots };
}

function partsOf(results: readonly Result[]): Part[] {
  const parts = new Map<string, Part>();
  for (const result of results) {
    for (const section of new Set(result.rows.map((row) => row.section))) {
      parts.set(section, { section, result, rows: result.rows.filter((row) => row.section === section) });
    }
  }
  return [...parts.values()];
}

function sectionText({ section, result, rows }: Part, plots: Map<string, string>, hasPlot: boolean): string {
  const { machine, command, at } = result;
  const lines = [`## ${section}`, '', `\`${command}\`, ${at.slice(0, 10)}: ${describeMachine(machine)}.`, ''];
  const bounded = rows.filter(({ subject, bound, against }) => subject === OURS && (bound ?? against) !== undefined);
  if (bounded.length > 0) {
    lines.push('| measure | ours | rounds | bound | |', '|---|---|---|---|---|', ...bounded.map(boundLine), '');
  }
  if (hasPlot) return [...lines, `![${section}](../bench/results/${section}.svg)`, ''].join('\n');
  const ratios = bounded.filter(({ unit }) => unit === 'x');
  if (ratios.length > 0) {
    lines.push(
      addPlot(plots, `${section}-ratios`, `${section}: ratios, the line is the bound`, ratios.map(ratioBar)),
      '',
    );
  }
  for (const id of new Set(rows.filter(({ unit }) => unit !== 'x').map((row) => row.id))) {
    const own = rows.filter((row) => row.id === id && row.unit !== 'x');
    const first = own[0];
    if (first === undefined || own.length < 2) continue;
    const title = `${id}, ${first.unit} (${first.better} is better)`;
    lines.push(addPlot(plots, id.replaceAll('.', '-'), title, own.map(measuredBar)), '');
  }
  return lines.join('\n');
}

function boundLine(row: Row): string {
  const name = row.against === undefined ? row.id : `${row.id}, against ${row.against}`;
  const cells = [
    row.note === undefined ? name : `${name} (${row.note})`,
    figureOf(row),
    spreadText(row),
    boundText(row),
    row.ok === undefined ? '' : row.ok ? 'ok' : '**LOSS**',
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function boundText({ better, bound }: Row): string {
  if (bound === undefined) return '';
  return `${better === 'higher' ? 'at least' : 'at most'} ${formatNumber(bound)}`;
}

function addPlot(plots: Map<string, string>, name: string, title: string, bars: readonly Bar[]): string {
  const file = `${name}.svg`;
  plots.set(file, plotBars(title, bars));
  return `![${title}](benchmarks/${file})`;
}

function ratioBar(row: Row): Bar {
  return {
    label: row.against === undefined ? row.id : `${row.id} / ${row.against}`,
    value: row.value,
    figure: `${figureOf(row)}   ${verdictOf(row)}`,
    kind: row.ok === false ? 'lost' : 'ours',
    ...(row.bound !== undefined && { bound: row.bound }),
  };
}

function measuredBar(row: Row): Bar {
  const label = labelOf(row);
  return {
    label: row.subject === OURS && row.note !== undefined && row.bound === undefined ? `${label}, ${row.note}` : label,
    value: row.value,
    figure: `${figureOf(row)} ${verdictOf(row)}`.trimEnd(),
    kind: !row.subject.startsWith(OURS) ? 'other' : row.ok === false ? 'lost' : 'ours',
    ...(row.bound !== undefined && { bound: row.bound }),
  };
}
