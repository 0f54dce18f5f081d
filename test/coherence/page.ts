/** A report as a page of the documentation. */
import type { Report, Row } from './report.js';
import { tableOf } from './table.js';

const HEAD = `# Coherence, measured

What each cache does in the situations that decide whether it is right. Every scenario plays on real Redis servers, and every
cache plays through the same adapter interface (\`test/coherence/subjects\`, a file each), with the options that its own
documentation recommends. *single*: one Redis; *cluster*: a Redis Cluster of three primaries and three replicas; *peers*: the same,
and the memory of the nodes as a third level; *peers-only*: that memory, and no Redis at all; *gutter*: as *peers*, and every node is cut
off from Redis as soon as it has started. The last two play what has a meaning without Redis. The others play on one Redis, or on the cluster where the scenario is about it.

\`ok\`: it holds. \`FAIL\`: it is broken (\`FAIL 2/20\`: in 2 of 20 runs). \`n/a\`: the library has no word for what is asked. \`-\`:
not played. What each cell says in detail stands below the table.

This page is written by \`npm run coherence -- --from FILES --markdown docs/coherence.md\`, not by hand; the rows are in
\`bench/results/coherence.json\`.`;

export function pageOf({ machine, command, at, rows }: Report): string {
  const { cpu, cores, os, node } = machine;
  const { columns, lines, notes } = tableOf(rows);
  const head = ['', 'scenario', ...columns];
  const table = [head, head.map(() => '---'), ...lines.map(({ id, title, cells }) => [id, title, ...cells])].map(
    (cells) => `| ${cells.map(escaped).join(' | ')} |`,
  );
  const told = notes.map(({ id, column, cell, note }) => `- **${id}** ${column}: ${cell}. ${escaped(note)}`);
  return `${[
    HEAD,
    `${at.slice(0, 10)}, ${cores} cores of ${cpu}, ${os}, Node ${node}. ${versionsOf(rows)}`,
    `\`\`\`sh\n${command}\n\`\`\``,
    table.join('\n'),
    `## In detail\n\n${told.join('\n')}`,
  ].join('\n\n')}\n`;
}

function versionsOf(rows: readonly Row[]): string {
  const versions = new Set(rows.map(({ subject, version }) => `${subject} ${version}`));
  return `${[...versions].join(', ')}.`;
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
