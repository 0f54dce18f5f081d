import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { bytesText, countText, msText, percentText, spanText } from '../../src/cli/demo/figures-text.js';
import { LiveScreen } from '../../src/cli/demo/screen.js';
import { paintAnsi, paintNothing, renderTable, type TableView } from '../../src/cli/demo/table.js';
import { changesOf, levelOf, pageOf } from './sample-page.js';

function viewOf(change: Partial<TableView> = {}): TableView {
  return {
    page: pageOf(),
    pageUrl: 'http://127.0.0.1:38081/',
    nowMs: 1_800_000_012_000,
    elapsedMs: 42_000,
    forMs: undefined,
    feed: '5,000 vehicles, 1,800 moving',
    changes: changesOf({ reader: 'node-2', transport: 'logical', changes: 1_234, deleted: 40, lagBytes: 0 }),
    nodes: [{ name: 'node-1', pid: 4_711, residentBytes: 104_857_600 }],
    redis: { primaries: [{ port: 7_001, pid: 123 }], out: [] },
    ...change,
  };
}

const textOf = (view: TableView) => renderTable(view, 200, paintNothing).join('\n');

describe('the table', () => {
  it('shows the rates, the page, the levels, the nodes and whom to kill', () => {
    const text = textOf(viewOf());
    expect(text).toContain('6,042 reads/s   0 failed   hit rate 97.6 %   82 writes/s');
    expect(text).toContain('7.2 database queries per 1,000 reads');
    expect(text).toContain('http://127.0.0.1:38081/');
    expect(text).toMatch(/L1 local +ok +1,234 +25\.0 % +500 us +12 ms/);
    expect(text).toMatch(/node-1 +4711 +2,000 +4,000 +2\.0 MiB +100 MiB/);
    expect(text).toContain('Redis primaries: 7001 (pid 123)');
    expect(text).toContain('"kill 123"');
  });

  it('says how bad a level is, for how long, and which of its shards do not answer', () => {
    const levels = [levelOf('distributed', { state: 'degraded', sinceMs: 1_800_000_000_000 })];
    const redis = { primaries: [], out: ['127.0.0.1:7001'] };
    const text = textOf(viewOf({ page: pageOf({ levels }), redis }));
    expect(text).toMatch(/L2 distributed degraded 12 s/);
    expect(text).toContain('no answer from 127.0.0.1:7001');
    expect(text).toContain('Redis primaries: none answers');
  });

  it('leaves a sister city out that there is not, and says when there is no Redis', () => {
    const text = textOf(viewOf({ redis: undefined }));
    expect(text).not.toContain('sister');
    expect(text).toContain('No Redis here');
  });

  it('says when the run will end, and which node does not answer', () => {
    const nodes = pageOf().nodes.map((node) => ({ ...node, ok: false }));
    const text = textOf(viewOf({ forMs: 90_000, page: pageOf({ nodes }) }));
    expect(text).toContain('42 s of 1 min 30 s');
    expect(text).toMatch(/node-1.*does not answer/);
  });

  it('says how the changes of the database come, to whom, and how far behind that is; or that nobody reads them', () => {
    expect(textOf(viewOf())).toMatch(
      /change feed +logical replication, read by node-2 +1,234 changes, 40 invalidated +0\.0 MiB behind/,
    );
    const outbox = changesOf({ reader: 'node-1', transport: 'outbox', lagRows: 3 });
    expect(textOf(viewOf({ changes: outbox }))).toMatch(/an outbox, read by node-1.*3 rows behind/);
    const lost = changesOf({ reader: undefined, state: 'connecting', lastError: 'no route to it' });
    expect(textOf(viewOf({ changes: lost }))).toMatch(/change feed +nobody reads: no route to it/);
    expect(textOf(viewOf({ changes: undefined }))).not.toContain('change feed');
  });

  it('is never wider than the terminal, colours not counted', () => {
    for (const width of [20, 60, 100]) {
      for (const line of renderTable(viewOf(), width, paintAnsi)) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with the escape character
        expect(line.replace(/\x1b\[[\d;]*m/g, '').length).toBeLessThanOrEqual(width);
      }
    }
  });
});

describe('figures', () => {
  it('are short, and unknown ones a dash', () => {
    expect([null, 0, 3, 7.26, 42.4, 12_345].map(countText)).toEqual(['-', '0', '3', '7.3', '42', '12,345']);
    expect([null, 0.0004, 0.25, 3.456, 99.6, 1_500].map(msText)).toEqual([
      '-',
      '<1 us',
      '250 us',
      '3.46 ms',
      '100 ms',
      '1.5 s',
    ]);
    expect([null, 0, 5_242_880, 1_073_741_824].map(bytesText)).toEqual(['-', '0.0 MiB', '5.0 MiB', '1,024 MiB']);
    expect([400, 59_000, 61_000, 7_260_000].map(spanText)).toEqual(['0 s', '59 s', '1 min 1 s', '2 h 1 min']);
  });

  it('never round a share up to all', () => {
    expect([null, 0, 0.5, 0.9999, 1].map(percentText)).toEqual(['-', '0.0 %', '50.0 %', '99.9 %', '100.0 %']);
  });
});

describe('a terminal', () => {
  const open = (rows: number) => {
    const terminal = Object.assign(
      new Writable({
        write(chunk, _encoding, done) {
          terminal.text += chunk;
          done();
        },
      }),
      { text: '', isTTY: true, columns: 80, rows },
    );
    return { terminal, screen: new LiveScreen(terminal, paintNothing) };
  };

  it('has the table drawn over in its place', () => {
    const { terminal, screen } = open(30);
    screen.draw(() => ['one', 'two']);
    screen.draw(() => ['three', 'four']);
    expect(terminal.text).toBe('one\x1b[K\ntwo\x1b[K\n\x1b[J\x1b[2Fthree\x1b[K\nfour\x1b[K\n\x1b[J');
  });

  it('has what happened printed above the table', () => {
    const { terminal, screen } = open(30);
    screen.draw(() => ['table']);
    terminal.text = '';
    screen.progress('something');
    expect(terminal.text.replace(/\d+\.\d/, 'TIME')).toBe('\x1b[1F\x1b[J   TIME s  something\ntable\n');
  });

  it('keeps the last table above what is printed after it', () => {
    const { terminal, screen } = open(30);
    screen.draw(() => ['table']);
    terminal.text = '';
    screen.leaveTable();
    screen.progress('the end');
    expect(terminal.text.replace(/\d+\.\d/, 'TIME')).toBe('   TIME s  the end\n');
  });

  it('gets no more lines than it has room to draw over', () => {
    const { terminal, screen } = open(3);
    screen.draw(() => ['one', 'two', 'three', 'four']);
    expect(terminal.text).not.toContain('three');
  });
});
