/** What a scenario can say: it holds, it is broken, or the subject cannot express it. */

/** The subject does not do what it must. */
export class Broken extends Error {
  override readonly name = 'Broken';
  readonly measure: Measure | undefined;

  /** @param measure the number that is too large */
  constructor(message: string, measure?: Measure) {
    super(message);
    this.measure = measure;
  }
}

/** The subject has no word for what the scenario asks. */
export class NotExpressible extends Error {
  override readonly name = 'NotExpressible';
}

export type Verdict = 'ok' | 'FAIL' | 'n/a';

/** A number that the scenario is about: "loads", "ms". */
export interface Measure {
  readonly value: number;
  readonly unit: string;
  /** The most that it may be. */
  readonly bound?: number;
}

export interface Finding {
  readonly verdict: Verdict;
  readonly note: string;
  readonly measure?: Measure | undefined;
}

/** What a scenario hands back when it holds. */
export type Held = string | { readonly note: string; readonly measure: Measure };

export function findingOf(held: Held): Finding {
  return typeof held === 'string' ? { verdict: 'ok', note: held } : { verdict: 'ok', ...held };
}

export function findingOfThrown(thrown: unknown): Finding {
  if (thrown instanceof NotExpressible) return { verdict: 'n/a', note: thrown.message };
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (error instanceof Broken) return { verdict: 'FAIL', note: error.message, measure: error.measure };
  return { verdict: 'FAIL', note: `${error.name}: ${firstLine(error.message)}` };
}

/** One finding out of several: broken if one is, not expressible only if all are. */
export function joinFindings(parts: readonly (readonly [name: string, finding: Finding])[]): Finding {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined && only[0] === '') return only[1];
  const has = (verdict: Verdict): boolean => parts.some(([, finding]) => finding.verdict === verdict);
  const verdict = has('FAIL') ? 'FAIL' : has('ok') ? 'ok' : 'n/a';
  const told = verdict === 'ok' ? parts : parts.filter(([, finding]) => finding.verdict !== 'ok');
  const note = told.map(([name, finding]) => (name === '' ? '' : `${name}: `) + sayPart(finding)).join('; ');
  return { verdict, note, measure: measuresOf(parts.map(([, finding]) => finding)).at(-1) };
}

/** The numbers that the first one can be compared with, itself included; the largest comes last. */
export function measuresOf(findings: readonly Finding[]): Measure[] {
  const measures = findings.flatMap(({ measure }) => measure ?? []);
  return measures.filter(({ unit }) => unit === measures[0]?.unit).sort((a, b) => a.value - b.value);
}

function sayPart({ verdict, note }: Finding): string {
  return verdict === 'n/a' ? `n/a (${note})` : note;
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
