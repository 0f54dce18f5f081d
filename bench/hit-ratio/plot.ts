/** A plot of hit ratios as SVG: a line per workload and size, from LRU to the best that can be, and where ours lies. */

export interface PlotLine {
  readonly label: string;
  /** Per cent. */
  readonly ours: number;
  readonly lru: number;
  /** The best of those that ours is compared with. */
  readonly best: number | undefined;
  /** What nobody can pass who does not know the future. */
  readonly optimum: number | undefined;
}

const LINE_HEIGHT = 20;
const TOP = 56;
const LABEL_WIDTH = 220;
const PLOT_WIDTH = 600;
const WIDTH = LABEL_WIDTH + PLOT_WIDTH + 30;

const STYLE = `
    text { font: 12px system-ui, sans-serif; fill: #1f2328; }
    .title { font-weight: 600; font-size: 14px; }
    .grid { stroke: #d0d7de; } .range { stroke: #8b949e; stroke-width: 2; }
    .lru { fill: #8b949e; } .best { fill: none; stroke: #9a6700; stroke-width: 2; } .ours { fill: #0a6e4f; }
    .optimum { stroke: #1f2328; stroke-width: 2; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .grid { stroke: #30363d; } .ours { fill: #3fb68b; } .best { stroke: #d29922; } .optimum { stroke: #e6edf3; }
    }`;

export function plotHitRatios(lines: readonly PlotLine[]): string {
  const height = TOP + lines.length * LINE_HEIGHT + 12;
  const x = (percent: number): number => Math.round((LABEL_WIDTH + (PLOT_WIDTH * percent) / 100) * 10) / 10;
  const grid = [0, 25, 50, 75, 100].map(
    (percent) =>
      `  <line class="grid" x1="${x(percent)}" x2="${x(percent)}" y1="${TOP - 12}" y2="${height - 8}"/>` +
      `<text x="${x(percent)}" y="${TOP - 16}" text-anchor="middle">${percent} %</text>`,
  );
  const rows = lines.map(({ label, ours, lru, best, optimum }, i) => {
    const y = TOP + i * LINE_HEIGHT + 6;
    const end = Math.max(ours, lru, best ?? 0, optimum ?? 0);
    return [
      `  <text x="${LABEL_WIDTH - 10}" y="${y + 4}" text-anchor="end">${label}</text>`,
      `<line class="range" x1="${x(Math.min(lru, ours))}" x2="${x(end)}" y1="${y}" y2="${y}"/>`,
      ...(optimum === undefined
        ? []
        : [`<line class="optimum" x1="${x(optimum)}" x2="${x(optimum)}" y1="${y - 6}" y2="${y + 6}"/>`]),
      `<rect class="lru" x="${x(lru) - 4}" y="${y - 4}" width="8" height="8"/>`,
      `<circle class="ours" cx="${x(ours)}" cy="${y}" r="5"/>`,
      ...(best === undefined ? [] : [`<circle class="best" cx="${x(best)}" cy="${y}" r="7"/>`]),
    ].join('');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="hit ratios">
  <style>${STYLE}
  </style>
  <text class="title" x="8" y="20">Hit ratio: ours (dot), LRU (square), the best of its rivals (ring), the optimum (bar)</text>
${[...grid, ...rows].join('\n')}
</svg>
`;
}
