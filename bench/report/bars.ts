/** A plot of horizontal bars as SVG: every bar with its name and its figure, and a line where its bound is. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** What is written behind the bar. */
  readonly figure: string;
  /** `ours` stands out; `lost` is ours and does not reach its bound. */
  readonly kind: 'ours' | 'lost' | 'other';
  readonly bound?: number;
}

const ROW_HEIGHT = 26;
const BAR_HEIGHT = 16;
const TITLE_HEIGHT = 34;
const LABEL_WIDTH = 330;
const PLOT_WIDTH = 330;
const FIGURE_WIDTH = 240;
const WIDTH = LABEL_WIDTH + PLOT_WIDTH + FIGURE_WIDTH;

/** Readable on white and on black: an SVG in a page follows what the reader prefers. */
const STYLE = `
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-weight: 600; font-size: 14px; }
    .ours { fill: #0a6e4f; } .lost { fill: #b3261e; } .other { fill: #8b949e; }
    .bound { stroke: #1f2328; stroke-width: 2; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .ours { fill: #3fb68b; } .lost { fill: #f2726a; } .other { fill: #6e7681; }
      .bound { stroke: #e6edf3; }
    }`;

/** @param title what is measured, its unit, and which end is the better one */
export function plotBars(title: string, bars: readonly Bar[]): string {
  const height = TITLE_HEIGHT + bars.length * ROW_HEIGHT + 6;
  const largest = Math.max(...bars.flatMap(({ value, bound }) => [value, bound ?? 0]), Number.MIN_VALUE);
  const widthOf = (value: number): number => Math.max(0, (PLOT_WIDTH * value) / largest);
  const rows = bars.map(({ label, value, figure, kind, bound }, i) => {
    const top = TITLE_HEIGHT + i * ROW_HEIGHT;
    const base = top + BAR_HEIGHT - 3;
    const end = Math.max(widthOf(value), bound === undefined ? 0 : widthOf(bound));
    return [
      `  <text x="${LABEL_WIDTH - 8}" y="${base}" text-anchor="end">${escapeText(label)}</text>`,
      `  <rect class="${kind}" x="${LABEL_WIDTH}" y="${top}" width="${round(Math.max(1, widthOf(value)))}" height="${BAR_HEIGHT}" rx="2"/>`,
      ...(bound === undefined ? [] : [boundLine(LABEL_WIDTH + widthOf(bound), top)]),
      `  <text x="${round(LABEL_WIDTH + end + 8)}" y="${base}">${escapeText(figure)}</text>`,
    ].join('\n');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeText(title)}">
  <style>${STYLE}
  </style>
  <text class="title" x="8" y="20">${escapeText(title)}</text>
${rows.join('\n')}
</svg>
`;
}

function boundLine(x: number, top: number): string {
  return `  <line class="bound" x1="${round(x)}" x2="${round(x)}" y1="${top - 3}" y2="${top + BAR_HEIGHT + 3}"/>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
