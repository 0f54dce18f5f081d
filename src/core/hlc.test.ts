import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hlc, NOW_MS } from '../../test/core/entries.js';
import { VirtualClock } from '../../test/virtual-clock.js';
import { compareHlc, HLC_DRIFT_MAX_MS, type Hlc, HybridClock, laterHlc, nextReading } from './hlc.js';

const step = fc.oneof(
  fc.constant('next' as const),
  fc.record({ jumpMs: fc.integer({ min: -10_000, max: 10_000 }) }),
  fc.record({
    aheadMs: fc.integer({ min: -1_000, max: HLC_DRIFT_MAX_MS }),
    counter: fc.integer({ min: 0, max: 65_535 }),
  }),
);

describe('HybridClock', () => {
  it('grows strictly, whatever the wall clock does and whatever is received', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new VirtualClock();
        const hybrid = new HybridClock(clock);
        let last: Hlc = hybrid.next();
        for (const one of steps) {
          if (one === 'next') {
            const reading = hybrid.next();
            expect(compareHlc(reading, last)).toBeGreaterThan(0);
            expect(reading.counter).toBeLessThanOrEqual(65_535);
            last = reading;
          } else if ('jumpMs' in one) {
            clock.jumpWall(one.jumpMs);
          } else {
            const received = hlc(clock.wallMs() + one.aheadMs, one.counter);
            hybrid.receive(received);
            last = laterHlc(last, received);
          }
        }
        expect(compareHlc(hybrid.next(), last)).toBeGreaterThan(0);
      }),
    );
  });

  it('follows the wall clock when it may', () => {
    const clock = new VirtualClock();
    const hybrid = new HybridClock(clock);
    expect([hybrid.next(), hybrid.next()]).toEqual([hlc(NOW_MS, 0), hlc(NOW_MS, 1)]);
    clock.advance(1);
    expect(hybrid.next()).toEqual(hlc(NOW_MS + 1, 0));
    clock.jumpWall(-60_000);
    expect(hybrid.next()).toEqual(hlc(NOW_MS + 1, 1));
  });

  it('goes on in the next millisecond when the counter is full', () => {
    const hybrid = new HybridClock(new VirtualClock());
    hybrid.receive(hlc(NOW_MS, 65_535));
    expect(hybrid.next()).toEqual(hlc(NOW_MS + 1, 0));
  });

  it('follows a reading 500 ms ahead, and refuses one beyond without being moved by it', () => {
    const hybrid = new HybridClock(new VirtualClock());
    hybrid.receive(hlc(NOW_MS + 500));
    const refused = expect.objectContaining({ code: 'level-failed', message: expect.stringContaining('501 ms') });
    expect(() => hybrid.receive(hlc(NOW_MS + 501))).toThrow(refused);
    expect(hybrid.next()).toEqual(hlc(NOW_MS + 500, 1));
  });
});

describe('a city whose clocks differ by as much as they say', () => {
  const UNCERTAIN_MS = 20;
  /** Two nodes that live at the same moment and reckon it differently, each within what it says. */
  const city = (aAheadMs: number, bAheadMs: number) => {
    const [clockOfA, clockOfB] = [new VirtualClock(), new VirtualClock()];
    clockOfA.jumpWall(aAheadMs);
    clockOfB.jumpWall(bAheadMs);
    for (const clock of [clockOfA, clockOfB]) clock.uncertainMs = UNCERTAIN_MS;
    const advance = (ms: number) => {
      clockOfA.advance(ms);
      clockOfB.advance(ms);
    };
    return { a: new HybridClock(clockOfA), b: new HybridClock(clockOfB), advance };
  };
  const off = fc.integer({ min: -UNCERTAIN_MS, max: UNCERTAIN_MS });

  it('never dates a fill after a fence that was issued elsewhere since', () => {
    fc.assert(
      fc.property(off, off, fc.integer({ min: 0, max: 5 }), (aAheadMs, bAheadMs, passedMs) => {
        const { a, b, advance } = city(aAheadMs, bAheadMs);
        const fill = a.early();
        advance(passedMs);
        expect(compareHlc(b.late(), fill)).toBeGreaterThan(0);
      }),
    );
  });

  it('dates a fill after the fences that are known, once the time has come to them', () => {
    fc.assert(
      fc.property(off, off, (aAheadMs, bAheadMs) => {
        const { a, b, advance } = city(aAheadMs, bAheadMs);
        const fence = b.late();
        a.receive(fence);
        const fill = a.early();
        expect(compareHlc(fill, fence)).toBeGreaterThan(0);
        advance(a.untilPastMs(fill));
        expect(a.untilPastMs(fill)).toBe(0);
        expect(compareHlc(b.late(), fill)).toBeGreaterThan(0);
      }),
    );
  });

  it('does not date a fill after a fence that is further ahead than anybody would wait', () => {
    const { a } = city(0, 0);
    a.receive(hlc(NOW_MS + 400));
    expect(a.early(25)).toEqual(hlc(NOW_MS - UNCERTAIN_MS - 1));
    expect(a.early(500)).toEqual(hlc(NOW_MS + 400, 1));
  });
});

describe('nextReading', () => {
  it('has nothing between a reading and itself', () => {
    expect(nextReading(hlc(7, 3))).toEqual(hlc(7, 4));
    expect(nextReading(hlc(7, 65_535))).toEqual(hlc(8, 0));
  });
});
