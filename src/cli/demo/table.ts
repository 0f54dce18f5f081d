import { styleText } from 'node:util';
import type { ChangeFigures } from '../../node/demo/change-figures.js';
import type { PageData, PageLevel } from '../../node/page-data.js';
import { bytesText, countText, msText, percentText, spanText, transportText } from './figures-text.js';

/** What the table shows beside the figures of the page. */
export interface TableView {
  readonly page: PageData;
  readonly pageUrl: string;
  /** The present, in ms since the epoch. */
  readonly nowMs: number;
  readonly elapsedMs: number;
  /** When the run ends by itself; undefined: not before Ctrl-C. */
  readonly forMs: number | undefined;
  readonly feed: string;
  /** What others write to the database; undefined before anything is known of it. */
  readonly changes: ChangeFigures | undefined;
  readonly nodes: readonly {
    readonly name: string;
    readonly pid: number;
    readonly residentBytes: number | undefined;
  }[];
  /** Undefined: there is no Redis here. */
  readonly redis: RedisView | undefined;
}

export interface RedisView {
  readonly primaries: readonly { readonly port: number; readonly pid: number }[];
  /** Shards that do not answer. */
  readonly out: readonly string[];
}

type Style = Parameters<typeof styleText>[0];
/** Puts a style on a text, or, where there is no colour, does not. */
export type Paint = (style: Style, text: string) => string;

export const paintAnsi: Paint = (style, text) => styleText(style, text, { validateStream: false });
export const paintNothing: Paint = (_style, text) => text;

const LEVEL_NAMES: Readonly<Record<PageLevel['level'], string>> = {
  local: 'L1 local',
  distributed: 'L2 distributed',
  peer: 'L3 peer',
  sister: 'sister city',
  source: 'source',
};
const STATE_STYLES: Readonly<Record<PageLevel['state'], Style>> = {
  ok: 'green',
  degraded: 'yellow',
  out: 'red',
  none: 'gray',
};

/** The live table as lines of text, none of them longer than `width` characters. */
export function renderTable(view: TableView, width: number, paint: Paint): string[] {
  const lines = [
    ...head(view, paint),
    '',
    ...levels(view, paint),
    ...changeFeed(view, paint),
    '',
    ...processes(view, paint),
  ];
  return lines.map((line) => cut(line, width));
}

function head({ page, pageUrl, elapsedMs, forMs, feed }: TableView, paint: Paint): string[] {
  const { totals } = page;
  const time = `${spanText(elapsedMs)}${forMs === undefined ? '' : ` of ${spanText(forMs)}`}`;
  const failed = `${countText(totals.failedReads)} failed`;
  return [
    `${paint('bold', page.title)}   ${time}   ${feed}   ${paint('cyan', pageUrl)}`,
    [
      `${paint('bold', countText(totals.readsPerSecond))} reads/s`,
      totals.failedReads > 0 ? paint(['bold', 'red'], failed) : failed,
      `hit rate ${paint('bold', percentText(totals.hitRate))}`,
      `${countText(totals.writesPerSecond)} writes/s`,
      `${countText(totals.databaseQueriesPer1000Reads)} database queries per 1,000 reads`,
    ].join('   '),
  ];
}

function levels({ page, nowMs, redis }: TableView, paint: Paint): string[] {
  const columns = row(['level', 'state', 'hits/s', 'hit rate', 'p50', 'p99', '| all', 'p50', 'p99']);
  const lines = [paint('dim', columns)];
  for (const level of page.levels) {
    if (level.level === 'sister' && level.state === 'none') continue;
    const { now, overall, state } = level;
    lines.push(
      row([
        LEVEL_NAMES[level.level],
        [stateText(level, nowMs), (text) => paint(STATE_STYLES[state], text)],
        countText(level.hitsPerSecond),
        percentText(now.hitRate),
        msText(now.p50Ms),
        msText(now.p99Ms),
        percentText(overall.hitRate),
        msText(overall.p50Ms),
        msText(overall.p99Ms),
      ]),
    );
    if (level.level === 'distributed' && redis !== undefined && redis.out.length > 0) {
      lines.push(paint('red', `  no answer from ${redis.out.join(', ')}`));
    }
  }
  return lines;
}

function changeFeed({ changes }: TableView, paint: Paint): string[] {
  if (changes === undefined) return [];
  if (changes.reader === undefined) return [paint('yellow', `change feed    nobody reads: ${changes.lastError ?? ''}`)];
  const { reader, lagBytes, lagRows, deleted, deletedPatterns } = changes;
  const behind = lagRows === undefined ? bytesText(lagBytes ?? null) : `${countText(lagRows)} rows`;
  const counts = `${countText(changes.changes)} changes, ${countText(deleted + deletedPatterns)} invalidated`;
  return [`change feed    ${transportText(changes)}, read by ${reader}   ${counts}   ${behind} behind`];
}

/** `out 12 s`: how bad, and for how long. */
function stateText({ state, sinceMs }: PageLevel, nowMs: number): string {
  if (state === 'none') return 'not set up';
  if (state === 'ok' || sinceMs === null) return state;
  return `${state} ${spanText(nowMs - sinceMs)}`;
}

function processes({ page, nodes, redis }: TableView, paint: Paint): string[] {
  const lines = [paint('dim', 'node      pid       reads/s   entries   cached     memory')];
  for (const { name, pid, residentBytes } of nodes) {
    const node = page.nodes.find((one) => one.name === name);
    if (node === undefined) continue;
    const figures = [
      name.padEnd(10),
      String(pid).padEnd(8),
      countText(node.readsPerSecond).padStart(9),
      countText(node.entries).padStart(10),
      bytesText(node.sizeBytes).padStart(11),
      bytesText(residentBytes ?? null).padStart(11),
    ].join('');
    lines.push(node.ok ? figures : paint('red', `${figures}  does not answer`));
  }
  if (redis === undefined) return [...lines, paint('yellow', 'No Redis here: the demo runs without L2.')];
  const [first] = redis.primaries;
  const primaries = redis.primaries.map(({ port, pid }) => `${port} (pid ${pid})`).join(', ');
  lines.push('', `Redis primaries: ${primaries === '' ? 'none answers' : primaries}`);
  if (first !== undefined) {
    lines.push(
      paint('dim', `Try "kill ${first.pid}" elsewhere: L2 loses a shard, the reads go on. Ctrl-C ends the demo.`),
    );
  }
  return lines;
}

type Cell = string | readonly [text: string, paint: (text: string) => string];

const WIDTHS = [15, 15, 9, 9, 9, 9, 9, 9, 9];

/** Two columns of text and the rest of figures. Colour comes last, for it has no width. */
function row(cells: readonly Cell[]): string {
  return cells
    .map((cell, i) => {
      const [text, paint] = typeof cell === 'string' ? [cell, (plain: string) => plain] : cell;
      const width = WIDTHS[i] ?? 0;
      return paint(i < 2 ? text.padEnd(width) : text.padStart(width));
    })
    .join('');
}

// The escape character is what a terminal's colours begin with.
// biome-ignore lint/suspicious/noControlCharactersInRegex: see above
const STYLED = /\x1b\[[\d;]*m|[^\x1b]/gu;

/** A line that wraps would be two: the table could not be drawn over. */
function cut(line: string, width: number): string {
  let room = width;
  let isStyled = false;
  const kept = (line.match(STYLED) ?? []).filter((part) => {
    if (part.length > 1 && part.startsWith('\x1b')) {
      isStyled = true;
      return true;
    }
    room -= 1;
    return room >= 0;
  });
  return room >= 0 || !isStyled ? kept.join('') : `${kept.join('')}\x1b[0m`;
}
