import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Workload } from './workloads.js';

/** Recorded traces and what others reach on them; not part of the project. */
const FOLDER = join('..', 'shared', 'data', 'traces');
/** With it a run stays within seconds. */
const QUICK_USES_MAX = 120_000;
/** Whom we compare ourselves with: what is best on some trace and simple enough that anyone may have it. */
const RIVALS: ReadonlySet<string> = new Set(['LRU', 'ARC', 'S3FIFO', 'TwoQ', 'W-TinyLFU adaptive']);
const COLUMNS: ReadonlySet<string> = new Set([...RIVALS, 'OPT', 'LIRS', 'Sieve', 'Clock']);
const PUBLISHED = /^(W-TinyLFU adaptive)\b/;

export interface Reference {
  readonly policy: string;
  readonly hitPercent: number;
  /** Whether ours has to hold its own against it. */
  readonly isRival: boolean;
}

/** By trace and size: `arc_OLTP.250`. */
export type References = ReadonlyMap<string, readonly Reference[]>;

export interface Traces {
  readonly workloads: Iterable<Workload>;
  readonly references: References;
}

/** @returns undefined where there is no such folder */
export function readTraces(quick: boolean): Traces | undefined {
  if (!existsSync(FOLDER)) return undefined;
  const references = readReferences();
  const sizes = new Map<string, number[]>();
  for (const id of references.keys()) {
    const [name = '', size] = id.split('.');
    sizes.set(name, [...(sizes.get(name) ?? []), Number(size)]);
  }
  return { references, workloads: readWorkloads(sizes, quick) };
}

/** One at a time: they are large. */
function* readWorkloads(sizes: ReadonlyMap<string, readonly number[]>, quick: boolean): Iterable<Workload> {
  for (const [name, all] of sizes) {
    const lines = gunzipSync(readFileSync(join(FOLDER, `${name}.txt.gz`)))
      .toString('latin1')
      .split('\n')
      .filter((line) => line !== '');
    if (quick && lines.length > QUICK_USES_MAX) continue;
    const numbers = new Map<string, number>();
    const uses = Uint32Array.from(lines, (line) => {
      const known = numbers.get(line) ?? numbers.size;
      if (known === numbers.size) numbers.set(line, known);
      return known;
    });
    yield { name, uses, keys: numbers.size, sizes: all };
  }
}

function readReferences(): References {
  const references = new Map<string, Reference[]>();
  const add = (trace: string, size: string, policy: string, hitPercent: number) => {
    if (!COLUMNS.has(policy)) return;
    const id = `${trace}.${size}`;
    references.set(id, [...(references.get(id) ?? []), { policy, hitPercent, isRival: RIVALS.has(policy) }]);
  };
  for (const [trace = '', , size = '', policy = '', ratio] of csv('ref_hit_ratios.csv')) {
    add(trace, size, policy, Number(ratio) * 100);
  }
  for (const [trace = '', size = '', policy = '', percent] of csv('published_hit_ratios.csv')) {
    const known = references.has(`${trace}.${size}`);
    if (known) add(trace, size, PUBLISHED.exec(policy)?.[1] ?? '', Number(percent));
  }
  // A size for which nobody said what LRU reaches is no size to compare at.
  return new Map([...references].filter(([, all]) => all.some(({ policy }) => policy === 'LRU')));
}

function csv(file: string): string[][] {
  const lines = readFileSync(join(FOLDER, file), 'utf8').trim().split('\n');
  return lines.slice(1).map((line) => line.split(','));
}
