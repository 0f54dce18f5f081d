import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderExposition } from '../../src/metrics/exposition.js';
import { cacheFamilies } from '../../src/metrics/families.js';
import { parseExposition } from './exposition-parser.js';
import { sampleNumbers } from './sample-numbers.js';

const parsed = () => new Map(parseExposition(renderExposition(cacheFamilies(sampleNumbers()))).map((f) => [f.name, f]));

function valuesOf(name: string, ...labels: readonly string[]): Record<string, number> {
  const family = parsed().get(name);
  if (family === undefined) throw new Error(`no ${name}`);
  return Object.fromEntries(
    family.samples.map((one) => [labels.map((label) => one.labels[label]).join(' '), one.value]),
  );
}

describe('the metrics of a cache', () => {
  it('have the names and label values that dashboards rely on', () => {
    expect(valuesOf('fleetflow_cache_hits_total', 'level')).toEqual({ local: 3, distributed: 1, peer: 1, sister: 0 });
    expect(valuesOf('fleetflow_cache_misses_total')).toEqual({ '': 2 });
    expect(valuesOf('fleetflow_cache_size_bytes', 'level')).toEqual({ local: 123_456 });
    expect(valuesOf('fleetflow_cache_entries', 'level')).toEqual({ local: 789 });
    expect(valuesOf('fleetflow_cache_errors_total', 'level', 'error_type')).toEqual({
      'distributed breaker-open': 1,
      'source load-failed': 1,
      'peer a "quoted" \\ back\nslash': 1,
    });
    expect(valuesOf('fleetflow_cache_level_state', 'level', 'state')).toEqual({
      'local ok': 1,
      'local degraded': 0,
      'local out': 0,
      'distributed ok': 0,
      'distributed degraded': 1,
      'distributed out': 0,
    });
    expect(valuesOf('fleetflow_cache_stale_served_total')).toEqual({ '': 2 });
    expect(valuesOf('fleetflow_cache_build_info', 'version', 'city')).toEqual({ '0.1.0 bengaluru "blr"': 1 });
  });

  it('give times in seconds, with buckets at the powers of two of a millisecond', () => {
    const family = parsed().get('fleetflow_cache_operation_duration_seconds');
    expect(family?.type).toBe('histogram');
    const own = family!.samples.filter(({ labels }) => labels.operation === 'get:distributed');
    const bucket = (le: string) => own.find(({ labels }) => labels.le === le)?.value;
    expect([bucket('0.000125'), bucket('0.00025'), bucket('0.001'), bucket('65.536'), bucket('+Inf')]).toEqual([
      0, 1, 1, 1, 2,
    ]);
    expect(own.find(({ name }) => name.endsWith('_sum'))?.value).toBeCloseTo(90.00025, 9);
    expect(own.find(({ name }) => name.endsWith('_count'))?.value).toBe(2);
  });
});

describe('renderExposition', () => {
  it('lets every label value and help text be read back as it was', () => {
    const text = fc.string({ unit: 'grapheme' });
    fc.assert(
      fc.property(
        text,
        text,
        fc.double().map((one) => one + 0),
        (value, help, number) => {
          const family = {
            type: 'gauge',
            name: 'a_thing',
            help: `x${help}`,
            samples: [{ labels: { of: value }, value: number }],
          } as const;
          const [read] = parseExposition(renderExposition([family]));
          expect(read?.help).toBe(`x${help}`);
          expect(read?.samples).toEqual([{ name: 'a_thing', labels: { of: value }, value: number }]);
        },
      ),
    );
  });

  it('leaves out a family that has nothing to say', () => {
    expect(renderExposition([{ type: 'counter', name: 'none_total', help: 'None.', samples: [] }])).toBe('');
  });
});
