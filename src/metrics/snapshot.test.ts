import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import { CountingRecorder } from './recorder.js';
import {
  hitRateOf,
  LEVELS,
  levelFiguresOf,
  type MetricsSnapshot,
  mergeSnapshots,
  perSecond,
  quantilesOf,
  readsOf,
  subtractSnapshot,
} from './snapshot.js';

/** A process that counts, started `startedMs` after the others' beginning. */
class Process {
  readonly #clock = new VirtualClock();
  readonly recorder: CountingRecorder;

  constructor(startedMs: number) {
    this.#clock.jumpWall(startedMs);
    this.recorder = new CountingRecorder(this.#clock);
  }

  /** What it tells another process `ms` later. */
  after(ms: number): MetricsSnapshot {
    this.#clock.advance(ms);
    return JSON.parse(JSON.stringify(this.recorder.snapshot())) as MetricsSnapshot;
  }
}

describe('subtractSnapshot', () => {
  it('leaves what was counted in between, over the time in between', () => {
    const one = new Process(1_000);
    one.recorder.hit('local');
    one.recorder.duration('get:local', 100);
    one.recorder.error('peer', 'deadline');
    const earlier = one.after(1_000);
    for (let index = 0; index < 8; index++) one.recorder.hit('local');
    one.recorder.hit('distributed');
    one.recorder.miss();
    one.recorder.duration('get:local', 1);
    one.recorder.duration('set', 2);
    one.recorder.error('peer', 'deadline');
    one.recorder.error('source', 'load-failed');
    const window = subtractSnapshot(one.after(2_000), earlier);
    expect(window.spanMs).toBe(2_000);
    expect(window.hits).toEqual({ local: 8, distributed: 1, peer: 0, sister: 0, source: 0 });
    expect(window.misses).toBe(1);
    expect(window.errors.peer).toEqual({ deadline: 1 });
    expect(window.errors.source).toEqual({ 'load-failed': 1 });
    expect(quantilesOf(window, 'get:local', [0.5, 1])).toEqual([expect.closeTo(1, 1), expect.closeTo(1, 1)]);
    expect(window.durations.set?.count).toBe(1);
  });

  it('is all of the later one when the process has started anew', () => {
    const first = new Process(1_000);
    first.recorder.hit('local');
    const second = new Process(9_000);
    second.recorder.hit('peer');
    const later = second.after(500);
    expect(subtractSnapshot(later, first.after(5_000))).toEqual(later);
  });

  it('is all of the later one when there is none before', () => {
    const later = new Process(1_000).after(10);
    expect(subtractSnapshot(later, undefined)).toEqual(later);
  });

  it('does not take an operation for something that every object has', () => {
    const one = new Process(0);
    const earlier = one.after(1);
    one.recorder.duration('constructor', 4);
    one.recorder.error('local', 'toString');
    const window = subtractSnapshot(one.after(2), earlier);
    expect(window.durations.constructor).toMatchObject({ count: 1, sumMs: 4 });
    expect(window.errors.local.toString).toBe(1);
    expect(quantilesOf(earlier, 'constructor', [0.5])).toEqual([undefined]);
  });
});

describe('mergeSnapshots', () => {
  it('adds up what several processes counted in the same time', () => {
    const a = new Process(1_000);
    const b = new Process(2_000);
    a.recorder.hit('local');
    b.recorder.hit('local');
    b.recorder.hit('source');
    b.recorder.miss();
    a.recorder.duration('get', 1);
    b.recorder.duration('get', 100);
    b.recorder.duration('set', 7);
    a.recorder.error('peer', 'deadline');
    b.recorder.error('peer', 'deadline');
    const merged = mergeSnapshots([a.after(1_010), b.after(990)]);
    expect(merged).toMatchObject({ startedAtMs: new VirtualClock().wallMs() + 1_000, spanMs: 1_010, misses: 1 });
    expect(merged.hits).toEqual({ local: 2, distributed: 0, peer: 0, sister: 0, source: 1 });
    expect(merged.durations.get).toMatchObject({ count: 2, sumMs: 101 });
    expect(merged.durations.set).toMatchObject({ count: 1, sumMs: 7 });
    expect(merged.errors.peer).toEqual({ deadline: 2 });
  });

  it('is a snapshot of nothing when there is none', () => {
    const nothing = mergeSnapshots([]);
    expect(readsOf(nothing)).toBe(0);
    expect(hitRateOf(nothing)).toBeUndefined();
    expect(perSecond(5, nothing)).toBe(0);
  });
});

describe('figures', () => {
  it('divide the reads among the levels, and do not call the source a hit', () => {
    const one = new Process(0);
    for (const level of [...LEVELS, 'local', 'local', 'local'] as const) one.recorder.hit(level);
    one.recorder.miss();
    one.recorder.miss();
    one.recorder.duration('get:local', 0.001);
    one.recorder.duration('get:local', 3);
    const snapshot = one.after(2_000);
    expect(readsOf(snapshot)).toBe(10);
    expect(hitRateOf(snapshot)).toBe(0.7);
    const local = levelFiguresOf(snapshot, 'local');
    expect(local).toMatchObject({ hits: 4, hitRate: 0.4, hitsPerSecond: 2 });
    expect(local.p50Ms).toBeCloseTo(0.001, 4);
    expect(local.p99Ms).toBeCloseTo(3, 0);
    expect(levelFiguresOf(snapshot, 'peer').p50Ms).toBeUndefined();
    expect(levelFiguresOf(snapshot, 'source')).toMatchObject({ hits: 3, hitRate: 0.3 });
  });
});
