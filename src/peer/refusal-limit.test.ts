import { describe, expect, it } from 'vitest';
import { RefusalLimit } from './refusal-limit.js';

describe('an address that is refused', () => {
  it('is told why a hundred times, then twenty times a second', () => {
    const limit = new RefusalLimit();
    const told = (nowMs: number) => Array.from({ length: 300 }, () => limit.take('a', nowMs)).filter(Boolean).length;
    expect(told(0)).toBe(100);
    expect(told(1_000)).toBe(20);
    expect(told(1_020)).toBe(0);
    expect(told(60_000)).toBe(100);
  });

  it('uses up nothing of others', () => {
    const limit = new RefusalLimit();
    for (let i = 0; i < 200; i++) limit.take('a', 0);
    expect([limit.take('a', 0), limit.take('b', 0)]).toEqual([false, true]);
  });

  it('is forgotten only when a thousand others were refused after it', () => {
    const limit = new RefusalLimit();
    for (let i = 0; i < 100; i++) limit.take('a', 0);
    for (let i = 0; i < 1_023; i++) limit.take(`other ${i}`, 0);
    expect(limit.take('a', 0)).toBe(false);
    for (let i = 0; i < 1_024; i++) limit.take(`another ${i}`, 0);
    expect(limit.take('a', 0)).toBe(true);
  });
});
