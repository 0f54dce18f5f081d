/** Reads the text format of Prometheus as strictly as its description, and throws at the first line that breaks it. */

export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ParsedFamily {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly ParsedSample[];
}

const HELP = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*)$/;
const TYPE = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)/;
const NUMBER = /^(?:[+-]?Inf|NaN|[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

export function parseExposition(text: string): readonly ParsedFamily[] {
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line has no end');
  const lines = text.split('\n').slice(0, -1);
  const families: { name: string; help: string; type: string; samples: ParsedSample[] }[] = [];
  const seriesSeen = new Set<string>();
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const fail = (why: string): never => {
      throw new Error(`line ${at + 1}: ${why}: ${line}`);
    };
    const help = HELP.exec(line);
    if (help !== null) {
      const type = TYPE.exec(lines[at + 1] ?? '') ?? fail('no TYPE after HELP');
      if (type[1] !== help[1]) fail('HELP and TYPE of different names');
      if (families.some(({ name }) => name === help[1])) fail('a name that came before');
      families.push({ name: help[1]!, help: unescapeText(help[2]!), type: type[2]!, samples: [] });
      at += 1;
      continue;
    }
    const family = families.at(-1) ?? fail('a sample before any HELP');
    const [, name = '', labelText, valueText = ''] = SAMPLE.exec(line) ?? fail('no sample');
    if (!namesOf(family.name, family.type).includes(name)) fail(`not a name of the ${family.type} ${family.name}`);
    if (!NUMBER.test(valueText)) fail('not a number');
    const labels = parseLabels(labelText ?? '', fail);
    const series = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
    if (seriesSeen.has(series)) fail('a time series that came before');
    seriesSeen.add(series);
    family.samples.push({ name, labels, value: numberOf(valueText) });
  }
  for (const family of families) checkFamily(family);
  return families;
}

function namesOf(name: string, type: string): readonly string[] {
  return type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
}

function parseLabels(text: string, fail: (why: string) => never): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== ''; ) {
    const [whole, label = '', value = '', comma] = LABEL.exec(rest) ?? fail('bad labels');
    if (Object.hasOwn(labels, label)) fail('a label twice');
    labels[label] = unescapeText(value);
    rest = rest.slice(whole.length);
    if (comma === ',' && rest === '') fail('a comma at the end of the labels');
  }
  return labels;
}

function unescapeText(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
}

function numberOf(text: string): number {
  return Number(text.replace('Inf', 'Infinity'));
}

function checkFamily({ name, type, samples }: ParsedFamily): void {
  if (samples.length === 0) throw new Error(`${name} has no sample`);
  if (type === 'counter' && !name.endsWith('_total')) throw new Error(`the counter ${name} does not end in _total`);
  if (type !== 'histogram') return;
  const bySeries = new Map<string, ParsedSample[]>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const series = JSON.stringify(labels);
    bySeries.set(series, [...(bySeries.get(series) ?? []), sample]);
  }
  for (const [series, own] of bySeries) {
    const buckets = own.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => numberOf(labels.le ?? 'none'));
    const counts = buckets.map(({ value }) => value);
    const ascends = (numbers: readonly number[]): boolean => numbers.every((n, i) => i === 0 || n >= numbers[i - 1]!);
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name}${series} has no bucket +Inf at its end`);
    if (!ascends(bounds) || !ascends(counts)) throw new Error(`the buckets of ${name}${series} do not ascend`);
    const [sums, total] = ['_sum', '_count'].map((end) => own.filter((sample) => sample.name === name + end));
    if (sums?.length !== 1 || total?.length !== 1) throw new Error(`${name}${series} needs one _sum and one _count`);
    if (total[0]?.value !== counts.at(-1)) throw new Error(`${name}${series}: _count is not the bucket +Inf`);
  }
}
