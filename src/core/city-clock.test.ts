import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import { CityClock } from './city-clock.js';
import { compareHlc, HybridClock } from './hlc.js';

/** A node whose own clock is wrong, and that asks a server whose clock is right. */
function nodeAt(skewMs: number) {
  const base = new VirtualClock();
  const trueMs = () => base.wallMs();
  const own = {
    monotonicMs: () => base.monotonicMs(),
    wallMs: () => base.wallMs() + skewMs,
    uncertaintyMs: () => 0,
    schedule: base.schedule.bind(base),
  };
  const clock = new CityClock(own);
  /** The question takes `thereMs` to the server, the answer `backMs`. */
  const ask = (server: string, thereMs: number, backMs: number, serverSkewMs = 0) => {
    const sentAtMs = base.monotonicMs();
    base.advance(thereMs);
    const serverMs = trueMs() + serverSkewMs;
    base.advance(backMs);
    clock.learn(server, sentAtMs, serverMs);
  };
  return { base, clock, trueMs, ask };
}

describe('CityClock', () => {
  it('is the clock of this machine until a server was asked', () => {
    const { clock, trueMs } = nodeAt(-5_000);
    expect([clock.wallMs() - trueMs(), clock.uncertaintyMs()]).toEqual([-5_000, 0]);
  });

  it('knows the time of the city, and how nearly, however wrong its own clock and uneven the ways', () => {
    const way = fc.double({ min: 0, max: 50, noNaN: true });
    const asked = fc.array(fc.record({ server: fc.constantFrom('a', 'b', 'c'), there: way, back: way, pause: way }), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(fc.integer({ min: -10_000, max: 10_000 }), asked, (skewMs, exchanges) => {
        const { base, clock, trueMs, ask } = nodeAt(skewMs);
        for (const { server, there, back, pause } of exchanges) {
          ask(server, there, back);
          base.advance(pause);
        }
        expect(Math.abs(clock.wallMs() - trueMs())).toBeLessThanOrEqual(clock.uncertaintyMs() + 0.001);
      }),
    );
  });

  it('goes by the quickest answer, until drift has made it worse than a new one', () => {
    const { base, clock, ask } = nodeAt(0);
    ask('a', 1, 1);
    ask('a', 40, 0);
    expect(clock.uncertaintyMs()).toBeLessThan(2);
    base.advance(3_600_000);
    ask('a', 5, 5);
    expect(clock.uncertaintyMs()).toBe(5);
  });

  it('is not moved by one server that is wrong among three', () => {
    const { clock, trueMs, ask } = nodeAt(0);
    ask('a', 1, 1);
    ask('b', 1, 1);
    ask('c', 1, 1, 60_000);
    expect(Math.abs(clock.wallMs() - trueMs())).toBeLessThan(2);
    clock.forget('c');
    expect(clock.uncertaintyMs()).toBeLessThan(2);
  });
});

describe('two nodes that reckon the time of one city', () => {
  it('never let a fill pass that was asked for before a fence, nor refuse one that began when it had to', () => {
    const skew = fc.integer({ min: -5, max: 5 });
    fc.assert(
      fc.property(skew, skew, fc.nat({ max: 20 }), (skewA, skewB, betweenMs) => {
        const clock = new VirtualClock();
        const reckons = (skewMs: number) =>
          new HybridClock({
            monotonicMs: () => clock.monotonicMs(),
            wallMs: () => clock.wallMs() + skewMs,
            uncertaintyMs: () => 5,
            schedule: clock.schedule.bind(clock),
          });
        const [filler, deleter] = [reckons(skewA), reckons(skewB)];
        const fill = filler.early();
        clock.advance(betweenMs);
        const fence = deleter.late();
        expect(compareHlc(fill, fence)).toBeLessThan(0);
        // Once the filler knows of it, what it begins passes, and is not dated before its time has come.
        filler.receive(fence);
        const next = filler.early();
        expect(compareHlc(next, fence)).toBeGreaterThan(0);
        clock.advance(filler.untilPastMs(next));
        expect(next.ms).toBeLessThanOrEqual(clock.wallMs());
      }),
    );
  });
});
