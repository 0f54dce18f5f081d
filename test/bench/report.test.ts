import { describe, expect, it } from 'vitest';
import { plotBars } from '../../bench/report/bars.js';
import { makePage } from '../../bench/report/page.js';
import { formatNumber, formatRows } from '../../bench/report/table.js';
import type { Result } from '../../bench/result.js';
import { boundedRow, type Row } from '../../bench/row.js';

const machine = { cpu: 'a processor', cores: 2, memoryMiB: 1, arch: 'x64', node: 'v20.0.0', loadBefore: 0.1 };
const measured = { section: 'l1', id: 'l1.peek', unit: 'ns', better: 'lower' } as const;
const rows: readonly Row[] = [
  { ...measured, subject: 'fleetflow-cache', value: 100, low: 90, high: 120 },
  { ...measured, subject: 'lru-cache <ttl>', value: 120 },
  boundedRow({
    ...measured,
    subject: 'fleetflow-cache',
    against: 'lru-cache <ttl>',
    value: 1.2,
    unit: 'x',
    better: 'higher',
    bound: 1.5,
  }),
];
const result = (at: string, given = rows): Result => ({
  machine,
  command: 'npm run bench -- l1',
  at,
  quick: false,
  seed: 1,
  tookSeconds: { l1: 1 },
  rows: given,
  errors: [],
});

describe('the table', () => {
  it('has a line per row, with the spread, the bound and the loss', () => {
    const lines = formatRows(rows).split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/l1\.peek +fleetflow-cache +100 ns +\(90 to 120\)/);
    expect(lines[2]).toMatch(/fleetflow-cache against lru-cache <ttl> +1\.2 x +>= 1\.5 LOSS$/);
  });

  it('writes numbers with three digits', () => {
    expect([0, 0.01234, 1.234, 12.34, 123.4, 123_456].map(formatNumber)).toEqual([
      '0',
      '0.0123',
      '1.23',
      '12.3',
      '123',
      '123,456',
    ]);
  });
});

describe('a plot', () => {
  it('has a bar with a name and a figure for each, the bound, and colours for light and dark', () => {
    const plot = plotBars('peek & more', [
      { label: 'a <b>', value: 2, figure: '2 x', kind: 'lost', bound: 3 },
      { label: 'c', value: 4, figure: '4 x', kind: 'other' },
    ]);
    expect(plot.match(/<rect/g)).toHaveLength(2);
    expect(plot.match(/<line/g)).toHaveLength(1);
    expect(plot).toContain('a &lt;b&gt;');
    expect(plot).toContain('peek &amp; more');
    expect(plot).toContain('prefers-color-scheme: dark');
    expect(plot).not.toMatch(/NaN|Infinity/);
  });
});

describe('the page', () => {
  it('names the machine and the command, shows losses, and refers to each plot once', () => {
    const { text, plots } = makePage([result('2026-01-01T00:00:00Z')]);
    expect(text).toContain('`npm run bench -- l1`');
    expect(text).toContain('a processor, 2 cores, Node v20.0.0');
    expect(text).toContain('**LOSS**');
    expect([...plots.keys()]).toEqual(['l1-ratios.svg', 'l1-peek.svg']);
    for (const file of plots.keys()) expect(text.split(`(benchmarks/${file})`)).toHaveLength(2);
  });

  it('takes the newest run of each section', () => {
    const older = result('2026-01-01T00:00:00Z');
    const newer = result('2026-02-01T00:00:00Z', [{ ...(rows[0] as Row), section: 'l2', id: 'l2.get' }]);
    const { text } = makePage([older, newer]);
    expect(text).toContain('## l1');
    expect(text).toContain('## l2');
    const again = makePage([older, result('2026-03-01T00:00:00Z', [{ ...(rows[0] as Row), value: 7 }])]);
    expect(again.text).toContain('2026-03-01');
    expect(again.text).not.toContain('2026-01-01');
  });
});
