import { describe, expect, it } from 'vitest';
import { Latency } from './latency.js';

/** With it go a slack of 50 ms and a first wait of 60 ms. */
const MAX_MS = 200;

function latencyOf(...tookMs: number[]): Latency {
  const latency = new Latency();
  for (const ms of tookMs) latency.note(ms);
  return latency;
}

const steady = (ms: number, times = 100) => new Array<number>(times).fill(ms);

describe('the wait for a part', () => {
  it('is moderate before its first answer', () => {
    expect(latencyOf().waitMs(MAX_MS, 1)).toBe(60);
  });

  it.each([0.3, 5, 120])('is what is usual of it and the slack, when it always takes %d ms', (ms) => {
    expect(latencyOf(...steady(ms)).waitMs(MAX_MS, 1)).toBeCloseTo(ms + 50);
  });

  it('is at most the maximum, whatever was seen', () => {
    expect(latencyOf(...steady(900)).waitMs(MAX_MS, 1)).toBe(MAX_MS);
    expect(latencyOf(...steady(1), 900).waitMs(MAX_MS, 1)).toBe(MAX_MS);
    expect(latencyOf().waitMs(20, 1)).toBe(20);
    expect(latencyOf(1).waitMs(MAX_MS, 10_000)).toBe(MAX_MS);
  });

  it('is longer for a part that strays from what is usual of it', () => {
    const straying = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? 10 : 70));
    expect(latencyOf(...straying).waitMs(MAX_MS, 1)).toBeGreaterThan(latencyOf(...steady(40)).waitMs(MAX_MS, 1) + 40);
  });

  it('follows a part that gets slow within a few answers, and forgives it within a few quick ones', () => {
    const latency = latencyOf(...steady(1), 80, 80);
    expect(latency.waitMs(MAX_MS, 1)).toBeGreaterThan(80);
    for (const ms of steady(1, 10)) latency.note(ms);
    expect(latency.waitMs(MAX_MS, 1)).toBeLessThan(60);
  });

  it('is hardly longer after a first answer that is slow, and not for long', () => {
    expect(latencyOf(80).waitMs(MAX_MS, 1)).toBeLessThan(100);
    expect(latencyOf(80, 1, 1, 1).waitMs(MAX_MS, 1)).toBeLessThan(60);
  });

  it('is not doubled by a single slow answer', () => {
    expect(latencyOf(...steady(1), 150).waitMs(MAX_MS, 1)).toBeLessThan(100);
  });

  it('is not longer because an answer comes early', () => {
    expect(latencyOf(...steady(100), 1).waitMs(MAX_MS, 1)).toBeLessThan(latencyOf(...steady(100)).waitMs(MAX_MS, 1));
  });

  it('grows with the number of keys that are asked for', () => {
    const latency = latencyOf(...steady(1));
    expect(latency.waitMs(MAX_MS, 401) - latency.waitMs(MAX_MS, 1)).toBe(100);
  });
});
