import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CLOCK, LRU, players } from '../hit-ratio/players.js';
import { type PlotLine, plotHitRatios } from '../hit-ratio/plot.js';
import { type Reference, readTraces } from '../hit-ratio/traces.js';
import { generatedWorkloads, type Workload } from '../hit-ratio/workloads.js';
import { boundedRow, OURS, type Row } from '../row.js';
import type { Bench, Section } from '../section.js';

const SECTION = 'hit-ratio';
const PLOT = join('bench', 'results', 'hit-ratio.svg');
/** Points, against the best and against each. */
const BELOW_BEST_MAX = 1;
const BELOW_ANY_MAX = 5;
const ABOVE_LRU_LEAST = 5;

interface Played {
  readonly rows: readonly Row[];
  readonly line: PlotLine;
  /** Points. */
  readonly overLru: number;
  readonly overBest: number;
}

async function run(bench: Bench): Promise<Row[]> {
  const traces = readTraces(bench.quick);
  if (traces === undefined) bench.say('  the traces in ../shared/data/traces are skipped: there is no such folder');
  const generated = await playAll(bench, generatedWorkloads(bench.quick, bench.seed), () => []);
  const recorded = await playAll(bench, traces?.workloads ?? [], (id) => traces?.references.get(id) ?? []);
  const all = [...generated, ...recorded];
  if (!bench.quick) {
    mkdirSync(dirname(PLOT), { recursive: true });
    writeFileSync(PLOT, plotHitRatios(all.map(({ line }) => line)));
  }
  const rows = all.flatMap((played) => played.rows);
  return recorded.length === 0 ? rows : [...rows, ...summaryOf(recorded)];
}

async function playAll(
  bench: Bench,
  workloads: Iterable<Workload>,
  referencesOf: (id: string) => readonly Reference[],
): Promise<Played[]> {
  const all: Played[] = [];
  for (const workload of workloads) {
    for (const size of workload.sizes) {
      const measured = new Map<string, number>();
      for (const [subject, play] of players) {
        bench.signal.throwIfAborted();
        measured.set(subject, play(workload, size, bench.seed));
        // So that a wish to stop is heard.
        await new Promise(setImmediate);
      }
      all.push(playedOf(`${workload.name}.${size}`, measured, referencesOf(`${workload.name}.${size}`)));
    }
  }
  return all;
}

function playedOf(id: string, measured: ReadonlyMap<string, number>, references: readonly Reference[]): Played {
  const [ours = 0, lru = 0] = [measured.get(OURS), measured.get(LRU)];
  const rivals = [{ policy: LRU, hitPercent: lru }, ...references.filter(({ isRival }) => isRival)];
  const best = rivals.reduce((one, two) => (two.hitPercent > one.hitPercent ? two : one));
  const row = { section: SECTION, id: `${SECTION}.${id}`, unit: '%', better: 'higher' as const };
  const note = `the best of ${rivals.length} is ${best.policy} with ${best.hitPercent.toFixed(2)}`;
  return {
    rows: [
      boundedRow({ ...row, exact: true, subject: OURS, value: ours, bound: best.hitPercent - BELOW_BEST_MAX, note }),
      { ...row, subject: LRU, value: lru },
      { ...row, subject: `${CLOCK}, ours before`, value: measured.get(CLOCK) ?? 0 },
      ...references.map(({ policy, hitPercent }) => ({ ...row, subject: `${policy} (reference)`, value: hitPercent })),
    ],
    line: {
      label: id,
      ours,
      lru,
      best: references.length === 0 ? undefined : best.hitPercent,
      optimum: references.find(({ policy }) => policy === 'OPT')?.hitPercent,
    },
    overLru: ours - lru,
    overBest: ours - best.hitPercent,
  };
}

function summaryOf(recorded: readonly Played[]): Row[] {
  const row = { section: SECTION, subject: OURS, unit: 'points', better: 'higher' as const };
  const mean = recorded.reduce((sum, { overLru }) => sum + overLru, 0) / recorded.length;
  const worst = recorded.reduce((one, two) => (two.overBest < one.overBest ? two : one));
  const note = `over ${recorded.length} traces and sizes`;
  return [
    boundedRow({
      ...row,
      exact: true,
      id: `${SECTION}.above-lru`,
      value: mean,
      bound: ABOVE_LRU_LEAST,
      note: `mean ${note}`,
    }),
    boundedRow({
      ...row,
      exact: true,
      id: `${SECTION}.worst`,
      value: worst.overBest,
      bound: -BELOW_ANY_MAX,
      note: `against the best of the rivals, ${worst.line.label}, ${note}`,
    }),
  ];
}

export const hitRatio: Section = {
  name: SECTION,
  about: 'how much is found in a cache that is too small, on recorded and generated traces',
  run,
};
