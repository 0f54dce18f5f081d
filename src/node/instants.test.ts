import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Instants } from './instants.js';

describe('Instants', () => {
  it('is never later than now, never goes back, and never earlier than an exact reading', () => {
    const instants = new Instants();
    let lastMs = 0;
    for (let i = 0; i < 10_000; i++) {
      const readingMs = i % 7 === 0 ? instants.exactMs() : instants.recentMs();
      expect(readingMs).toBeGreaterThanOrEqual(lastMs);
      expect(readingMs).toBeLessThanOrEqual(performance.now());
      lastMs = readingMs;
    }
  });

  it('uses a reading again, but not in a later turn of the event loop', async () => {
    const instants = new Instants();
    for (let turn = 0; turn < 3; turn++) {
      const readingMs = instants.recentMs();
      expect(instants.recentMs()).toBe(readingMs);
      await sleep(5);
      expect(instants.recentMs()).toBeGreaterThan(readingMs);
    }
  });

  it('does not use a reading without end while the event loop stands still', () => {
    const instants = new Instants();
    const readingMs = instants.recentMs();
    while (performance.now() < readingMs + 5) {}
    const readings = Array.from({ length: 100 }, () => instants.recentMs());
    expect(readings.at(-1)).toBeGreaterThanOrEqual(readingMs + 5);
  });
});
