import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DAY_MS,
  istDayStartMs,
  istMinuteOfDay,
  istWeekday,
  minuteOf,
  nextIstMidnightMs,
  nextIstTimeMs,
} from './ist-calendar.js';

const at = (text: string) => Date.parse(`${text}+05:30`);
const anyTime = fc.integer({ min: Date.UTC(1960, 0, 1), max: Date.UTC(2100, 0, 1) });
/** What the time zone data of the runtime say, by another way than ours. */
const formatted = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'Asia/Kolkata',
  weekday: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});

describe('the IST calendar', () => {
  it('begins the day at IST midnight, which is 18:30 UTC', () => {
    expect(istDayStartMs(at('2026-08-15T00:00:00.000'))).toBe(at('2026-08-15T00:00:00.000'));
    expect(istDayStartMs(at('2026-08-14T23:59:59.999'))).toBe(at('2026-08-14T00:00:00.000'));
    expect(istDayStartMs(at('2026-08-15T05:29:59.999'))).toBe(Date.UTC(2026, 7, 14, 18, 30));
    expect(nextIstMidnightMs(at('2026-08-14T23:59:59.999'))).toBe(at('2026-08-15T00:00:00.000'));
    expect(nextIstMidnightMs(at('2026-08-15T00:00:00.000'))).toBe(at('2026-08-16T00:00:00.000'));
  });

  it('says weekday and minute as the time zone data do', () => {
    fc.assert(
      fc.property(
        anyTime.filter((ms) => ms > Date.UTC(1970, 0, 2)),
        (ms) => {
          const parts = formatted.formatToParts(ms);
          const part = (wanted: string) => parts.find(({ type }) => type === wanted)?.value;
          expect(['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][istWeekday(ms)]).toBe(part('weekday'));
          expect(istMinuteOfDay(ms)).toBe(Number(part('hour')) * 60 + Number(part('minute')));
        },
      ),
    );
  });

  it('finds the next time of the day: later than now, at most a day later', () => {
    const half5 = minuteOf('05:30');
    expect(nextIstTimeMs(at('2026-08-15T05:29:59.999'), half5)).toBe(at('2026-08-15T05:30:00.000'));
    expect(nextIstTimeMs(at('2026-08-15T05:30:00.000'), half5)).toBe(at('2026-08-16T05:30:00.000'));
    fc.assert(
      fc.property(anyTime, fc.integer({ min: 0, max: 1_439 }), (ms, minute) => {
        const nextMs = nextIstTimeMs(ms, minute);
        expect(nextMs).toBeGreaterThan(ms);
        expect(nextMs - ms).toBeLessThanOrEqual(DAY_MS);
        expect(istMinuteOfDay(nextMs)).toBe(minute);
      }),
    );
  });
});
