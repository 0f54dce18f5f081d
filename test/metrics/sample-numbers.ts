import type { CacheNumbers } from '../../src/metrics/families.js';
import { CountingRecorder } from '../../src/metrics/recorder.js';
import { VirtualClock } from '../virtual-clock.js';

/** What a node with two levels may have counted, with label values that need escaping. */
export function sampleNumbers(): CacheNumbers {
  const recorder = new CountingRecorder(new VirtualClock());
  for (const level of ['local', 'local', 'local', 'distributed', 'peer', 'source'] as const) recorder.hit(level);
  recorder.miss();
  for (let index = 0; index < 500; index++) recorder.duration('get', 1.01 ** index / 100);
  recorder.duration('get:distributed', 0.25);
  recorder.duration('get:distributed', 90_000);
  recorder.duration('say "hi"\\\n', 1);
  recorder.error('distributed', 'breaker-open');
  recorder.error('source', 'load-failed');
  recorder.error('peer', 'a "quoted" \\ back\nslash');
  const none = { hits: 0, misses: 0, errors: 0, skipped: 0 };
  return {
    snapshot: recorder.snapshot(),
    stats: {
      nodeId: '0a1b2c3d4e5f',
      city: 'bengaluru "blr"',
      reads: 7,
      hits: 6,
      misses: 1,
      l1HitRate: 3 / 7,
      l2HitRate: 1 / 7,
      l3HitRate: 1 / 7,
      overallHitRate: 5 / 7,
      avgResponseTimeMs: 1.5,
      loads: 1,
      loadErrors: 0,
      staleServed: 2,
      clampedEventTimes: 3,
      hotAnswers: 4,
      invalidValues: 6,
      levels: {
        local: { ...none, sizeBytes: 123_456, entries: 789, state: 'ok' },
        distributed: { ...none, sizeBytes: undefined, entries: undefined, state: 'degraded' },
      },
    },
    version: '0.1.0',
    runtime: 'v20.20.2',
  };
}
