import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import { HLC_ZERO, HybridClock } from '../core/hlc.js';
import { DriftError, DriftGate } from './drift.js';

const clock = new VirtualClock();
const NOW_MS = clock.wallMs();
const drift = new DriftGate({ clock, hlc: new HybridClock(clock) });
const reading = (aheadMs: number) => ({ ms: NOW_MS + aheadMs, counter: 0 });
const entry = { version: { eventTimeMs: NOW_MS, hlc: reading(0), origin: 1 }, fillStart: reading(0), fence: HLC_ZERO };

describe('a clock that has drifted by more than 500 ms', () => {
  it.each([
    ['when a request was sent', () => drift.checkSent(NOW_MS + 501)],
    ['a reading', () => drift.checkReading(reading(501))],
    [
      'when an entry was written',
      () => drift.checkEntry({ ...entry, version: { ...entry.version, hlc: reading(501) } }),
    ],
    ['when an entry was filled', () => drift.checkEntry({ ...entry, fillStart: reading(501) })],
    ['when a key was deleted', () => drift.checkEntry({ ...entry, fence: reading(501) })],
    [
      'an event time that nobody clamped',
      () => drift.checkEntry({ ...entry, version: { ...entry.version, eventTimeMs: NOW_MS + 5_501 } }),
    ],
    ['an answer from ahead', () => drift.checkAnswered(NOW_MS + 501, NOW_MS)],
    ['an answer from behind', () => drift.checkAnswered(NOW_MS - 501, NOW_MS)],
  ])('shows in %s', (_what, check) => {
    expect(check).toThrow(DriftError);
    expect(check).toThrow(/50[01] ms (?:ahead of|behind).*at most 500 ms.*NTP/);
  });

  it('is one that has not, within 500 ms', () => {
    drift.checkSent(NOW_MS + 500);
    drift.checkSent(NOW_MS - 4_000);
    drift.checkAnswered(NOW_MS + 500, NOW_MS);
    drift.checkAnswered(NOW_MS - 500, NOW_MS);
    drift.checkAnswered(NOW_MS - 900, NOW_MS - 1_000);
    drift.checkEntry({
      version: { eventTimeMs: NOW_MS + 5_500, hlc: reading(500), origin: 1 },
      fillStart: reading(500),
      fence: reading(500),
    });
    expect(() => drift.checkReading(reading(501))).toThrow(DriftError);
  });

  it('is not made out by a node that does not know the time any better', () => {
    const unsure = new VirtualClock();
    unsure.uncertainMs = 300;
    const gate = new DriftGate({ clock: unsure, hlc: new HybridClock(unsure) });
    gate.checkReading(reading(800));
    gate.checkAnswered(NOW_MS - 800, NOW_MS);
    expect(() => gate.checkReading(reading(801))).toThrow(DriftError);
    expect(() => gate.checkAnswered(NOW_MS - 801, NOW_MS)).toThrow(DriftError);
  });
});
