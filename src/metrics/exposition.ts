/**
 * The text that Prometheus scrapes, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
 */

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

export interface HistogramSample {
  readonly labels?: Labels;
  /** How many are no larger than each bound; bounds ascend, and the last one, infinity, is `count`. */
  readonly buckets: readonly (readonly [upper: number, count: number])[];
  readonly sum: number;
  readonly count: number;
}

/** All time series of one name. Names and label names must already be what Prometheus allows; values may be anything. */
export type MetricFamily =
  | {
      readonly type: 'counter' | 'gauge';
      readonly name: string;
      readonly help: string;
      readonly samples: readonly Sample[];
    }
  | {
      readonly type: 'histogram';
      readonly name: string;
      readonly help: string;
      readonly samples: readonly HistogramSample[];
    };

export const EXPOSITION_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** One family after the other; one without samples is left out. */
export function renderExposition(families: readonly MetricFamily[]): string {
  return families
    .filter((family) => family.samples.length > 0)
    .map((family) => `${headOf(family)}${linesOf(family).join('\n')}\n`)
    .join('');
}

function headOf({ name, help, type }: MetricFamily): string {
  return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n`;
}

function linesOf(family: MetricFamily): readonly string[] {
  const { name } = family;
  if (family.type !== 'histogram') {
    return family.samples.map(({ labels, value }) => line(name, labels, value));
  }
  return family.samples.flatMap(({ labels, buckets, sum, count }) => [
    ...buckets.map(([upper, within]) => line(`${name}_bucket`, { ...labels, le: numberText(upper) }, within)),
    line(`${name}_bucket`, { ...labels, le: '+Inf' }, count),
    line(`${name}_sum`, labels, sum),
    line(`${name}_count`, labels, count),
  ]);
}

function line(name: string, labels: Labels = {}, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeValue(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${numberText(value)}`;
}

function escapeValue(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
