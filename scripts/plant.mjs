/**
 * Breaks the code on purpose, one way at a time, and fails if no test notices: tests of tests. The bugs are data, in
 * plant/. Each is planted in a copy of the working tree; the tests that should catch it must be green
 * without it and red with it. A bug whose text is not there exactly once is an error: the list has to be kept true.
 *
 *   npm run plant -- [--only ID,ID] [--json FILE]
 */
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch, cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bugs } from './plant/bugs.mjs';

const root = join(import.meta.dirname, '..');
/** A run of tests that takes longer hangs. */
const runLimitMs = 240_000;
const workers = 2;

const help = `npm run plant -- [options]

Breaks the code in ${bugs.length} known ways, one at a time in a scratch copy, and fails if no test turns red.

  --only ID,ID  only these bugs
  --json FILE   writes the rows there`;

const { values: options } = parseArgs({
  options: { only: { type: 'string' }, json: { type: 'string' }, help: { type: 'boolean' } },
});
if (options.help) {
  console.log(help);
  process.exit();
}
const wanted = chosen(options.only);
checkPlaces(wanted);

const copies = Array.from({ length: workers }, () => mkdtempSync(join(tmpdir(), 'fleetflow-cache-plant-')));
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());
const startedMs = performance.now();
try {
  for (const copy of copies) copyTree(copy);
  await checkGreen();
  const results = await plantAll();
  report(results);
} catch (error) {
  console.error(`plant: ${error.message}`);
  process.exitCode = 1;
} finally {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
}

function chosen(only) {
  if (only === undefined) return bugs;
  const ids = only.split(',');
  const unknown = ids.find((id) => bugs.every((bug) => bug.id !== id));
  if (unknown === undefined) return bugs.filter(({ id }) => ids.includes(id));
  console.error(`There is no bug ${unknown}; there are ${bugs.map(({ id }) => id).join(', ')}.`);
  process.exit(2);
}

/** Every bug must find its place, and every file of tests must be there, before anything is run. */
function checkPlaces(some) {
  const wrong = some.flatMap(({ id, file, find, tests }) => {
    const path = join(root, file);
    const times = existsSync(path) ? readFileSync(path, 'utf8').split(find).length - 1 : 0;
    const missing = tests.filter((test) => !existsSync(join(root, test)));
    return [
      ...(times === 1 ? [] : [`${id}: its text is in ${file} ${times} times, not once: ${JSON.stringify(find)}`]),
      ...missing.map((test) => `${id}: there is no ${test}`),
    ];
  });
  if (wrong.length === 0) return;
  console.error(`The planted bugs do not fit the code any more; mend scripts/plant/:\n  ${wrong.join('\n  ')}`);
  process.exit(1);
}

/** What git knows of, and what it does not ignore; the packages are shared. */
function copyTree(copy) {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const files = list
    .split('\0')
    .filter((file) => file !== '' && file !== 'node_modules' && existsSync(join(root, file)));
  for (const file of files) cpSync(join(root, file), join(copy, file));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
}

/** A test that fails anyway catches nothing. */
async function checkGreen() {
  const names = [...new Set(wanted.map(({ only }) => only))];
  for (const name of names) {
    const some = wanted.filter(({ only }) => only === name);
    await checkGreenOnes([...new Set(some.flatMap(({ tests }) => tests))], name);
  }
}

async function checkGreenOnes(tests, only) {
  const { failed, problem } = await runTests(copies[0], tests, named(only));
  if (problem !== undefined) throw new Error(`the tests do not run without any bug planted: ${problem}`);
  if (failed.length > 0) throw new Error(`tests fail without any bug planted: ${failed.join('; ')}`);
}

/** What needs servers is run by one worker alone: each run starts its own, and together they would be slow. */
async function plantAll() {
  const lanes = [wanted.filter(({ servers }) => servers === true), wanted.filter(({ servers }) => servers !== true)];
  const results = new Map();
  await Promise.all(
    copies.map(async (copy, i) => {
      for (;;) {
        const bug = lanes[i]?.shift() ?? lanes[1].shift();
        if (bug === undefined || stop.signal.aborted) return;
        const result = await plant(copy, bug);
        results.set(bug, result);
        console.log(line(bug, result));
      }
    }),
  );
  stop.signal.throwIfAborted();
  return wanted.map((bug) => ({ bug, result: results.get(bug) }));
}

async function plant(copy, { file, find, replace, tests, only }) {
  const path = join(copy, file);
  const sound = readFileSync(path, 'utf8');
  const beganMs = performance.now();
  // Not as a pattern, in which a `$` would mean something.
  writeFileSync(
    path,
    sound.replace(find, () => replace),
  );
  try {
    const { failed, problem } = await runTests(copy, tests, ['--bail=1', ...named(only)]);
    const caught = problem === undefined && failed.length > 0;
    return { caught, by: caught ? failed[0] : (problem ?? 'nothing'), ms: performance.now() - beganMs };
  } finally {
    writeFileSync(path, sound);
  }
}

function named(only) {
  return only === undefined ? [] : ['-t', only];
}

/** The names of the tests that failed; or the problem, when it did not come to tests. */
function runTests(copy, tests, flags) {
  const output = join(copy, 'plant-report.json');
  rmSync(output, { force: true });
  const vitest = join(copy, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', ...tests, '--reporter=json', `--outputFile=${output}`, ...flags];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      {
        cwd: copy,
        signal: stop.signal,
        timeout: runLimitMs,
        maxBuffer: 64 * 1024 * 1024,
        env: { ...process.env, CI: '1' },
      },
      (error, stdout, stderr) => {
        if (!existsSync(output)) {
          const why = error?.killed === true ? `no end within ${runLimitMs} ms` : (stderr || stdout).trim().slice(-500);
          resolve({ failed: [], problem: why });
          return;
        }
        const { testResults } = JSON.parse(readFileSync(output, 'utf8'));
        const all = testResults.flatMap(({ assertionResults }) => assertionResults);
        const failed = all.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
        // A file that cannot even be read says nothing about the bug: the planted text is wrong.
        const broken = testResults.find(
          ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
        );
        const ran = all.filter(({ status }) => status === 'passed' || status === 'failed');
        const problem =
          broken !== undefined ? `${broken.name}: ${broken.message}` : ran.length === 0 ? 'no test ran' : undefined;
        resolve({ failed, problem: failed.length > 0 ? undefined : problem });
      },
    );
  });
}

function line({ id, file, tests }, { caught, by, ms }) {
  const names = tests.map((test) => test.replace(/^.*\//, '')).join(' ');
  const seconds = `${(ms / 1000).toFixed(1)} s`;
  return [
    caught ? 'caught  ' : 'SURVIVES',
    id.padEnd(width(({ id: one }) => one)),
    file.padEnd(width((bug) => bug.file)),
    names.padEnd(width((bug) => bug.tests.map((test) => test.replace(/^.*\//, '')).join(' '))),
    seconds.padStart(7),
    by.replace(/\s+/g, ' ').slice(0, 110),
  ].join('  ');
}

function width(of) {
  return Math.max(...wanted.map((bug) => of(bug).length));
}

function report(results) {
  const survivors = results.filter(({ result }) => !result.caught);
  for (const { bug, result } of survivors) console.error(`SURVIVES: ${bug.id} (${bug.what}): ${result.by}`);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  console.log(`plant: ${results.length - survivors.length} of ${results.length} bugs caught in ${seconds} s`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rowsOf(results), null, 2)}\n`);
  if (survivors.length > 0) process.exitCode = 1;
}

function rowsOf(results) {
  return {
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryMiB: Math.round(totalmem() / 1_048_576),
      arch: arch(),
      node: process.version,
    },
    command: `npm run plant -- ${process.argv.slice(2).join(' ')}`.trim(),
    at: new Date().toISOString(),
    rows: results.map(({ bug, result }) => ({
      section: 'plant',
      id: bug.id,
      subject: 'fleetflow-cache',
      value: Math.round(result.ms),
      unit: 'ms',
      ok: result.caught,
      what: bug.what,
      file: bug.file,
      tests: bug.tests,
      caughtBy: result.by,
    })),
  };
}
