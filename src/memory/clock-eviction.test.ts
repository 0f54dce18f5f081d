import { describe, expect, it } from 'vitest';
import { ClockEviction } from './clock-eviction.js';

/** Plays a trace of keys through a policy, as a cache of `size` entries would. */
function hitRatio(trace: readonly number[], size: number): number {
  const eviction = new ClockEviction();
  const slots = new Map<number, number>();
  const keys: number[] = [];
  let hits = 0;
  for (const key of trace) {
    const known = slots.get(key);
    if (known !== undefined) {
      hits += 1;
      eviction.onHit(known);
      continue;
    }
    const slot = slots.size < size ? slots.size : eviction.victim();
    if (slots.size === size) {
      slots.delete(keys[slot]!);
      eviction.onRemove(slot);
    }
    keys[slot] = key;
    slots.set(key, slot);
    eviction.onInsert(slot);
  }
  return hits / trace.length;
}

describe('ClockEviction', () => {
  it('takes the first that was not read since the hand came by', () => {
    const eviction = new ClockEviction();
    for (const slot of [0, 1, 2, 3]) eviction.onInsert(slot);
    eviction.onHit(0);
    eviction.onHit(2);
    expect(eviction.victim()).toBe(1);
    eviction.onRemove(1);
    expect(eviction.victim()).toBe(3);
    eviction.onRemove(3);
    // The first round took their second chances.
    expect(eviction.victim()).toBe(0);
  });

  it('finds a victim when all were read, and none when there is none', () => {
    const eviction = new ClockEviction();
    expect(eviction.victim()).toBe(-1);
    for (let slot = 0; slot < 5_000; slot++) eviction.onInsert(slot);
    for (let slot = 0; slot < 5_000; slot++) eviction.onHit(slot);
    expect(eviction.victim()).toBe(0);
    for (let slot = 0; slot < 5_000; slot++) eviction.onRemove(slot);
    expect(eviction.victim()).toBe(-1);
    eviction.onInsert(4_321);
    expect(eviction.victim()).toBe(4_321);
    eviction.clear();
    expect(eviction.victim()).toBe(-1);
  });

  it('keeps what is asked for again and again through a scan of what is not', () => {
    const trace = Array.from({ length: 20_000 }, (_, i) => (i % 2 === 0 ? (i / 2) % 50 : 1_000 + i));
    expect(hitRatio(trace, 100)).toBeGreaterThan(0.49);
  });

  it('follows when other keys become the popular ones', () => {
    const trace = Array.from({ length: 40_000 }, (_, i) => (i < 20_000 ? 0 : 1_000) + ((i * 7) % 80));
    expect(hitRatio(trace, 100)).toBeGreaterThan(0.99);
  });
});
