import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { zeroCounters } from '../../src/fleet/stats.js';
import { renderExposition } from '../../src/metrics/exposition.js';
import { cacheFamilies } from '../../src/metrics/families.js';
import { fleetFamilies } from '../../src/metrics/fleet-families.js';
import { findPromtool } from './promtool.js';
import { sampleNumbers } from './sample-numbers.js';

const CHECK_BOUND_MS = 20_000;
let promtool = '';

beforeAll(async () => {
  promtool = await findPromtool();
}, 360_000);

function check(text: string): { readonly status: number | null; readonly said: string } {
  const ended = spawnSync(promtool, ['check', 'metrics'], { input: text, encoding: 'utf8', timeout: CHECK_BOUND_MS });
  return { status: ended.status, said: ended.stdout + ended.stderr };
}

describe('promtool', () => {
  it('finds nothing to say about the metrics', () => {
    const families = [...cacheFamilies(sampleNumbers()), ...fleetFamilies(zeroCounters())];
    expect(check(renderExposition(families))).toEqual({ status: 0, said: '' });
  });

  it('would say so if a counter were misnamed', () => {
    const wrong = { type: 'counter', name: 'fleetflow_cache_wrong', help: 'Wrong.', samples: [{ value: 1 }] } as const;
    const { status, said } = check(renderExposition([wrong]));
    expect(status).not.toBe(0);
    expect(said).toContain('_total');
  });
});
