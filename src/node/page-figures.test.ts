import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import { CountingRecorder } from '../metrics/recorder.js';
import { PageFigures } from './page-figures.js';

const ok = { state: 'ok', sinceMs: 7 } as const;

function levelOf(figures: PageFigures, level: string) {
  return figures.levels({ local: ok }).find((one) => one.level === level)!;
}

function hits(recorder: CountingRecorder, level: 'local' | 'peer' | 'source', count: number): void {
  for (let index = 0; index < count; index++) recorder.hit(level);
}

describe('PageFigures', () => {
  it('tells the last interval apart from all time, over all nodes', () => {
    const clock = new VirtualClock();
    const [a, b] = [new CountingRecorder(clock), new CountingRecorder(clock)];
    const figures = new PageFigures();
    hits(a, 'local', 90);
    hits(b, 'source', 10);
    a.duration('get:local', 8);
    clock.advance(1_000);
    figures.push('a', a.snapshot());
    figures.push('b', b.snapshot());
    hits(a, 'local', 20);
    hits(b, 'peer', 60);
    hits(b, 'source', 20);
    b.duration('get:local', 1);
    clock.advance(2_000);
    figures.push('a', a.snapshot());
    figures.push('b', b.snapshot());
    expect(figures.reads()).toEqual({ readsPerSecond: 50, hitRate: 0.8, reads: 200, overallHitRate: 0.85 });
    expect(figures.readsPerSecond('b')).toBe(40);
    const local = levelOf(figures, 'local');
    expect(local).toMatchObject({ state: 'ok', sinceMs: 7, hitsPerSecond: 10 });
    expect(local.now.hitRate).toBe(0.2);
    expect(local.now.p99Ms).toBeCloseTo(1, 1);
    expect(local.overall.hitRate).toBe(0.55);
    expect(local.overall.p99Ms).toBeCloseTo(8, 0);
    expect(levelOf(figures, 'sister')).toMatchObject({ state: 'none', sinceMs: null, now: { p50Ms: null } });
  });

  it('loses nothing that was counted before a node started anew', () => {
    const clock = new VirtualClock();
    const figures = new PageFigures();
    const before = new CountingRecorder(clock);
    hits(before, 'local', 100);
    clock.advance(1_000);
    figures.push('a', before.snapshot());
    const after = new CountingRecorder(clock);
    hits(after, 'peer', 3);
    clock.advance(1_000);
    figures.push('a', after.snapshot());
    expect(figures.reads()).toMatchObject({ readsPerSecond: 3, reads: 103 });
  });

  it('leaves a node that went silent out of the interval, and counts what it did meanwhile when it is back', () => {
    const clock = new VirtualClock();
    const figures = new PageFigures();
    const [a, b] = [new CountingRecorder(clock), new CountingRecorder(clock)];
    const second = (silent: boolean): void => {
      hits(a, 'local', 10);
      hits(b, 'local', 10);
      clock.advance(1_000);
      figures.push('a', a.snapshot());
      if (silent) figures.pause('b');
      else figures.push('b', b.snapshot());
    };
    second(false);
    second(true);
    expect(figures.reads().readsPerSecond).toBe(10);
    expect(figures.readsPerSecond('b')).toBe(0);
    second(true);
    second(false);
    expect(figures.reads()).toMatchObject({ readsPerSecond: 20, reads: 80 });
  });

  it('knows nothing before a node has told anything', () => {
    const figures = new PageFigures();
    expect(figures.reads()).toEqual({ readsPerSecond: 0, hitRate: null, reads: 0, overallHitRate: null });
    expect(figures.readsPerSecond('a')).toBeNull();
  });
});
