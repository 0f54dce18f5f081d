/** Shows what `/events` tells (PageData of page-data.ts). Text only ever goes in as text, never as markup. */

/** The server speaks each second; after this long without a word the numbers are called old. */
const SILENCE_MS = 5_000;
/** How long to wait when the server refused the stream, which an EventSource takes as final. */
const REFUSED_MS = 5_000;

const LEVELS = {
  local: ['Local', 'this process'],
  distributed: ['Distributed', 'Redis of the city'],
  peer: ['Peer', 'memory of other nodes'],
  sister: ['Sister', 'another city'],
  source: ['Source', 'database and services'],
};
const STATES = { ok: 'ok', degraded: 'degraded', out: 'out', none: 'not set up' };
const NONE = '–';

const byId = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

function count(value) {
  return value === null ? NONE : whole.format(value);
}

function rate(value) {
  return value !== null && value > 0 && value < 9.95 ? tenths.format(value) : count(value);
}

function percent(share) {
  if (share === null) return NONE;
  // 99.97 must not read as 100.
  const tenthPercents = share < 1 ? Math.min(999, Math.round(share * 1_000)) : 1_000;
  return `${tenths.format(tenthPercents / 10)} %`;
}

function milliseconds(ms) {
  if (ms === null) return NONE;
  if (ms < 0.001) return '< 1 µs';
  if (ms < 1) return `${whole.format(ms * 1_000)} µs`;
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  return ms < 1_000 ? `${whole.format(ms)} ms` : `${tenths.format(ms / 1_000)} s`;
}

function bytes(size) {
  if (size === null) return NONE;
  const mebibytes = size / 1_048_576;
  return mebibytes < 9.95 ? `${tenths.format(mebibytes)} MiB` : `${whole.format(mebibytes)} MiB`;
}

function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60)];
  if (minutes === 0) return `${seconds} s`;
  return hours === 0 ? `${minutes} min ${seconds % 60} s` : `${hours} h ${minutes % 60} min`;
}

const capitalized = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const time = (ms) => new Date(ms).toLocaleTimeString('en-GB');

/** Writes only what changed, so that a selection or a screen reader's place is not lost each second. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function make(tag, className = '', ...children) {
  const node = document.createElement(tag);
  if (className !== '') node.className = className;
  node.append(...children);
  return node;
}

/** One row per item, made anew only when there are other items than before. */
function rows(body, keys, makeRow) {
  const wanted = keys.join('\n');
  if (body.dataset.keys !== wanted) {
    body.dataset.keys = wanted;
    body.replaceChildren(...keys.map(makeRow));
  }
  return [...body.children];
}

/** A cell with a figure and, when `withSecond`, a smaller one below. */
function numberCell(withSecond) {
  const cell = make('td', 'number', make('span'));
  if (withSecond) cell.append(make('small'));
  return cell;
}

function setFigures(cell, first, second) {
  setText(cell.firstChild, first);
  if (second !== undefined) setText(cell.lastChild, second);
}

function headCell(...children) {
  const cell = make('th', '', ...children);
  cell.scope = 'row';
  return cell;
}

function setState(node, state, text) {
  node.className = state;
  setText(node, text);
}

function showTotals(totals) {
  const texts = {
    readsPerSecond: count(totals.readsPerSecond),
    writesPerSecond: count(totals.writesPerSecond),
    hitRate: percent(totals.hitRate),
    databaseQueriesPer1000Reads: rate(totals.databaseQueriesPer1000Reads),
    failedReads: count(totals.failedReads),
    staleServed: count(totals.staleServed),
  };
  for (const [name, text] of Object.entries(texts)) setText(document.querySelector(`[data-total="${name}"]`), text);
  document.querySelector('[data-total="failedReads"]').classList.toggle('bad', totals.failedReads > 0);
}

function showShares(levels) {
  const shares = levels.map(({ level, now }) => [level, now.hitRate ?? 0]);
  const bars = rows(
    byId('shares'),
    shares.map(([name]) => name),
    (name) => make('span', name),
  );
  for (const [index, [, share]] of shares.entries()) {
    bars[index].hidden = share < 0.0005;
    bars[index].style.flexBasis = `${share * 100}%`;
  }
}

function showLevels(levels, nowMs) {
  const made = rows(
    byId('levels'),
    levels.map(({ level }) => level),
    (level) => {
      const [name, what] = LEVELS[level] ?? [level, ''];
      const head = headCell(
        make('span', 'name', make('i', `swatch ${level}`), name),
        ' ',
        make('span', 'aside', what),
        make('small'),
      );
      return make('tr', '', head, ...[true, false, true, true].map(numberCell));
    },
  );
  for (const [index, { state, sinceMs, hitsPerSecond, now, overall }] of levels.entries()) {
    const [head, share, answers, p50, p99] = made[index].children;
    const isTrouble = state === 'degraded' || state === 'out';
    const since = isTrouble && sinceMs !== null ? ` for ${span(nowMs - sinceMs)}` : '';
    setState(head.lastChild, state, `${STATES[state]}${since}`);
    made[index].classList.toggle('absent', state === 'none');
    const known = (range) => percent(state === 'none' ? null : range.hitRate);
    setFigures(share, known(now), known(overall));
    setFigures(answers, rate(state === 'none' ? null : hitsPerSecond));
    setFigures(p50, milliseconds(now.p50Ms), milliseconds(overall.p50Ms));
    setFigures(p99, milliseconds(now.p99Ms), milliseconds(overall.p99Ms));
  }
}

function showNodes(nodes) {
  const made = rows(
    byId('nodes'),
    nodes.map(({ name }) => name),
    (name) => {
      const cells = [false, false, false, false].map(numberCell);
      return make('tr', '', headCell(make('span', 'name', name), make('small')), ...cells);
    },
  );
  for (const [index, node] of nodes.entries()) {
    const [head, reads, entries, memory, members] = made[index].children;
    setState(head.lastChild, node.ok ? 'ok' : 'out', node.ok ? node.address : `${node.address} does not answer`);
    setFigures(reads, rate(node.readsPerSecond));
    setFigures(entries, count(node.entries));
    setFigures(memory, bytes(node.sizeBytes));
    setFigures(members, node.members === null ? NONE : `${node.members}/${nodes.length}`);
  }
}

/** Lines are added and taken away one by one, so that a screen reader says only the new ones. */
function showLog(lines) {
  const list = byId('log');
  const wanted = new Set(lines.map(logKey));
  for (const row of [...list.children]) if (!wanted.has(row.dataset.key)) row.remove();
  const known = new Set([...list.children].map((row) => row.dataset.key));
  for (const line of [...lines].reverse()) if (!known.has(logKey(line))) list.prepend(makeLogRow(line));
  byId('log-empty').hidden = lines.length > 0;
}

const logKey = ({ atMs, text }) => `${atMs} ${text}`;

function makeLogRow(line) {
  const at = make('time', '', time(line.atMs));
  at.dateTime = new Date(line.atMs).toISOString();
  const row = make('li', '', at, make('span', '', line.text));
  row.dataset.key = logKey(line);
  return row;
}

function show(data) {
  const nowMs = Date.now();
  const { title, city, nodes, levels } = data;
  const nodesText = nodes.length === 1 ? '1 node' : `${nodes.length} nodes`;
  setText(byId('title'), title);
  setText(byId('subtitle'), `${capitalized(city)}, ${nodesText}, running for ${span(data.uptimeMs)}`);
  const out = levels.filter(({ state }) => state === 'out').map(({ level }) => LEVELS[level]?.[0] ?? level);
  document.title = out.length === 0 ? title : `${out.join(', ')} out: ${title}`;
  showTotals(data.totals);
  showShares(levels);
  showLevels(levels, nowMs);
  showNodes(nodes);
  showLog(data.log);
}

let lastEventMs;
let silence;

function setConnection(state, text) {
  const node = byId('connection');
  node.dataset.state = state;
  setText(node, text);
  byId('main').classList.toggle('old', state === 'lost' && lastEventMs !== undefined);
}

function lose() {
  const old = lastEventMs === undefined ? '' : ` The numbers below are from ${time(lastEventMs)}.`;
  setConnection('lost', `Connection lost.${old} Trying again.`);
}

function listen() {
  const events = new EventSource('events');
  events.onmessage = ({ data }) => {
    lastEventMs = Date.now();
    clearTimeout(silence);
    silence = setTimeout(lose, SILENCE_MS);
    show(JSON.parse(data));
    byId('main').setAttribute('aria-busy', 'false');
    setConnection('live', 'Live');
  };
  events.onerror = () => {
    clearTimeout(silence);
    lose();
    if (events.readyState !== EventSource.CLOSED) return;
    setTimeout(listen, REFUSED_MS);
  };
}

listen();
