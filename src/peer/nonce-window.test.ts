import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NonceWindow } from './nonce-window.js';

const TOLERANCE_MS = 5_000;
const NOW_MS = 1_700_000_000_000;
const macOf = (name: unknown): Buffer => createHash('sha256').update(String(name)).digest();

describe('what was accepted once', () => {
  it('is known again', () => {
    const seen = new NonceWindow(TOLERANCE_MS);
    expect(seen.remember(macOf('a'), NOW_MS, NOW_MS)).toBe('first');
    expect(seen.remember(macOf('b'), NOW_MS, NOW_MS)).toBe('first');
    expect(seen.remember(macOf('a'), NOW_MS, NOW_MS + 3)).toBe('again');
  });

  it('is never taken for new, whenever it comes again within the tolerance', () => {
    const step = fc.record({
      passMs: fc.integer({ min: 0, max: 4_000 }),
      offMs: fc.integer({ min: -TOLERANCE_MS, max: TOLERANCE_MS }),
      repeat: fc.nat({ max: 400 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const seen = new NonceWindow(TOLERANCE_MS);
        const accepted: { name: number; timeMs: number }[] = [];
        let nowMs = NOW_MS;
        for (const { passMs, offMs, repeat } of steps) {
          nowMs += passMs;
          const old = accepted[repeat];
          if (old !== undefined && Math.abs(old.timeMs - nowMs) <= TOLERANCE_MS) {
            expect(seen.remember(macOf(old.name), old.timeMs, nowMs)).toBe('again');
          }
          const fresh = { name: accepted.length, timeMs: nowMs + offMs };
          expect(seen.remember(macOf(fresh.name), fresh.timeMs, nowMs)).toBe('first');
          accepted.push(fresh);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('is known, or refused as stale, when the clock goes back by less than it remembers', () => {
    const seen = new NonceWindow(TOLERANCE_MS);
    for (let atMs = NOW_MS; atMs < NOW_MS + 40_000; atMs += 100) seen.remember(macOf(atMs), atMs, atMs);
    for (let atMs = NOW_MS + 31_000; atMs < NOW_MS + 40_000; atMs += 100) {
      expect(['again', 'stale']).toContain(seen.remember(macOf(atMs), atMs, NOW_MS + 33_000));
    }
  });

  it('begins anew when the clock was set back for long', () => {
    const seen = new NonceWindow(TOLERANCE_MS);
    seen.remember(macOf('a'), NOW_MS, NOW_MS);
    const earlierMs = NOW_MS - 3_600_000;
    expect(seen.remember(macOf('b'), earlierMs, earlierMs)).toBe('first');
    expect(seen.remember(macOf('b'), earlierMs, earlierMs)).toBe('again');
  });

  it('is not forgotten at the limit: what is new is refused until a span has passed', () => {
    const seen = new NonceWindow(TOLERANCE_MS, 100);
    for (let i = 0; i < 100; i++) expect(seen.remember(macOf(i), NOW_MS, NOW_MS)).toBe('first');
    expect(seen.remember(macOf('more'), NOW_MS, NOW_MS)).toBe('full');
    for (let i = 0; i < 100; i++) expect(seen.remember(macOf(i), NOW_MS, NOW_MS)).toBe('again');
    const laterMs = NOW_MS + 2 * TOLERANCE_MS;
    expect(seen.remember(macOf('more'), laterMs, laterMs)).toBe('first');
  });

  it('is told apart from all others when as many are kept as may be', () => {
    const seen = new NonceWindow(TOLERANCE_MS);
    const mac = Buffer.alloc(8);
    const remember = (i: number) => {
      mac.writeUInt32LE(Math.imul(i, 2_654_435_761) >>> 0, 0);
      mac.writeUInt32LE(i, 4);
      return seen.remember(mac, NOW_MS, NOW_MS);
    };
    const sightings = new Set<string>();
    for (let i = 0; i < 196_608; i++) sightings.add(remember(i));
    expect([...sightings]).toEqual(['first']);
    expect(remember(196_608)).toBe('full');
    expect(remember(77_777)).toBe('again');
  });
});
