/** Reports as a page of the documentation. */
import type { Report, Row } from './report.js';
import { tableOf } from './table.js';

const HEAD = `# Coherence, measured

Written by \`npm run coherence -- --from ... --markdown docs/coherence.md\` from the reports in \`bench/results\`; do not edit.

Each scenario plays on real Redis servers, ours and every other cache through the same adapter interface
(\`test/coherence/subjects\`, one file each). *single*: one Redis; *cluster*: a Redis Cluster of three primaries and three
replicas; *peers*: the same, and the memory of the nodes as a third level. The others play on one Redis, or on the cluster where
the scenario is about it. \`ok\`: it holds. \`FAIL\`: it is broken (\`2/20\`: in 2 of 20 runs). \`n/a\`: the library has no word for
what is asked. \`-\`: not played.`;

export function pageOf(reports: readonly Report[]): string {
  return `${[HEAD, ...reports.map(sectionOf)].join('\n\n')}\n`;
}

function sectionOf({ machine, command, at, rows }: Report): string {
  const { cpu, cores, os, node } = machine;
  const { columns, lines, notes } = tableOf(rows);
  const head = ['', 'scenario', ...columns];
  const table = [head, head.map(() => '---'), ...lines.map(({ id, title, cells }) => [id, title, ...cells])].map(
    (cells) => `| ${cells.map(escaped).join(' | ')} |`,
  );
  const told = notes.map(({ id, column, cell, note }) => `- **${id}** ${column}: ${cell}. ${escaped(note)}`);
  return [
    `## ${at.slice(0, 10)}: \`${command}\``,
    `On ${cores} cores of ${cpu}, ${os}, Node ${node}. ${versionsOf(rows)}`,
    table.join('\n'),
    `<details><summary>What each cell says</summary>\n\n${told.join('\n')}\n\n</details>`,
  ].join('\n\n');
}

function versionsOf(rows: readonly Row[]): string {
  const versions = new Set(rows.map(({ subject, version }) => `${subject} ${version}`));
  return `${[...versions].join(', ')}.`;
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
