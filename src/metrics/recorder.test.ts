import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import { CountingRecorder } from './recorder.js';

describe('CountingRecorder', () => {
  it('counts hits by level, misses and errors by level and type', () => {
    const recorder = new CountingRecorder(new VirtualClock());
    for (const level of ['local', 'local', 'distributed', 'peer', 'sister', 'source', 'source'] as const) {
      recorder.hit(level);
    }
    recorder.miss();
    recorder.error('peer', 'deadline');
    recorder.error('peer', 'deadline');
    recorder.error('distributed', 'breaker-open');
    const { hits, misses, errors } = recorder.snapshot();
    expect(hits).toEqual({ local: 2, distributed: 1, peer: 1, sister: 1, source: 2 });
    expect(misses).toBe(1);
    expect(errors).toEqual({
      local: {},
      distributed: { 'breaker-open': 1 },
      peer: { deadline: 2 },
      sister: {},
      source: {},
    });
  });

  it('keeps the times of each operation apart', () => {
    const recorder = new CountingRecorder(new VirtualClock());
    recorder.duration('get', 1);
    recorder.duration('get', 3);
    recorder.duration('set', 5);
    const { durations } = recorder.snapshot();
    expect(durations.get).toMatchObject({ count: 2, sumMs: 4 });
    expect(durations.set).toMatchObject({ count: 1, sumMs: 5 });
  });

  it('says since when and for how long it counts', () => {
    const clock = new VirtualClock();
    const startedAtMs = clock.wallMs();
    const recorder = new CountingRecorder(clock);
    clock.advance(2_250);
    clock.jumpWall(60_000);
    expect(recorder.snapshot()).toMatchObject({ startedAtMs, spanMs: 2_250 });
  });

  it('counts names beyond its limits as other, and none twice', () => {
    const recorder = new CountingRecorder(new VirtualClock());
    for (let index = 0; index < 1_000; index++) {
      recorder.duration(`operation-${index}`, 1);
      recorder.error('local', `type-${index}`);
    }
    recorder.duration('operation-0', 1);
    const { durations, errors } = recorder.snapshot();
    const counts = Object.values(durations).map(({ count }) => count);
    expect(counts).toHaveLength(33);
    expect(counts.reduce((sum, count) => sum + count)).toBe(1_001);
    expect(durations['operation-0']?.count).toBe(2);
    expect(durations.other?.count).toBe(1_000 - 32);
    expect(Object.keys(errors.local)).toHaveLength(33);
    expect(errors.local.other).toBe(1_000 - 32);
  });
});
