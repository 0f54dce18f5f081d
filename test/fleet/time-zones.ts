import { ewayBillEndMs } from '../../src/fleet/eway-bill.js';
import { freightHours } from '../../src/fleet/freight-hours.js';
import { istDayStartMs, istMinuteOfDay, istWeekday, nextIstTimeMs } from '../../src/fleet/ist-calendar.js';
import { byHour, ewayBillLifetime } from '../../src/fleet/lifetimes.js';

/** Every 53 minutes of the two months in which clocks are changed elsewhere, as the process that runs this sees them. */
const STEP_MS = 53 * 60_000;
const lines: string[] = [`${new Date(Date.UTC(2026, 0, 1)).getTimezoneOffset()}`];
for (const month of [2, 10]) {
  for (let ms = Date.UTC(2026, month, 1); ms < Date.UTC(2026, month + 1, 1); ms += STEP_MS) {
    const { allowed, untilMs } = freightHours('bengaluru', 'heavy', ms);
    const billMs = ewayBillEndMs(ms, 450);
    const calendar = [istDayStartMs(ms), istWeekday(ms), istMinuteOfDay(ms), nextIstTimeMs(ms, 330)];
    const lifetimes = [
      byHour({ ttl: 3_600_000, staleIfError: 0 }, ms).ttl,
      ewayBillLifetime(billMs, billMs - 5_000).ttl,
    ];
    lines.push([...calendar, allowed, untilMs, billMs, ...lifetimes].join(' '));
  }
}
process.stdout.write(lines.join('\n'));
